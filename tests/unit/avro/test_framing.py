"""Single-object encoding: the bytes of the specification, versions, and whatever else may come."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.avro.events import decode_event, encode_event
from processors.avro.framing import Codec, is_single_object
from processors.errors import DeadLetterCode, Refused


def record(*fields: Mapping[str, object]) -> str:
    return json.dumps({"type": "record", "name": "Thing", "fields": fields})


A = {"name": "a", "type": "string"}
B = {"name": "b", "type": ["null", "long"], "default": None, "doc": "since version 2"}
WHEN = {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}


def test_the_bytes_are_marker_fingerprint_and_datum() -> None:
    """The fingerprint is computed here bit by bit, as Avro 1.11 defines CRC-64-AVRO."""
    empty = 0xC15D213AA4D7A795
    crc = empty
    for byte in b'{"name":"Thing","type":"record","fields":[{"name":"a","type":"string"}]}':
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (empty if crc & 1 else 0)
    value = Codec([record(A)]).encode({"a": "xyz"})
    assert value == b"\xc3\x01" + crc.to_bytes(8, "little") + b"\x06xyz"
    assert is_single_object(value)
    assert not is_single_object(b'{"event"')


def test_a_record_of_an_older_version_is_read_with_its_own_schema() -> None:
    old, both = Codec([record(A)]), Codec([record(A), record(A, B)])
    assert both.decode(old.encode({"a": "x"})) == {"a": "x", "b": None}
    assert both.decode(both.encode({"a": "x", "b": 2**62})) == {"a": "x", "b": 2**62}
    with pytest.raises(Refused, match="fingerprint"):
        old.decode(both.encode({"a": "x", "b": 1}))


def test_times_are_integers_on_both_sides() -> None:
    codec = Codec([record(WHEN)])
    assert codec.decode(codec.encode({"at": 1_710_148_500_000_001})) == {"at": 1_710_148_500_000_001}


@pytest.mark.parametrize(
    "value",
    [b"", b"\xc3", b"\xc3\x01", b"\xc3\x01" + bytes(8), b"\xc3\x01" + bytes(80)],
)
def test_no_record_of_a_known_schema(value: bytes) -> None:
    with pytest.raises(Refused) as refused:
        Codec([record(A)]).decode(value)
    assert refused.value.code is DeadLetterCode.UNDECODABLE_RECORD


@pytest.mark.parametrize(
    "damage", [lambda v: v[:-1], lambda v: v + b"\0", lambda v: v[:10] + b"\x05" + v[11:]]
)
def test_a_record_that_is_cut_or_goes_on(damage: Callable[[bytes], bytes]) -> None:
    codec = Codec([record(A)])
    with pytest.raises(Refused) as refused:
        codec.decode(damage(codec.encode({"a": "Doe^Jane"})))
    assert "Doe" not in refused.value.message


EVENT = {"event": "series.completed", "event_id": "1", "source": "A", "occurred_at": "2025-01-01T00:00:00Z"}


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_an_event_or_refused(body: bytes) -> None:
    header = encode_event(EVENT)[:10]
    try:
        members = decode_event(header + body)
    except Refused:
        return
    assert {"event", "event_id", "source", "occurred_at"} <= members.keys()
