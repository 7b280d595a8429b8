"""Arrivals in columns say what they say one by one, and what is odd is left to that way."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from processors.wire import arrivals, event_fields, json_events
from processors.wire.arrivals import DIGEST_SIZE, Portion
from processors.wire.json_text import dump
from tests.unit.wire.test_json_events import FULL

PLAIN = {name: value for name, value in FULL.items() if name != "number_of_series_related_instances"}
OTHER_SERIES = {"series_instance_uid": "2.999.1.7"}


def value(number: int = 1, **changes: Any) -> bytes:
    own = {"sop_instance_uid": f"2.999.1.2.{number}", "event_id": f"e-{number}", "instance_number": number}
    return dump({**PLAIN, **own, **changes})


def portion_of(*values: bytes) -> Portion:
    portion = Portion()
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
def test_a_run_is_its_events(changes: dict[str, Any]) -> None:
    values = [value(1), value(2, **changes), value(30)]
    portion = portion_of(*values)
    [(study, found)] = portion.by_study().items()
    assert (study, found.plain, found.positions) == ("2.999.1", True, [0, 1, 2])
    events = []
    for part, positions in found.parts.items():
        run = portion.run(part, positions)
        assert run is not None
        events += [run.event(n) for n in range(len(positions))]
    read = [json_events.to_event(event_fields.decode(v), sha256(v).digest()[:DIGEST_SIZE]) for v in values]
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
def test_other_events_are_not_in_the_portion(changes: dict[str, Any]) -> None:
    portion = Portion()
    assert not portion.add(value(1, **changes))
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
