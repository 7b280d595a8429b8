"""What a reader of the output topics sees: each revision with its fact, and what was put aside.

Rules of this file: records in, values for a person out; the reader trusts nobody and
notes what does not add up.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

from processors.avro.facts import decode_fact
from processors.pipeline.dead_letters import told_by
from processors.pipeline.records import Record
from processors.settings.sections import Topics
from processors.wire.json_text import load

Revision = tuple[str, int]
"""Reference id and revision."""


class Published(NamedTuple):
    """One revision of one reference, as both output topics tell it."""

    at: datetime
    """When it was published, local time."""
    change: str
    """published, revised, withdrawn or revived."""
    kind: str
    modality: str
    status: str
    revision: int
    reference_id: str
    series_instance_uid: str
    series_number: int | None
    instances: int
    frames: int
    regions: int
    added: int
    removed: int
    closed_by: str
    """The rule that closed the series; empty where none did."""
    settle_ms: int | None
    withdrawal_reason: str
    code: str
    """What it is, in words: `Of Interest`, `Image Region`."""


class DeadLetter(NamedTuple):
    """One record that was put aside; names tags and rules, no values."""

    code: str
    tag: str
    message: str


class Reader:
    """Takes records of all topics but the changelog, in any order; keeps a line for each reference."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._resources: dict[Revision, tuple[Record, dict[str, Any]]] = {}
        self._facts: dict[Revision, dict[str, Any]] = {}
        self.latest: dict[str, Published] = {}
        self.seen: Counter[str] = Counter()
        """Records by topic."""
        self.changes: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.settle_ms: list[int] = []
        self.problems: list[str] = []

    def take(self, record: Record) -> Published | DeadLetter | None:
        """A revision once both its resource and its fact were read; a dead letter; else None."""
        self.seen[record.topic] += 1
        if record.topic == self._topics.fhir:
            resource: Any = load(record.value or b"")
            revision = (str(resource["id"]), int(resource["meta"]["versionId"]))
            self._resources[revision] = (record, resource)
        elif record.topic == self._topics.analytics:
            fact = decode_fact(record.value or b"")
            revision = (fact["reference_id"], fact["revision"])
            self._facts[revision] = fact
        elif record.topic == self._topics.dead_letters:
            return self._put_aside(record)
        else:
            return None
        return self._pair(revision)

    @property
    def unpaired(self) -> int:
        """Revisions that only one of the two topics has told of so far."""
        return len(self._resources) + len(self._facts)

    def _put_aside(self, record: Record) -> DeadLetter:
        told = told_by(record.headers or [])
        self.dead_letters[told.code] += 1
        return DeadLetter(told.code, told.tag, told.message)

    def _pair(self, revision: Revision) -> Published | None:
        if revision not in self._resources or revision not in self._facts:
            return None
        record, resource = self._resources.pop(revision)
        published = _published(record, resource, self._facts.pop(revision))
        before = self.latest.get(published.reference_id)
        if published.revision != (before.revision if before else 0) + 1:
            self.problems.append(f"{published.reference_id}: revision {published.revision} is out of turn")
        self.latest[published.reference_id] = published
        self.changes[published.change] += 1
        if published.closed_by and published.settle_ms is not None:
            self.settle_ms.append(published.settle_ms)
        return published


def _published(record: Record, resource: dict[str, Any], fact: dict[str, Any]) -> Published:
    headers = {name: value.decode() for name, value in record.headers or ()}
    return Published(
        at=datetime.fromtimestamp(fact["published_at"] / 1e6, UTC).astimezone(),
        change=headers["ce_type"].rpartition(".")[2],
        kind=headers["kind"],
        modality=headers["modality"],
        status=resource["status"],
        revision=fact["revision"],
        reference_id=resource["id"],
        series_instance_uid=resource["seriesUid"],
        series_number=resource.get("seriesNumber"),
        instances=len(resource.get("instance", ())),
        frames=fact["frame_count"],
        regions=fact["region_count"],
        added=fact["added"],
        removed=fact["removed"],
        closed_by=fact["closed_by"] or "",
        settle_ms=fact["settle_ms"],
        withdrawal_reason=fact["withdrawal_reason"] or "",
        code=_words(resource["code"]),
    )


def _words(concept: dict[str, Any]) -> str:
    """The first display of a CodeableConcept, else its text."""
    displays = [coding["display"] for coding in concept.get("coding", ()) if "display" in coding]
    return str(displays[0] if displays else concept.get("text", ""))
