"""Records that are meant to exhaust the reader: refused with a code, within its limits."""

from __future__ import annotations

import base64
import json
import struct
import zlib

import pytest

from processors.errors import Refused
from processors.pipeline.building import decoder_of
from processors.pipeline.records import Headers, Record
from processors.settings import Settings

ARRIVAL = {
    "event": "instance.arrived",
    "event_id": "1",
    "source": "S",
    "occurred_at": "2024-01-01T00:00:00Z",
    "study_instance_uid": "1.2",
    "series_instance_uid": "1.2.3",
    "sop_instance_uid": "1.2.3.4",
    "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
}
DICOM: Headers = [("content-type", b"application/dicom")]
SEQUENCE = struct.pack("<HH", 0x0040, 0xA730) + b"SQ\0\0" + struct.pack("<I", 0xFFFFFFFF)
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)


def event(member: str, value: bytes) -> bytes:
    """An arrival with a member as raw JSON."""
    return json.dumps({**ARRIVAL, member: 0}).encode().replace(b": 0", b": " + value)


def part_10(syntax: bytes, data: bytes) -> bytes:
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(syntax)) + syntax
    return b"\0" * 128 + b"DICM" + meta + data


def bomb() -> bytes:
    """300 kB that become 300 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()


def deep(levels: int) -> bytes:
    return event("dataset", b'{"00081115":{"vr":"SQ","Value":[' * levels + b"]}}" * levels)


@pytest.mark.parametrize(
    ("value", "headers", "code"),
    [
        (event("x", b"[" * 1_000_000), [], "undecodable_record"),
        (event("x", b"[" * 1_000_000 + b"]" * 1_000_000), [], "undecodable_record"),
        (event("selection", b'{"a":' * 100_000 + b"1" + b"}" * 100_000), [], "undecodable_record"),
        (deep(100), [], "nesting_too_deep"),
        (deep(100_000), [], "undecodable_record"),
        (event("instance_number", b"9" * 1_000_000), [], "undecodable_record"),
        (part_10(b"1.2.840.10008.1.2.1\0", (SEQUENCE + ITEM) * 500_000), DICOM, "nesting_too_deep"),
        (
            part_10(b"1.2.840.10008.1.2.1\0", SEQUENCE + (ITEM[:4] + bytes(4)) * 600_000),
            DICOM,
            "time_budget_exceeded",
        ),
        (b"\xc3\x01" + bytes(8) + b"\xff" * 1_000, [], "undecodable_record"),
    ],
    ids=range(9),
)
def test_what_would_exhaust_the_reader_is_refused(value: bytes, headers: Headers, code: str) -> None:
    assert refusal(value, headers) == code


def test_a_deflated_bomb_is_refused_bare_and_in_an_event() -> None:
    data = part_10(b"1.2.840.10008.1.2.1.99", bomb())
    assert refusal(data, DICOM) == "too_large"
    document = json.dumps(base64.b64encode(data).decode()).encode()
    assert refusal(event("document", document), []) == "too_large"


def refusal(value: bytes, headers: Headers) -> str:
    with pytest.raises(Refused) as refused:
        decoder_of(Settings()).decode(Record("", 0, 0, 1, None, value, headers), 1_700_000_000_000)
    return refused.value.code


def test_what_is_only_long_is_read() -> None:
    decoder = decoder_of(Settings())
    for value in (
        event("x", b'"' + b"A" * 10_000_000 + b'"'),
        json.dumps(ARRIVAL | {f"m{n}": n for n in range(100_000)}).encode(),
    ):
        decoder.decode(Record("", 0, 0, 1, None, value, []), 1_700_000_000_000)
