from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from processors.core.events import Code, Concept, Performer, Region, ReportedItem, SelectionMade, SubsetKind
from processors.core.vocabulary import DCM
from processors.errors import DeadLetterCode, Refused, WarningCode
from processors.wire import event_fields, json_events
from processors.wire.json_text import dump

IMAGE = {"sop_instance_uid": "2.999.1.2.3", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}
PLAIN = ReportedItem("2.999.1", "2.999.1.2", "2.999.1.2.3", "1.2.840.10008.5.1.4.1.1.2")
POINT = {"region_type": "point", "coordinates": [1.0, 2.5]}


def selected(**members: Any) -> SelectionMade:
    selection = {
        "selection_id": "s1",
        "code": {"system": DCM, "code": "113000", "display": "Of Interest"},
        **members,
    }
    event = {
        "event": "selection.made",
        "event_id": "e1",
        "source": "VIEWER",
        "occurred_at": "2024-03-11T09:15:00Z",
        "study_instance_uid": "2.999.1",
        "series_instance_uid": "2.999.1.2",
        "patient_id": "P1",
        "selection": selection,
    }
    made = json_events.to_event(event_fields.decode(dump(event)), b"12345678")
    assert isinstance(made, SelectionMade)
    return made


def refusal(**members: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        selected(**members)
    return refused.value.code, refused.value.tag


def test_a_whole_selection() -> None:
    made = selected(
        text="Nodule",
        issued="2024-03-11T10:15:00.5+01:00",
        performer={
            "type": "Device",
            "identifier": {"system": "urn:dicom:uid", "value": "urn:oid:2.999"},
            "display": "AI",
        },
        frame_of_reference_uid="2.999.9",
        instances=[
            {**IMAGE, "frames": [10, "2", 2.0], "regions_2d": [POINT]},
            {**IMAGE, "regions_3d": [{"region_type": "point", "coordinates": [1, 2, -3.25]}]},
        ],
    )
    assert (made.selection_id, made.code) == ("s1", Concept(Code(DCM, "113000", "Of Interest"), "Nodule"))
    assert made.issued == "2024-03-11T10:15:00.5+01:00"
    assert made.performers == (Performer("PRF", "Device", "AI", "urn:dicom:uid", "urn:oid:2.999"),)
    assert (made.frame_of_reference_uid, made.header.patient_id, made.warnings) == ("2.999.9", "P1", ())
    assert made.items == (
        PLAIN._replace(
            subset_kind=SubsetKind.FRAMES, subset=("2", "10"), regions_2d=(Region("point", (1, 2.5)),)
        ),
        PLAIN._replace(regions_3d=(Region("point", (1, 2, -3.25)),)),
    )
    assert type(made.items[0].regions_2d[0].coordinates[0]) is int


def test_without_instances_the_series_is_meant() -> None:
    assert selected().items == selected(instances=[]).items == ()


@pytest.mark.parametrize(
    ("code", "text", "concept", "warnings"),
    [
        ({"system": "DCM", "code": "113000"}, None, Concept(Code(DCM, "113000")), ()),
        (None, "Nodule", Concept(None, "Nodule"), ()),
        (
            {"code": "X", "display": "Meaning"},
            None,
            Concept(None, "Meaning"),
            (WarningCode.CODE_WITHOUT_SCHEME,),
        ),
        ({"system": "99LOCAL", "code": "X"}, None, Concept(None, "X"), (WarningCode.CODE_UNMAPPED,)),
    ],
)
def test_a_code_has_a_system_or_is_text(
    code: Any, text: str | None, concept: Concept, warnings: tuple[str, ...]
) -> None:
    made = selected(code=code, text=text)
    assert (made.code, made.warnings) == (concept, warnings)


@pytest.mark.parametrize(
    ("members", "tag"),
    [
        ({"code": None}, "selection.code"),
        ({"code": {}, "text": " "}, "selection.code"),
        ({"code": "113000"}, "selection.code"),
        ({"selection_id": ""}, "selection.selection_id"),
        ({"selection_id": 5}, "selection.selection_id"),
        ({"instances": {}}, "selection.instances"),
    ],
)
def test_what_a_selection_needs(members: dict[str, Any], tag: str) -> None:
    assert refusal(**members) == (DeadLetterCode.UNDECODABLE_RECORD, tag)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"frames": [0]}, DeadLetterCode.FRAME_OUT_OF_RANGE),
        ({"frames": [1, -1]}, DeadLetterCode.FRAME_OUT_OF_RANGE),
        ({"frames": [1.5]}, DeadLetterCode.FRAME_OUT_OF_RANGE),
        ({"frames": ["x"]}, DeadLetterCode.FRAME_OUT_OF_RANGE),
        ({"segments": [0]}, DeadLetterCode.FRAME_OUT_OF_RANGE),
        ({"frames": 1}, DeadLetterCode.NO_USABLE_REFERENCE),
        ({"frames": [1], "segments": [1]}, DeadLetterCode.NO_USABLE_REFERENCE),
        ({"content_items": ["1.5.x"]}, DeadLetterCode.NO_USABLE_REFERENCE),
        ({"sop_instance_uid": ""}, DeadLetterCode.NO_USABLE_REFERENCE),
    ],
)
def test_an_unusable_instance_is_left_out_never_widened(
    members: dict[str, Any], code: DeadLetterCode
) -> None:
    bad = {**IMAGE, **members}
    assert refusal(instances=[bad]) == (code, "selection.instances")
    made = selected(instances=[bad, IMAGE])
    assert (made.items, made.warnings) == ((PLAIN,), (WarningCode.REFERENCE_MISSING,))


