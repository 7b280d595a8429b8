"""Redrive: the records of dead letters back to the partitions they came from, in their order, once.

Rules of this file: which letters, where to, and in which portions; the transaction is `stream.redrive`'s. A
record goes back as it was: key, value and its own headers. Letters of one key lie in one partition in the
order in which they failed, and each partition is put back in order; so the order of a key is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum

from processors.errors import DeadLetterCode
from processors.operations.dead_letters import Letter, letter_of
from processors.pipeline.dead_letters import original_headers
from processors.pipeline.records import Record
from processors.settings import Settings
from processors.stream.client import group_of
from processors.stream.portions import Outgoing
from processors.stream.redrive import Marks, Redrive
from processors.stream.scan import Scan

CODES = frozenset(DeadLetterCode)

PORTION_RECORDS = 1_000
PORTION_BYTES = 64 * 1024 * 1024
"""What one transaction holds at most; it must end within the broker's patience."""


class Fate(StrEnum):
    """What becomes of a letter."""

    PUT_BACK = "put back"
    DONE = "was put back before"
    NO_RECORD = "tells of a reference, there is no record to put back"
    ELSEWHERE = "its topic is none of this configuration's inputs"
    FOREIGN = "has not the headers of a dead letter"


@dataclass(slots=True)
class Outcome:
    fates: Counter[Fate] = field(default_factory=Counter)
    by_code: Counter[str] = field(default_factory=Counter)
    """Of those put back."""


class _Below(dict[str, dict[int, int]]):
    """Code → partition → next offset; asked when a code is first met, before a letter of it is put back."""

    def __init__(self, marks: Marks) -> None:
        super().__init__()
        self._marks = marks

    def __missing__(self, code: str) -> dict[int, int]:
        self[code] = self._marks.of(code)
        return self[code]


@dataclass(slots=True)
class _Portion:
    records: list[Outgoing] = field(default_factory=list)
    done: dict[tuple[str, int], int] = field(default_factory=dict)
    size: int = 0

    def add(self, letter: Letter, record: Outgoing) -> None:
        self.records.append(record)
        self.done[letter.code, letter.partition] = letter.offset + 1
        self.size += letter.size

    @property
    def full(self) -> bool:
        return len(self.records) >= PORTION_RECORDS or self.size >= PORTION_BYTES


def redrive(
    settings: Settings,
    code: str = "",
    dry_run: bool = False,
    told: Callable[[Letter, Fate], None] = lambda *_: None,
) -> Outcome:
    """Put back what is there by now and was not put back before; `code`: letters of that code only.

    `told`: the fate of each letter, in the order of their partitions; with `dry_run` what it would be. Raises
    Unavailable when the broker does not take a portion: what was counted before is put back, the rest is not.
    """
    topic, group = settings.topics.dead_letters, group_of(settings.kafka)
    with (
        Scan(settings.kafka) as scan,
        closing(Marks(settings.kafka, group, topic, scan.partitions[topic])) as marks,
    ):
        back = None if dry_run else Redrive(settings.kafka, group, topic, marks)
        below = _Below(marks)
        outcome, portion = Outcome(), _Portion()
        for record in _in_order(scan, topic):
            letter = letter_of(record)
            if code not in ("", letter.code):
                continue
            fate = _fate(letter, settings, below)
            told(letter, fate)
            outcome.fates[fate] += 1
            if fate is not Fate.PUT_BACK:
                continue
            outcome.by_code[letter.code] += 1
            portion.add(letter, _put_back(letter, record, scan.partitions))
            if portion.full:
                portion = _sent(back, portion)
        _sent(back, portion)
    return outcome


def _in_order(scan: Scan, topic: str) -> Iterator[Record]:
    """Partition by partition: marks of a partition only grow."""
    for partition, span in sorted(scan.extent([topic]).items()):
        yield from scan.read({partition: span})


def _fate(letter: Letter, settings: Settings, below: _Below) -> Fate:
    topics = settings.topics
    if letter.code not in CODES:
        return Fate.FOREIGN
    if not letter.has_record:
        return Fate.NO_RECORD
    if letter.topic not in (topics.instances, topics.reports, topics.intake):
        return Fate.ELSEWHERE
    return Fate.DONE if letter.offset < below[letter.code][letter.partition] else Fate.PUT_BACK


def _put_back(letter: Letter, record: Record, partitions: Mapping[str, int]) -> Outgoing:
    """To the partition it came from, where later records of its sender go, too."""
    there = 0 <= letter.from_partition < partitions.get(letter.topic, 0)
    headers = original_headers(record.headers or [])
    return Outgoing(letter.topic, letter.from_partition if there else -1, record.key, record.value, headers)


def _sent(back: Redrive | None, portion: _Portion) -> _Portion:
    if back is not None and portion.records:
        back.put_back(portion.records, portion.done)
    return _Portion()
