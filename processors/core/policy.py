"""What a site decides, as the core sees it: frozen values without files or environment.

Rules of this file: only choices that change what is published or when; `settings` builds these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from uuid import UUID

from processors.core.identity import NAMESPACE


@dataclass(frozen=True, slots=True)
class Completeness:
    """When a series counts as complete (CONTRACT 4); the settings say it in seconds."""

    quiet_ms: int = 10_000
    """No new instance for so long. Shorter amends more series after closing, longer delays every reader."""
    hard_stop_ms: int = 300_000
    """Since the first unpublished instance, for series that never fall quiet."""

    @classmethod
    def of_seconds(cls, quiet_s: float, hard_stop_s: float) -> Completeness:
        return cls(round(quiet_s * 1000), round(hard_stop_s * 1000))


@dataclass(frozen=True, slots=True)
class CompletenessOverride:
    """Wins over the default where `source` and `modality` match; empty matches all; the last match holds."""

    source: str
    modality: str
    completeness: Completeness


@dataclass(frozen=True, slots=True)
class Identity:
    """Where identifiers come from when the object does not say."""

    namespace: str = ""
    """UUID text for reference ids; empty: `core.identity.NAMESPACE`."""
    patient_id_system: str = ""
    """Default system (URI) of Patient ID (0010,0020)."""
    patient_id_systems: Mapping[str, str] = field(default_factory=dict)
    """By event source; wins over the default."""
    accession_system: str = ""
    accession_systems: Mapping[str, str] = field(default_factory=dict)
    issuers: Mapping[str, str] = field(default_factory=dict)
    """Local issuer name ((0010,0021), (0008,0051)) → system (URI)."""
    site_zone: tzinfo | None = None
    """Zone of DICOM times without (0008,0201); None: such times give no `issued`."""

    @property
    def display_zone(self) -> tzinfo:
        """Zone in which event times are written; the instant is the same."""
        return self.site_zone or UTC


@dataclass(frozen=True, slots=True)
class Policy:
    completeness: Completeness = Completeness()
    overrides: tuple[CompletenessOverride, ...] = ()
    identity: Identity = Identity()
    release: str = "R5"
    """FHIR release of the output: R5, R4 or R6."""
    r4_package: str = "0.1.0"
    """Version of hl7.fhir.uv.xver-r5.r4 that an R4 output follows."""
    r4_status: str = "extension"
    """`extension` or `modifier_extension`: how the flat package's status is written."""
    r4_codes: str = "known"
    """`known` or `plain`: how an R4 output writes DICOM's codes that R4 does not know yet."""
    space_regions: str = "report"
    """`report` or `image`: what a report's region in space is hung on (MAPPING 2.3)."""
    series_instances: str = "always"
    """`always` or `omit_when_complete` (MAPPING 2.1)."""
    volumes_by: tuple[str, ...] = ()
    """By which of `core.volumes.ASPECTS` volumes of a series are references of their own; empty: none are."""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Event source → FHIR Endpoint reference."""
    hide_quality_rejections: bool = True
    """113001: True drops the instance, False keeps it (`reports.quality_rejection`)."""
    publish_manifests: bool = False
    unresolved_after_s: float = 86_400.0
    """A reference whose series no one knows is dead-lettered after so long."""
    retention_days: int = 0
    """A study of which nothing was heard for so long is purged (`core.purging`); 0: never."""
    body_sites: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Defined term of Body Part Examined → (SNOMED CT code, display); wins over the shipped table."""

    @property
    def namespace(self) -> UUID:
        """Namespace of reference ids; another one changes every id."""
        return UUID(self.identity.namespace) if self.identity.namespace else NAMESPACE

    @property
    def retention_ms(self) -> int:
        """0: never."""
        return self.retention_days * 86_400_000

    def completeness_for(self, source: str, modality: str) -> Completeness:
        """The last override that matches, else the default."""
        for override in reversed(self.overrides):
            if override.source in ("", source) and override.modality in ("", modality):
                return override.completeness
        return self.completeness

    @property
    def shortest_wait_ms(self) -> int:
        """No clock that an arrival sets runs out sooner."""
        all_of_them = [self.completeness, *(override.completeness for override in self.overrides)]
        return min(min(each.quiet_ms, each.hard_stop_ms) for each in all_of_them)
