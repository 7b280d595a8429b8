"""Where a reference came from: its revisions, the rule that closed its series, the input records.

Rules of this file: reading the output topics. Facts are kept for as long as the analytics topic keeps them,
90 days by default; of an older reference only the FHIR topic knows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from processors.errors import NotFound
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
    """`study_instance_uid`, where it is known, spares reading the other partitions.

    Raises NotFound when neither output topic knows the id.
    """
    topic = settings.topics.analytics
    wanted = reference_id.encode()
    found: dict[int, Revision] = {}
    latest: dict[str, str] = {}
    writers = writers_of(settings)
    with Scan(settings.kafka) as scan:
        spans = scan.extent([topic])
        if study_instance_uid:
            home = home_of(study_instance_uid, scan.partitions[topic])
            spans = {(topic, home): spans[topic, home]}
        for record in scan.read(spans):
            if ("ce_subject", wanted) in (record.headers or ()):
                revision = revision_of(record, writers)
                if revision is not None:
                    found[revision.fact["revision"]] = revision
                    latest = _said(record)
        if not found:
            fhir = settings.topics.fhir
            place = (fhir, home_of(reference_id, scan.partitions.get(fhir, 1)))  # the key's partition
            for record in scan.read({place: scan.extent([fhir])[place]}):
                if record.key == wanted:
                    latest = _said(record)
    if not latest:
        raise NotFound(f"no reference has the id {reference_id}, as far as the output topics reach back")
    return Explanation(reference_id, [found[number] for number in sorted(found)], latest)


def as_mapping(explanation: Explanation) -> dict[str, Any]:
    revisions = [{"change": each.change, **each.fact} for each in explanation.revisions]
    return {"reference_id": explanation.reference_id, **explanation.latest, "revisions": revisions}


def _said(record: Any) -> dict[str, str]:
    names = ("kind", "modality", "study_uid", "series_uid", "status", "revision")
    return {name: header(record, name) for name in names}
