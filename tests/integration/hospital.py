"""A small hospital's morning as records, and what must come of it: computed over memory, without a mishap.

Rules of this file: inputs and expectations; nothing is sent here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from processors.pipeline.building import pipeline_of
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputRecord, OutputTopic, Record
from processors.settings import Settings
from tests.builders.goldens import Message, arrival, event, g5
from tests.builders.images import ct

STUDIES = [f"1.2.840.99999.{number}" for number in range(1, 7)]
Resources = dict[str, dict[str, Any]]


def instance(study: str, series: int, number: int, at: str = "10:00", **more: object) -> Message:
    """One CT image; series `<study>.<series>`."""
    uid = f"{study}.{series}"
    fields: dict[str, Any] = {
        "series_instance_uid": uid,
        "sop_instance_uid": f"{uid}.{number}",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "instance_number": number,
        "modality": "CT",
        "series_number": series,
        "patient_id": f"P{study[-1]}",
    }
    return event("instance.arrived", at, study, **(fields | more))


def morning(first: int = 1, last: int = 6) -> list[Message]:
    """Images `first` to `last` of two series in each study, interleaved."""
    return [
        instance(study, series, number)
        for number in range(first, last + 1)
        for series in (1, 2)
        for study in STUDIES
    ]


def documents() -> list[Message]:
    """Key images over two series, and a rejection of one of them (golden example G5)."""
    return [*g5().records, arrival(ct(2), "10:01")]


def poison() -> list[Message]:
    """Values that nobody can use: broken JSON, no JSON, an unknown event, an empty record's tombstone."""
    values = [b'{"event": "instance.arrived"', b"\xff\xfe", b'{"event":"x","event_id":"1"}', None]
    return [Message("dicom-instances", b"odd", value, []) for value in values]


def undisturbed(settings: Settings, messages: Iterable[Message]) -> Resources:
    """The references that these records make when nothing goes wrong, by id, less version and time."""
    member = MemoryMember(lambda: pipeline_of(settings, 1), 1, settings.topics.intake)
    records = [Record(m.topic, 0, n, 1, m.key, m.value, m.headers) for n, m in enumerate(messages)]
    outputs = member.feed(records, 2) + member.run_out(2)
    return latest(outputs)


def latest(outputs: Sequence[OutputRecord]) -> Resources:
    found = {(each.key or b"").decode(): each.value for each in outputs if each.topic is OutputTopic.FHIR}
    return {key: content_of(json.loads(value)) for key, value in found.items() if value is not None}


def content_of(resource: dict[str, Any]) -> dict[str, Any]:
    """Less `meta.versionId` and `meta.lastUpdated`."""
    meta = {k: v for k, v in resource["meta"].items() if k not in ("versionId", "lastUpdated")}
    rest = {k: v for k, v in resource.items() if k != "meta"}
    return rest | {"meta": meta} if meta else rest
