"""Settings as the core sees them.

Rules of this file: translation only; what a setting means is said in `sections`, or in `core.policy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.core import policy as core
from processors.core.body_sites import defined_term
from processors.settings.zones import zone

if TYPE_CHECKING:
    from processors.settings.sections import Override, Settings


def policy_of(settings: Settings) -> core.Policy:
    """Those settings that change what is published or when, as the core sees them."""
    return core.Policy(
        completeness=core.Completeness.of_seconds(
            settings.completeness.quiet_s, settings.completeness.hard_stop_s
        ),
        overrides=tuple(_override(settings, each) for each in settings.completeness.override),
        identity=_identity(settings),
        release=settings.fhir.release,
        r4_package=settings.fhir.r4_package,
        r4_status=settings.fhir.r4_status,
        r4_codes=settings.fhir.r4_codes,
        space_regions="report" if settings.fhir.release == "R6" else settings.fhir.space_regions,
        series_instances=settings.fhir.series_instances,
        volumes_by=settings.fhir.volumes_by,
        endpoints=settings.fhir.endpoints,
        hide_quality_rejections=settings.reports.quality_rejection == "hide",
        publish_manifests=settings.reports.publish_manifests,
        unresolved_after_s=settings.reports.unresolved_after_s,
        retention_days=settings.state.retention_days,
        body_sites={defined_term(part): site for part, site in settings.fhir.body_sites.items()},
    )


def _override(settings: Settings, each: Override) -> core.CompletenessOverride:
    default = settings.completeness
    quiet_s = default.quiet_s if each.quiet_s is None else each.quiet_s
    hard_stop_s = default.hard_stop_s if each.hard_stop_s is None else each.hard_stop_s
    completeness = core.Completeness.of_seconds(quiet_s, hard_stop_s)
    return core.CompletenessOverride(each.source, each.modality, completeness)


def _identity(settings: Settings) -> core.Identity:
    return core.Identity(
        namespace=settings.identity.namespace,
        patient_id_system=settings.identity.patient_id_system,
        patient_id_systems=settings.identity.patient_id_systems,
        accession_system=settings.identity.accession_system,
        accession_systems=settings.identity.accession_systems,
        issuers=settings.identity.issuers,
        site_zone=zone(settings.identity.site_time_zone),
    )