@pytest.mark.parametrize(
    ("members", "kind", "subset"),
    [
        ({"segments": [2, 1, 1]}, SubsetKind.SEGMENTS, ("1", "2")),
        ({"rois": [0, "07"]}, SubsetKind.ROIS, ("0", "7")),
        ({"content_items": ["2.999.7", "2.999.6"]}, SubsetKind.CONTENT_ITEMS, ("2.999.6", "2.999.7")),
        ({"frames": []}, SubsetKind.NONE, ()),
    ],
)
def test_subsets(members: dict[str, Any], kind: SubsetKind, subset: tuple[str, ...]) -> None:
    assert selected(instances=[{**IMAGE, **members}]).items == (
        PLAIN._replace(subset_kind=kind, subset=subset),
    )


@pytest.mark.parametrize(
    "region",
    [
        None,
        "point",
        {"region_type": "multipoint", "coordinates": [1, 2, 3]},
        {"region_type": "polyline", "coordinates": [1, 2, 3]},
        {"region_type": "circle", "coordinates": [1, 2]},
        {"region_type": "point", "coordinates": ["1", "2"]},
        {"region_type": "point", "coordinates": [True, 2]},
        {"region_type": "point", "coordinates": [10**400, 2]},
        {"coordinates": [1, 2]},
    ],
)
def test_a_bad_region_is_dropped_alone(region: Any) -> None:
    made = selected(instances=[{**IMAGE, "regions_2d": [region, POINT]}])
    assert made.items[0].regions_2d == (Region("point", (1, 2.5)),)
    assert made.warnings == (WarningCode.REGION_DROPPED,)


@pytest.mark.parametrize(
    "issued", ["2024-03-11T09:15:00", "2024-03-11", "2024-02-30T00:00:00Z", "2024-03-11T09:15:00+14:30", 5]
)
def test_issued_is_an_instant_or_dropped(issued: Any) -> None:
    made = selected(issued=issued)
    assert (made.issued, made.warnings) == ("", (WarningCode.TIMESTAMP_UNUSABLE,))


def test_issued_keeps_its_offset_and_microseconds() -> None:
    assert selected(issued="2024-03-11t09:15:00.123456789z").issued == "2024-03-11T09:15:00.123456Z"


@pytest.mark.parametrize(
    "performer",
    ["me", {"type": "Robot", "display": "R"}, {"type": ["x"]}, {"type": "Device"}, {"display": "x"}],
)
def test_a_bad_performer_is_dropped(performer: Any) -> None:
    made = selected(performer=[performer, {"type": "Practitioner", "identifier": "X1"}])
    assert made.performers == (Performer("PRF", "Practitioner", "", "", "X1"),)
    assert made.warnings == (WarningCode.BAD_VR,)


ODD: list[Any] = [None, True, -1, 10**400, 1.5, "", "x", [], [[]], ["x"], {}, [{}]]
WHOLE: dict[str, Any] = {
    "selection_id": "s1",
    "code": {"system": DCM, "code": "113000", "display": "Of Interest"},
    "text": "Nodule",
    "issued": "2024-03-11T09:15:00Z",
    "performer": [{"type": "Device", "identifier": {"system": "urn:x", "value": "1"}, "display": "AI"}],
    "frame_of_reference_uid": "2.999.9",
    "instances": [
        {**IMAGE, "frames": [1], "regions_2d": [POINT], "regions_3d": [POINT]},
        {**IMAGE, "rois": [1]},
    ],
}


def replaced(value: Any, odd: Any) -> Iterator[Any]:
    """`value` with `odd` in place of each part of it, one at a time."""
    yield odd
    if isinstance(value, dict):
        for name, part in value.items():
            yield from ({**value, name: other} for other in replaced(part, odd))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from ([*value[:place], other, *value[place + 1 :]] for other in replaced(part, odd))


def test_any_value_in_any_place_is_read_or_refused() -> None:
    read = 0
    for members in (changed for odd in ODD for changed in replaced(WHOLE, odd) if isinstance(changed, dict)):
        with suppress(Refused):
            read += bool(selected(**members).selection_id)
    assert read > 100
