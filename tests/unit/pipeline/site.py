"""A site over memory for the tests of the topology: records of any partition and time, and what came out.

Rules of this file: it sends and collects; no assertion. Events are JSON, as producers send them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from processors.avro.envelope import IntakeEnvelope, encode_intake
from processors.avro.facts import decode_fact
from processors.core.policy import Policy
from processors.dicom import ReadingPolicy
from processors.pipeline.decode import Decoder
from processors.pipeline.memory import MemoryMember
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import Headers, OutputRecord, OutputTopic, Record
from processors.pipeline.regrouping import regrouped
from processors.pipeline.topology import Limits, Pipeline
from processors.wire.json_text import load
from processors.wire.messages import FORMAT, pack

PARTITIONS = 4
LIMITS = Limits(cached_instances=1_000, closing_clocks=1_000, closing_instances=100_000)
INSTANCES, REPORTS, INTAKE = "dicom-instances", "dicom-reports", "imaging-reference-intake"
STUDY, SERIES = "2.999.1", "2.999.1.2"
CT = "1.2.840.10008.5.1.4.1.1.2"
START_MS = 1_767_348_000_000
"""2026-01-02T10:00:00Z."""


def event(
    name: str, number: int = 1, at: str = "10:00:00", expected: int | None = None, **fields: object
) -> bytes:
    """A JSON event on instance `<series>.<number>` of source PACS_A."""
    said: dict[str, object] = {
        "event": name,
        "event_id": f"{name}/{at}/{number}",
        "source": "PACS_A",
        "occurred_at": f"2026-01-02T{at}Z",
        "study_instance_uid": STUDY,
        "series_instance_uid": SERIES,
        **fields,
    }
    if expected is not None:
        said["number_of_series_related_instances"] = expected
    if name.startswith("instance."):
        said.setdefault("sop_instance_uid", f"{said['series_instance_uid']}.{number}")
    return json.dumps(said).encode()


def image(number: int = 1, at: str = "10:00:00", expected: int | None = None, **fields: object) -> bytes:
    known: dict[str, object] = {
        "sop_class_uid": CT,
        "modality": "CT",
        "instance_number": number,
        "patient_id": "SECRET-77",
        "accession_number": "ORDER-88",
    }
    return event("instance.arrived", number, at, expected, **{**known, **fields})


class Site:
    """Every partition is at its end whenever time passes, but for those in `behind`."""

    def __init__(
        self,
        policy: Policy | None = None,
        key: bytes = b"",
        partitions: int = PARTITIONS,
        limits: Limits = LIMITS,
    ) -> None:
        policy = policy or Policy()
        self._policy, self._limits = policy, limits
        self._key = key
        self.partitions = partitions
        self.member = self._member()
        self.now_ms = START_MS
        self.outputs: list[OutputRecord] = []
        self.behind: set[tuple[str, int]] = set()
        self._offsets: Counter[tuple[str, int]] = Counter()

    def _member(self) -> MemoryMember:
        return MemoryMember(self._pipeline, self.partitions, INTAKE)

    def _pipeline(self) -> Pipeline:
        decoder = Decoder(ReadingPolicy())
        return Pipeline(self._policy, decoder, self.partitions, INTAKE, self._key, self._limits)

    def regroup(self, partitions: int) -> None:
        """From now on with so many partitions of the intake, and the same state."""
        former, self.partitions = self.member, partitions
        self.member = self._member()
        for entry in regrouped(former.stores, partitions):
            self.member.stores[entry.home].put([entry])

    def record(
        self,
        value: bytes | None,
        *,
        topic: str = INSTANCES,
        study: str = STUDY,
        partition: int | None = None,
        key: bytes | None = b"any",
        timestamp_ms: int | None = None,
        headers: Headers | None = None,
    ) -> Record:
        """In the home of `study` and of now, if not said."""
        if partition is None:
            partition = home_of(study, self.partitions)
        offset = self._offsets[topic, partition]
        self._offsets[topic, partition] += 1
        at_ms = self.now_ms if timestamp_ms is None else timestamp_ms
        return Record(topic, partition, offset, at_ms, key, value, headers)

    def told(self, event: Any) -> Record:
        """A core event as the intake topic holds it, made of a record of the report topic."""
        kind, body = pack(event)
        offset = self._offsets[INTAKE, -1]
        self._offsets[INTAKE, -1] += 1
        value = encode_intake(IntakeEnvelope(FORMAT, kind, self.now_ms, REPORTS, 0, offset, body))
        return self.record(value, topic=INTAKE, study=event.study_instance_uid)

    def tell(self, *events: Any) -> list[OutputRecord]:
        return self.feed(*(self.told(each) for each in events))

    def feed(self, *records: Record) -> list[OutputRecord]:
        return self._keep(self.member.feed(records, self.now_ms))

    def send(self, *values: bytes | None) -> list[OutputRecord]:
        """One batch of now."""
        return self.feed(*(self.record(value) for value in values))

    def wait(self, seconds: float) -> list[OutputRecord]:
        self.now_ms += round(seconds * 1000)
        for topic in (INSTANCES, REPORTS, INTAKE):
            for partition in range(self.partitions):
                place = (topic, partition)
                self.member.pipeline.frontier(*place, place not in self.behind)
        return self._keep(self.member.tick(self.now_ms))

    def _keep(self, outputs: list[OutputRecord]) -> list[OutputRecord]:
        self.outputs += outputs
        return outputs


def resources(outputs: Iterable[OutputRecord]) -> list[dict[str, Any]]:
    return [load(each.value or b"") for each in outputs if each.topic is OutputTopic.FHIR]


def facts(outputs: Iterable[OutputRecord]) -> list[dict[str, Any]]:
    return [decode_fact(each.value or b"") for each in outputs if each.topic is OutputTopic.ANALYTICS]


def letters(outputs: Iterable[OutputRecord]) -> list[OutputRecord]:
    return [each for each in outputs if each.topic is OutputTopic.DEAD_LETTERS]


def headers_of(output: OutputRecord) -> dict[str, str]:
    return {name: value.decode() for name, value in output.headers}


def numbers(outputs: Iterable[OutputRecord]) -> list[list[int]]:
    """Instance numbers of each published resource."""
    return [[i["number"] for i in each["instance"]] for each in resources(outputs)]
