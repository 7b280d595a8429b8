"""The whole topology over memory under a clock that the test moves, and what readers of its topics saw.

Rules of this file: it sends and collects; no assertion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from processors.avro.facts import decode_fact
from processors.pipeline.building import pipeline_of
from processors.pipeline.memory import MemoryMember
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import OutputRecord, OutputTopic, Record
from processors.settings import load
from processors.wire import json_text
from tests.builders.goldens import ENVIRONMENT, INSTANCES, REPORTS, Message, Resource

PARTITIONS = 3
START_MS = 1_767_355_200_000
"""2026-01-02T13:00:00+01:00: after everything that the examples tell of."""


class Timeline:
    """`published` keeps every version, in order, `headers` theirs; `references` the latest of each."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._site = load(None, {**ENVIRONMENT, **(settings or {})})
        self.member = MemoryMember(
            lambda: pipeline_of(self._site, PARTITIONS), PARTITIONS, self._site.topics.intake
        )
        self.now_ms = START_MS
        self.published: list[Resource] = []
        self.headers: list[dict[str, str]] = []
        self.facts: list[dict[str, Any]] = []
        self.dead_letters: list[OutputRecord] = []
        self._offsets: Counter[tuple[str, int]] = Counter()

    @property
    def references(self) -> dict[str, Resource]:
        return {resource["id"]: resource for resource in self.published}

    @property
    def dispositions(self) -> Counter[tuple[str, str]]:
        return self.member.dispositions

    def send(self, messages: Iterable[Message]) -> list[Resource]:
        """One batch, a millisecond later; returns what was published for it at once."""
        self.now_ms += 1
        return self._collect(self.member.feed([self._record(message) for message in messages], self.now_ms))

    def replay(self, messages: Iterable[Message]) -> list[Resource]:
        """One batch of JSON events, each under the timestamp at which it happened."""
        records = [self._record(message) for message in messages]
        stamped = [record._replace(timestamp_ms=_happened_at_ms(record)) for record in records]
        return self._collect(self.member.feed(stamped, self.now_ms))

    def wait(self, seconds: float) -> list[Resource]:
        """Time passes while all inputs are read to their ends; returns what was published then."""
        self.now_ms += round(seconds * 1000)
        for partition in range(PARTITIONS):
            for topic in (INSTANCES, REPORTS):
                self.member.pipeline.frontier(topic, partition, True)
        return self._collect(self.member.tick(self.now_ms))

    def restart(self, settings: Mapping[str, str]) -> None:
        """The site decides otherwise; what was committed stays."""
        self._site = load(None, {**ENVIRONMENT, **settings})
        self.member.restart()

    def run_out(self) -> list[Resource]:
        """Every clock runs out."""
        return self._collect(self.member.run_out(self.now_ms))

    def _record(self, message: Message) -> Record:
        partition = home_of((message.key or b"").decode(), PARTITIONS)
        offset = self._offsets[message.topic, partition]
        self._offsets[message.topic, partition] += 1
        return Record(
            message.topic, partition, offset, self.now_ms, message.key, message.value, message.headers
        )

    def _collect(self, outputs: list[OutputRecord]) -> list[Resource]:
        resources = []
        for output in outputs:
            if output.topic is OutputTopic.FHIR:
                resources.append(json_text.load(output.value or b""))
                self.headers.append({name: value.decode() for name, value in output.headers})
            elif output.topic is OutputTopic.ANALYTICS:
                self.facts.append(decode_fact(output.value or b""))
            else:
                self.dead_letters.append(output)
        self.published += resources
        return resources


def _happened_at_ms(record: Record) -> int:
    said = json_text.load(record.value or b"")["occurred_at"]
    return round(datetime.fromisoformat(said).timestamp() * 1000)


def content(resource: Resource) -> Resource:
    """Less version and time of publication, which are no part of the content."""
    meta = {k: v for k, v in resource["meta"].items() if k not in ("versionId", "lastUpdated")}
    bare = {k: v for k, v in resource.items() if k != "meta"}
    return bare | {"meta": meta} if meta else bare


def uids(resource: Resource) -> list[str]:
    return [instance["uid"] for instance in resource.get("instance", [])]
