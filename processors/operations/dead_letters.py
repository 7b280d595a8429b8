"""The dead-letter topic as a list: what was put aside, why, and whether it was put back since.

Rules of this file: reading; putting back is `redrive`. A record without our headers is shown as one, too:
anyone who may write can put it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

from processors.errors import NotFound, UsageError
from processors.pipeline.dead_letters import WITHOUT_RECORD, original_headers
from processors.pipeline.records import Record
from processors.settings import Settings
from processors.stream.client import group_of
from processors.stream.redrive import Marks
from processors.stream.scan import Scan


class Letter(NamedTuple):
    """What the headers of a dead letter tell; names tags and rules, no values."""

    partition: int
    offset: int
    """Where it lies in the dead-letter topic: its id is `partition/offset`."""
    code: str
    tag: str
    message: str
    stage: str
    topic: str
    """Where the record came from; empty where there was none."""
    from_partition: int
    from_offset: int
    failed_at: str
    """RFC 3339, UTC."""
    size: int
    """Of the value, bytes."""
    put_back: bool = False

    @property
    def id(self) -> str:
        return f"{self.partition}/{self.offset}"

    @property
    def has_record(self) -> bool:
        """Its key and value are those of a record; else it tells of a reference that was not published."""
        return bool(self.topic) and self.stage not in WITHOUT_RECORD


def letter_of(record: Record) -> Letter:
    said = {name: value.decode(errors="replace") for name, value in record.headers or ()}
    return Letter(
        record.partition,
        record.offset,
        said.get("__imaging.errors.code", ""),
        said.get("__imaging.errors.tag", ""),
        said.get("__streams.errors.message", ""),
        said.get("__imaging.errors.stage", ""),
        said.get("__streams.errors.topic", ""),
        _number(said.get("__streams.errors.partition", "")),
        _number(said.get("__streams.errors.offset", "")),
        said.get("__imaging.errors.first_failed_at", ""),
        len(record.value or b""),
    )


def letters(settings: Settings, code: str = "") -> list[Letter]:
    """All there are by now, in the order in which they failed; `code`: of that code only."""
    topic = settings.topics.dead_letters
    with Scan(settings.kafka) as scan:
        records = scan.read(scan.extent([topic]))
        found = [letter for letter in map(letter_of, records) if code in ("", letter.code)]
        with closing(Marks(settings.kafka, group_of(settings.kafka), topic, scan.partitions[topic])) as marks:
            marked = list(_marked(found, marks))
    return sorted(marked, key=lambda letter: (letter.failed_at, letter.partition, letter.offset))


class Shown(NamedTuple):
    letter: Letter
    headers: list[tuple[str, bytes]]
    """The record's own, in their order."""
    key: bytes | None
    value: bytes | None


def letter(settings: Settings, identifier: str) -> Shown:
    """One letter with its record. Raises UsageError for what is no id, NotFound where nothing lies there."""
    partition, _, offset = identifier.partition("/")
    place = (settings.topics.dead_letters, _number(partition))
    first = _number(offset)
    if place[1] < 0 or first < 0:
        raise UsageError(
            f"{identifier}: a dead letter's id is PARTITION/OFFSET, as `dead-letters list` shows it"
        )
    with Scan(settings.kafka) as scan:
        there = scan.extent([place[0]]).get(place, (0, 0))
        inside = there[0] <= first < there[1]
        record = next(scan.read({place: (first, first + 1)}), None) if inside else None
        if record is None:
            raise NotFound(f"no dead letter {identifier}: see `imaging-reference dead-letters list`")
        with closing(
            Marks(settings.kafka, group_of(settings.kafka), place[0], scan.partitions[place[0]])
        ) as marks:
            (found,) = _marked([letter_of(record)], marks)
    return Shown(found, original_headers(record.headers or []), record.key, record.value)


def as_mapping(letter: Letter) -> dict[str, Any]:
    return {"id": letter.id, **letter._asdict()}


def _marked(found: Iterable[Letter], marks: Marks) -> Iterator[Letter]:
    below: dict[str, dict[int, int]] = {}
    for letter in found:
        if letter.code not in below:
            below[letter.code] = marks.of(letter.code) if letter.code else {}
        yield letter._replace(put_back=letter.offset < below[letter.code].get(letter.partition, 0))


def _number(text: str) -> int:
    """-1 for what is no number."""
    return int(text) if text.isascii() and text.isdigit() else -1
