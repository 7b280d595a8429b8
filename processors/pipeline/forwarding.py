"""The intake topic: events on their way to the home of their study.

Rules of this file: one record of it, made and read.
"""

from __future__ import annotations

from typing import Any

from processors.avro.envelope import IntakeEnvelope, decode_intake, encode_intake
from processors.core.study import Origin
from processors.errors import DeadLetterCode, Refused
from processors.pipeline.records import Headers, OutputRecord, OutputTopic
from processors.wire.messages import FORMAT, READABLE, pack, unpack

NOWHERE: Origin = (("", -1), -1)
"""Of what a home tells by itself."""


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
