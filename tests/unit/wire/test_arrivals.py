"""Arrivals in columns say what they say one by one, and what is odd is left to that way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from processors.avro.events import encode_event
from processors.dicom import ReadingPolicy
from processors.pipeline.decode import Decoder, record_of
from processors.pipeline.records import Record
from processors.wire import arrivals
from processors.wire.arrivals import Portion
from processors.wire.json_text import dump, load
from tests.unit.wire.test_json_events import FULL

PLAIN = {name: value for name, value in FULL.items() if name != "number_of_series_related_instances"}
OTHER_SERIES = {"series_instance_uid": "2.999.1.7"}


def value(number: int = 1, **changes: Any) -> bytes:
    own = {"sop_instance_uid": f"2.999.1.2.{number}", "event_id": f"e-{number}", "instance_number": number}
    return dump({**PLAIN, **own, **changes})


def in_avro(json_value: bytes) -> bytes:
    return encode_event(load(json_value))


def as_it_is(json_value: bytes) -> bytes:
    return json_value


def portion_of(*values: bytes) -> Portion:
    portion = Portion(record_of)
    assert all(map(portion.add, values))
    return portion


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"occurred_at": "2024-03-11T09:15:00.5-05:00"},
        {"sop_instance_uid": "2.999.77"},
        {"number_of_frames": None, "frame_of_reference_uid": None, "instance_number": None},
    ],
)
@pytest.mark.parametrize("form", [as_it_is, in_avro])
def test_a_run_is_its_events(changes: dict[str, Any], form: Callable[[bytes], bytes]) -> None:
    values = [form(each) for each in (value(1), value(2, **changes), value(30))]
    portion = portion_of(*values)
    [(study, found)] = portion.by_study().items()
    assert (study, found.plain, found.positions) == ("2.999.1", True, [0, 1, 2])
    events = []
    for part, positions in found.parts.items():
        run = portion.run(part, positions)
        assert run is not None
        events += [run.event(n) for n in range(len(positions))]
    decoder = Decoder(ReadingPolicy())
    read: Any = [decoder.decode(Record("instances", 0, 0, 1, None, each), 1) for each in values]
    assert sorted(events) == sorted(read)


@pytest.mark.parametrize(
    "uid", ["2.999.1.2.03", "2.999.1.2.", "2.999.1.2.3 ", "2.999.1.2.٣", f"2.999.1.2.{'3' * 60}", "", None]
)
def test_a_bad_instance_uid_makes_no_run(uid: str | None) -> None:
    for first in (value(1), value(1, sop_instance_uid=uid)):
        portion = portion_of(first, value(2, sop_instance_uid=uid))
        [(part, positions)] = portion.by_study()["2.999.1"].parts.items()
        assert portion.run(part, positions) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"number_of_series_related_instances": 3},
        {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.59"},
        {"patient_id": "P\x01"},
        {"series_instance_uid": "2.999.x"},
    ],
)
def test_what_is_odd_makes_its_study_be_read_one_by_one(changes: dict[str, Any]) -> None:
    found = portion_of(value(1), value(2, **changes), value(3, study_instance_uid="2.999.5")).by_study()
    assert {study: each.plain for study, each in found.items()} == {"2.999.1": False, "2.999.5": True}
    assert found["2.999.1"].positions == [0, 1]


@pytest.mark.parametrize("changes", [{"event": "instance.deleted"}, {"uri": "file:x"}, {"source": ""}])
@pytest.mark.parametrize("form", [as_it_is, in_avro])
def test_other_events_are_not_in_the_portion(changes: dict[str, Any], form: Callable[[bytes], bytes]) -> None:
    portion = Portion(record_of)
    assert not portion.add(form(value(1, **changes)))
    assert portion.by_study() == {}


def test_what_cannot_be_read_is_not_in_the_portion() -> None:
    portion = Portion(record_of)
    whole = in_avro(value(1))
    for bad in (b"", b"{", b"\xc3\x01", whole[:-1], whole + b"\0", whole[:2] + b"\0" * 8 + whole[10:]):
        assert not portion.add(bad)
    assert portion.by_study() == {}


def test_series_are_remembered_up_to_a_number_and_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered: dict[Any, Any] = {}
    monkeypatch.setattr(arrivals, "_parts", remembered)
    monkeypatch.setattr(arrivals, "SERIES_REMEMBERED", 2)
    for series in ("2.999.1.1", "2.999.1.2", "2.999.1.3"):
        portion_of(value(1, series_instance_uid=series)).by_study()
    assert [uid for uid, _ in remembered] == ["2.999.1.3"]
    portion_of(value(1, accession_number="A" * 3_000, **OTHER_SERIES)).by_study()
    assert [uid for uid, _ in remembered] == ["2.999.1.3"]
