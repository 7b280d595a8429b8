"""Records that are meant to exhaust the reader: refused with a code, within its limits."""

from __future__ import annotations

import base64
import json
import struct
import warnings
import zlib
from zoneinfo import ZoneInfo

import pytest

from processors.core.events import InstanceArrived
from processors.core.policy import Identity, Policy
from processors.errors import Refused
from processors.pipeline import forwarding
from processors.pipeline.building import decoder_of
from processors.pipeline.records import Headers, Record
from processors.schema_files import topic_specs
from processors.settings import Settings
from processors.wire import state
from tests.builders import goldens
from tests.builders.events import document, item, key_images, reported
from tests.builders.images import ct, encoded
from tests.unit.pipeline.site import Site, headers_of, letters, resources

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


FIRST, LAST = "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"


@pytest.mark.parametrize("at", [f"{FIRST}+14:00", f"{LAST}-00:01"])
def test_a_time_that_utc_cannot_write_refuses_the_record(at: str) -> None:
    site = Site()
    for name in ("instance.arrived", "series.completed", "instance.deleted", "study.updated"):
        site.send(json.dumps({**ARRIVAL, "event": name, "occurred_at": at}).encode())
    found = [headers_of(each) for each in letters(site.outputs)]
    said = {(each["__imaging.errors.code"], each["__imaging.errors.tag"]) for each in found}
    assert (said, len(found)) == ({("undecodable_record", "occurred_at")}, 4)


@pytest.mark.parametrize("at", [f"{FIRST}Z", f"{LAST}Z"])
@pytest.mark.parametrize("zone", ["Europe/Zurich", "America/New_York"])
def test_a_clock_that_stands_at_its_end_is_published(at: str, zone: str) -> None:
    site = Site(Policy(identity=Identity(site_zone=ZoneInfo(zone))))
    site.send(json.dumps({**ARRIVAL, "occurred_at": at}).encode())
    (resource,) = resources(site.wait(10))
    assert resource["issued"].startswith(at[:4])


@pytest.mark.parametrize("timestamp_ms", [10**15, 2**63 - 1])
def test_a_bare_object_of_the_future_happened_now_at_most(timestamp_ms: int) -> None:
    site = Site()
    site.feed(site.record(encoded(ct(1)), timestamp_ms=timestamp_ms))
    site.wait(10)
    assert len(resources(site.outputs)) == 1


def selection(**said: object) -> bytes:
    made = {"selection_id": "s", "text": "t", **said}
    return json.dumps({**ARRIVAL, "event": "selection.made", "selection": made}).encode()


def test_what_no_internal_topic_would_take_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The member would try to write it for ever."""
    monkeypatch.setattr(forwarding, "EVENT_BYTES", 800)
    site = Site()
    few, many = ([{"sop_instance_uid": f"1.2.{n}"} for n in range(count)] for count in (3, 30))
    long = [{**few[0], "regions_2d": [{"region_type": "polyline", "coordinates": [0.1, 0.2] * 300}]}]
    report = max((each.value or b"" for each in goldens.g7().records), key=len)
    site.send(selection(instances=many), selection(instances=long), report, selection(instances=few))
    found = [headers_of(each)["__imaging.errors.code"] for each in letters(site.outputs)]
    assert found == ["too_large"] * 3
    assert site.member.dispositions["dead_lettered", "too_large"] == 3
    assert len(resources(site.outputs)) == 1


def test_texts_that_are_kept_with_every_image_are_short() -> None:
    long = "x" * 5_000
    for member in ("event_id", "source"):
        assert refusal(event(member, json.dumps(long).encode()), []) == "undecodable_record"
    assert refusal(selection(selection_id=long), []) == "undecodable_record"
    assert refusal(encoded(ct(1)), [*DICOM, ("source", long.encode())]) == "undecodable_record"
    image = ct(1)
    with warnings.catch_warnings(action="ignore"):
        image.PatientID, image.OperatorsName = long, [f"A^{n}" for n in range(100)]
    for value in (encoded(image), event("patient_id", json.dumps(long).encode())):
        read = decoder_of(Settings()).decode(Record("", 0, 0, 1, None, value, []), 1_700_000_000_000)
        assert isinstance(read, InstanceArrived)
        assert (read.header.patient_id, read.header.performers) == ("", ())
        assert "bad_vr" in read.warnings


def test_former_contents_go_where_all_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "DOCUMENT_BYTES", 600)
    monkeypatch.setattr(forwarding, "EVENT_BYTES", 3_000)
    site = Site()
    for n in range(8):
        items = [
            item(f"3.{n}.{i * 7919}", study=study, series="2.1") for i in range(9) for study in ("1.1", "1.2")
        ]
        site.tell(reported(document(key_images(*items)), n))
    rows = [value for store in site.member.stores for key, value in store.scan("") if "|d|" in key]
    assert max(map(len, rows)) < 1_000
    assert sum(len(r["instance"]) for r in resources(site.outputs) if r["status"] == "available") > 0


def test_the_topics_take_the_largest_of_what_is_written() -> None:
    specs = topic_specs()
    for topic, most in (("intake", forwarding.EVENT_BYTES), ("changelog", state.DOCUMENT_BYTES)):
        assert most < int(specs[f"imaging-reference-{topic}"].config["max.message.bytes"]) - 500_000


def test_what_is_only_long_is_read() -> None:
    decoder = decoder_of(Settings())
    for value in (
        event("x", b'"' + b"A" * 10_000_000 + b'"'),
        json.dumps(ARRIVAL | {f"m{n}": n for n in range(100_000)}).encode(),
    ):
        decoder.decode(Record("", 0, 0, 1, None, value, []), 1_700_000_000_000)
