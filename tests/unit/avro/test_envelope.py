"""Envelopes of the internal topics."""

from __future__ import annotations

import pytest

from processors.avro.envelope import (
    IntakeEnvelope,
    StateEnvelope,
    decode_intake,
    decode_state,
    encode_intake,
    encode_state,
)
from processors.errors import DeadLetterCode, Refused, Unavailable

INTAKE = IntakeEnvelope(1, "InstanceArrived", 1_700_000_000_000, "dicom-instances", 4, 2**40, b"\x81\x00")


def test_a_state_entry_keeps_kind_stamp_and_body() -> None:
    body = bytes(range(256))
    assert decode_state(encode_state("series", body)) == StateEnvelope(1, "series", 0, body)
    assert decode_state(encode_state("chunk", b"", version=2, stamp_ms=5)) == StateEnvelope(
        2, "chunk", 5, b""
    )


def test_an_intake_entry_keeps_its_origin() -> None:
    assert decode_intake(encode_intake(INTAKE)) == INTAKE


def test_a_strange_changelog_is_the_operator_s_problem() -> None:
    with pytest.raises(Unavailable, match="changelog"):
        decode_state(encode_intake(INTAKE))


def test_a_strange_intake_record_is_its_sender_s() -> None:
    for value in (b"{}", encode_state("series", b""), encode_intake(INTAKE)[:-1]):
        with pytest.raises(Refused) as refused:
            decode_intake(value)
        assert refused.value.code is DeadLetterCode.UNDECODABLE_RECORD
