"""Envelopes of the two internal topics: who wrote a body, when and from what, around bytes of `wire`.

Rules of this file: the envelope only; a body is opaque here. Small on purpose: fastavro takes half a
millisecond for a chunk of 256 instances, MessagePack a twentieth of that, so Avro says what a body is and
`wire` holds it.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from processors.avro.framing import Codec
from processors.errors import Refused, Unavailable
from processors.schema_files import schema_texts

CHANGELOG_TOPIC = "imaging-reference-changelog"
INTAKE_TOPIC = "imaging-reference-intake"


class StateEnvelope(NamedTuple):
    """Value of a changelog record."""

    version: int
    """Format of the body."""
    kind: str
    stamp_ms: int
    """When it was written; 0: not said."""
    body: bytes


class IntakeEnvelope(NamedTuple):
    """Value of an intake record: an event that was not home, or what one study tells another."""

    version: int
    kind: str
    received_at_ms: int
    """When the origin was read, or its timestamp: the clock of a backlog counts by it."""
    topic: str
    """Origin: the record this one was made of."""
    partition: int
    offset: int
    body: bytes


def encode_state(kind: str, body: bytes, *, version: int = 1, stamp_ms: int = 0) -> bytes:
    return _changelog().encode({"version": version, "kind": kind, "stamp_ms": stamp_ms, "body": body})


def decode_state(value: bytes) -> StateEnvelope:
    """Raises Unavailable: nobody but this program writes the changelog, so no sender is at fault."""
    try:
        return StateEnvelope(**_changelog().decode(value))
    except Refused as error:
        raise Unavailable(
            f"changelog: {error.message}; is the topic another program's, or a newer version's?"
        ) from None


def encode_intake(envelope: IntakeEnvelope) -> bytes:
    return _intake().encode(envelope._asdict())


def decode_intake(value: bytes) -> IntakeEnvelope:
    """Raises Refused(undecodable_record): anyone who may write can put a record there."""
    return IntakeEnvelope(**_intake().decode(value))


@cache
def _changelog() -> Codec:
    return Codec(schema_texts(CHANGELOG_TOPIC))


@cache
def _intake() -> Codec:
    return Codec(schema_texts(INTAKE_TOPIC))
