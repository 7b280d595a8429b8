"""The DICOM JSON model (PS3.18 F), as senders write it."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread

from processors.core.events import DocumentArrived, InstanceArrived, Stamp
from processors.dicom import ReadingPolicy, event_of_json, event_of_object
from processors.dicom.json_model import canonical_bytes, read_json
from processors.errors import DeadLetterCode, Refused
from tests.builders.images import ct, encoded
from tests.builders.key_objects import frame_selection

STAMP = Stamp(0, False, "PACS", "e1", b"")


def model(**changes: Any) -> dict[str, Any]:
    """A CT image, with members replaced (`t00100010={"vr": …}`) or left out (None)."""
    members: dict[str, Any] = ct(1).to_json_dict()
    for name, member in changes.items():
        members[name[1:]] = member
    return {name: member for name, member in members.items() if member is not None}


def arrived(members: dict[str, Any]) -> InstanceArrived:
    event = event_of_json(members, STAMP, ReadingPolicy(), dated=True)
    assert isinstance(event, InstanceArrived)
    return event


@pytest.mark.parametrize(
    "name",
    [
        {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
        {"vr": "PN", "Value": ["Doe^Jane"]},
        {"vr": "PN", "Value": ["A^B", "C^D"]},
        {"vr": "PN", "Value": [{}]},
        {"vr": "PN"},
        {"vr": "PN", "Value": [None]},
        {"vr": "PN", "Value": {"Alphabetic": "Doe^Jane"}},
        {"Value": [7]},
        {},
        "Doe^Jane",
    ],
)
def test_a_name_in_any_form_changes_nothing(name: object) -> None:
    assert arrived(model(t00100010=name)) == arrived(model())


def test_the_same_object_as_bytes_and_as_json_gives_the_same_event() -> None:
    assert arrived(model()) == event_of_object(encoded(ct(1)), STAMP, ReadingPolicy(), dated=True)
    data = encoded(frame_selection())
    read = event_of_json(dcmread(BytesIO(data)).to_json_dict(), STAMP, ReadingPolicy(), dated=True)
    expected = event_of_object(data, STAMP, ReadingPolicy(), dated=True)
    assert isinstance(read, DocumentArrived)
    assert isinstance(expected, DocumentArrived)
    assert read.document._replace(content_digest=b"") == expected.document._replace(content_digest=b"")


@pytest.mark.parametrize("padded", ["2.999.1.2\u0000", " 2.999.1.2", "2.999.1.2 "])
def test_padding_is_no_part_of_a_uid(padded: str) -> None:
    event = arrived(model(t0020000E={"vr": "UI", "Value": [padded]}))
    assert event.series_instance_uid == "2.999.1.2"
    assert event.warnings == ("uid_padding_stripped",)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(2, 2), (2.0, 2), ("2", 2), (1.5, None), (True, None), (10**30, None), ([2], None)],
)
def test_numbers(number: object, expected: int | None) -> None:
    event = arrived(model(t00200011={"vr": "IS", "Value": [number]}))
    assert event.header.series_number == expected
    assert bool(event.warnings) == (expected is None)


def test_lone_surrogates_do_not_get_through() -> None:
    event = arrived(model(t00180015={"vr": "CS", "Value": ["CH\ud800EST"]}))
    event.header.body_part_examined.encode("utf-8")
    assert event.warnings == ("text_undecodable",)


def test_the_character_set_of_the_original_is_not_that_of_the_json() -> None:
    members = model(t00080005={"vr": "CS", "Value": ["ISO_IR 100"]}, t00100020={"vr": "LO", "Value": ["Ж"]})
    assert arrived(members).header.patient_id == "Ж"


@pytest.mark.parametrize("value", [None, [], [""], [None], [[]], "", {}])
def test_identity_is_required(value: object) -> None:
    with pytest.raises(Refused) as refused:
        arrived(model(t0020000D={"vr": "UI", "Value": value}))
    assert (refused.value.code, refused.value.tag) == (DeadLetterCode.MISSING_UID, "(0020,000D)")


def test_nesting_is_bounded() -> None:
    nested: dict[str, Any] = {}
    for _ in range(400):
        nested = {"0040A730": {"vr": "SQ", "Value": [nested]}}
    with pytest.raises(Refused) as refused:
        read_json(nested)
    assert refused.value.code == DeadLetterCode.NESTING_TOO_DEEP
    with pytest.raises(Refused):
        canonical_bytes({"not an element": json.loads("[" * 900 + "]" * 900)} | _deep(3000))


def _deep(levels: int) -> dict[str, Any]:
    deep: list[Any] = []
    for _ in range(levels):
        deep = [deep]
    return {"deep": deep}
