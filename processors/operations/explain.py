"""Where a reference came from: its revisions, the rule that closed its series, the input records.

Rules of this file: reading the output topics. Facts are kept for as long as the analytics topic keeps them,
90 days by default; of an older reference only the FHIR topic knows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from processors.errors import NotFound, UsageError
from processors.operations.facts import Revision, header, revision_of
from processors.pipeline.partitioning import home_of
from processors.settings import Settings
from processors.stream.registries import writers_of
from processors.stream.scan import Scan

RULES = {
    "counted": "the expected number of images had arrived",
    "completed": "the sender said that the series is complete",
    "quiet": "no new image came for completeness.quiet_s",
    "hard_stop": "completeness.hard_stop_s were over since the first image that was not published",
}
"""Why a series was closed, by the fact's `closed_by`."""


class Explanation(NamedTuple):
    reference_id: str
    revisions: list[Revision]
    """By number; empty: the facts are no longer kept."""
    latest: dict[str, str]
    """What the headers of the newest record say: kind, modality, study_uid, series_uid, status, revision."""


def explain(settings: Settings, reference_id: str, study_instance_uid: str = "") -> Explanation:
    """`reference_id`: or as much of its beginning as is of no other, where its facts are kept.
    `study_instance_uid`, where it is known, spares reading the other partitions.

    Raises NotFound when neither output topic knows the id, UsageError when it begins several.
    """
    with Scan(settings.kafka) as scan:
        found = _facts(scan, settings, reference_id, study_instance_uid)
        if len(found) > 1:
            some = ", ".join(sorted(found)[:3])
            raise UsageError(
                f"{reference_id} begins the ids of {len(found)} references ({some}): give more of it"
            )
        for full_id, (revisions, latest) in found.items():
            return Explanation(full_id, [revisions[number] for number in sorted(revisions)], latest)
        fhir = settings.topics.fhir
        place = (fhir, home_of(reference_id, scan.partitions.get(fhir, 1)))  # the key's partition
        kept = [r for r in scan.read({place: scan.extent([fhir])[place]}) if r.key == reference_id.encode()]
    if not kept:
        raise NotFound(f"no reference has the id {reference_id}, as far as the output topics reach back")
    return Explanation(reference_id, [], _said(kept[-1]))


def _facts(
    scan: Scan, settings: Settings, beginning: str, study_instance_uid: str
) -> dict[str, tuple[dict[int, Revision], dict[str, str]]]:
    """Of each reference whose id begins so: its revisions by number, and what the newest record says."""
    topic, writers = settings.topics.analytics, writers_of(settings)
    spans = scan.extent([topic])
    if study_instance_uid:
        home = home_of(study_instance_uid, scan.partitions[topic])
        spans = {(topic, home): spans[topic, home]}
    found: dict[str, tuple[dict[int, Revision], dict[str, str]]] = {}
    for record in scan.read(spans):
        full_id = header(record, "ce_subject")
        revision = revision_of(record, writers) if full_id.startswith(beginning) else None
        if revision is not None:
            revisions = found[full_id][0] if full_id in found else {}
            found[full_id] = ({**revisions, revision.fact["revision"]: revision}, _said(record))
    return found


def as_mapping(explanation: Explanation) -> dict[str, Any]:
    revisions = [{"change": each.change, **each.fact} for each in explanation.revisions]
    return {"reference_id": explanation.reference_id, **explanation.latest, "revisions": revisions}


def _said(record: Any) -> dict[str, str]:
    names = ("kind", "modality", "study_uid", "series_uid", "status", "revision")
    return {name: header(record, name) for name in names}
