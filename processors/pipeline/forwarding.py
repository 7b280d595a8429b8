"""The intake topic: events on their way to the home of their study.

Rules of this file: one record of it, made and read.
"""

from __future__ import annotations

from typing import Any

from processors.avro.envelope import IntakeEnvelope, decode_intake, encode_intake
from processors.core.events import DocumentArrived, FragmentReported, SelectionMade
from processors.core.study import Origin
from processors.errors import DeadLetterCode, Refused
from processors.pipeline.records import Headers, OutputRecord, OutputTopic
from processors.wire.messages import FORMAT, READABLE, pack, unpack

NOWHERE: Origin = (("", -1), -1)
"""Of what a home tells by itself."""

EVENT_BYTES = 15 * 1024 * 1024
"""Of an event, packed. It is forwarded and kept so, in topics that hold 16 MiB; numbers, and words that are
said again and again, take more room here than in an object."""

_MEMBER_BYTES = 80
"""Of a selection's instance in what is kept of its publication: the UID, a checksum."""


def from_intake(value: bytes) -> tuple[Any, Origin]:
    """The event in an intake record, and where the record it was made of lies.

    Raises Refused(undecodable_record), also for what a later version wrote in a format of its own.
    """
    envelope = decode_intake(value)
    if envelope.version not in READABLE:
        raise Refused(
            DeadLetterCode.UNDECODABLE_RECORD,
            f"an intake record of format {envelope.version}; this version reads up to {FORMAT}",
        )
    return unpack(envelope.kind, envelope.body), ((envelope.topic, envelope.partition), envelope.offset)


def require_small(event: Any) -> None:
    """Raises Refused(too_large) for a document or a selection that no internal topic would take, and that
    would be read again for ever.
    """
    if not isinstance(event, DocumentArrived | SelectionMade):
        return
    size = len(pack(event)[1])
    if isinstance(event, SelectionMade):
        size += _MEMBER_BYTES * len(event.items)
    if size > EVENT_BYTES:
        raise Refused(DeadLetterCode.TOO_LARGE, f"what it refers to takes {size} bytes")


def trimmed(fragment: FragmentReported) -> FragmentReported:
    """Without the earliest of its former contents, as far as all of them would be too large."""
    while fragment.former and len(pack(fragment)[1]) > EVENT_BYTES:
        left = fragment.former[:-1], fragment.former_stamps[:-1]
        fragment = fragment._replace(former=left[0], former_stamps=left[1])
    return fragment


def to_intake(event: Any, target: int, origin: Origin, at_ms: int, traceparent: bytes) -> OutputRecord:
    kind, body = pack(event)
    (topic, partition), offset = origin
    envelope = IntakeEnvelope(FORMAT, kind, at_ms, topic, partition, offset, body)
    headers = [("traceparent", traceparent)] if traceparent else []
    key = event.study_instance_uid.encode()
    return OutputRecord(OutputTopic.INTAKE, key, encode_intake(envelope), headers, target)


def trace_of(headers: Headers | None) -> bytes:
    """The W3C trace context, if the record has one."""
    return next((value for name, value in headers or () if name == "traceparent"), b"")
