"""Dead letters: the original record with headers that say why, or a JSON event for what has no record.

Rules of this file: the headers of CONTRACT 5, in one place. Messages name tags and rules, never values: they
may be patient data.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from processors.core.study import Origin
from processors.errors import DeadLetterCode, Refused
from processors.pipeline.records import Headers, OutputRecord, OutputTopic, Record
from processors.wire.json_text import dump

FIRST_HEADER = "__streams.errors.exception"
"""Of the block that follows the original headers."""

WITHOUT_RECORD = frozenset({"publish", "wait"})
"""Stages whose letters tell of a reference or a document: their value is ours, no record that was refused."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Told(NamedTuple):
    """What a dead letter's headers tell; no values. `topic` is empty where there was no record."""

    code: str
    tag: str
    message: str
    topic: str
    partition: int
    offset: int


def told_by(headers: Headers) -> Told:
    """Of names that come twice, as in a letter put aside again, the last one holds."""
    said = {name: value.decode() for name, value in headers if name.startswith("__")}
    return Told(
        said["__imaging.errors.code"],
        said["__imaging.errors.tag"],
        said["__streams.errors.message"],
        said["__streams.errors.topic"],
        int(said["__streams.errors.partition"]),
        int(said["__streams.errors.offset"]),
    )


def original_headers(headers: Headers) -> Headers:
    """Those the record had before it was put aside; a letter of another program that was put aside keeps
    its.
    """
    marks = [at for at, (name, _) in enumerate(headers) if name == FIRST_HEADER]
    return headers[: marks[-1]] if marks else headers


def of_record(record: Record, refused: Refused, stage: str, now_ms: int) -> OutputRecord:
    """The record itself, key and value untouched."""
    origin = ((record.topic, record.partition), record.offset)
    headers = _headers(refused.code, refused.message, refused.tag, stage, origin, now_ms)
    return OutputRecord(
        OutputTopic.DEAD_LETTERS, record.key, record.value, [*(record.headers or ()), *headers]
    )


def described(
    code: DeadLetterCode,
    message: str,
    tag: str,
    stage: str,
    said: Mapping[str, str],
    origin: Origin | None,
    now_ms: int,
) -> OutputRecord:
    """For what has no input record of its own: `said` as JSON, UIDs only, keyed by its study."""
    headers = _headers(code, message, tag, stage, origin, now_ms)
    return OutputRecord(OutputTopic.DEAD_LETTERS, said["study_instance_uid"].encode(), dump(said), headers)


def instant_of(at_ms: int) -> str:
    """UTC with milliseconds."""
    at = _EPOCH + timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _headers(
    code: DeadLetterCode, message: str, tag: str, stage: str, origin: Origin | None, failed_at_ms: int
) -> Headers:
    """KIP-1034's names and ours; the stack of a refusal is its stage."""
    (topic, partition), offset = origin or (("", -1), -1)
    found = {
        FIRST_HEADER: Refused.__name__,
        "__streams.errors.stacktrace": f"{stage}: {code}",
        "__streams.errors.message": message,
        "__streams.errors.topic": topic,
        "__streams.errors.partition": str(partition),
        "__streams.errors.offset": str(offset),
        "__imaging.errors.code": str(code),
        "__imaging.errors.tag": tag,
        "__imaging.errors.stage": stage,
        "__imaging.errors.attempts": "1",
        "__imaging.errors.first_failed_at": instant_of(failed_at_ms),
        "__imaging.errors.version": "1",
    }
    return [(name, text.encode()) for name, text in found.items()]
