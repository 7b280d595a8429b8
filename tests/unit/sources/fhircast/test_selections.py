"""What is shared in a session → a selection that the processor takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.core.events import SelectionMade
from processors.errors import Refused
from processors.pipeline.building import decoder_of
from processors.pipeline.records import Record
from processors.settings import Settings
from processors.sources.fhircast.selections import Unusable, made_of

Json = dict[str, Any]
CT, SEG = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.66.4"


def selection(**more: Any) -> Json:
    """As in the example of IRA's ImagingSelectionContent, with more."""
    return {
        "resourceType": "ImagingSelection",
        "id": "18735123",
        "status": "unknown",
        "subject": {"reference": "Patient/p1"},
        "issued": "2026-03-01T09:10:00+01:00",
        "derivedFrom": [{"reference": "ImagingStudy/s1"}],
        "performer": [
            {
                "actor": {
                    "reference": "Practitioner/7",
                    "display": "Reader",
                    "identifier": {"system": "urn:x", "value": "7"},
                }
            }
        ],
        "code": {
            "coding": [{"system": "http://x", "code": "128195", "display": "For Diagnosis"}],
            "text": "why",
        },
        "studyUid": "2.999.1",
        "seriesUid": "2.999.1.2",
        "frameOfReferenceUid": "2.999.1.9",
        "instance": [
            {
                "uid": "2.999.1.2.1",
                "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{CT}"},
                "imageRegion2D": [{"regionType": "polyline", "coordinate": [0.25, 0.25, 0.75, 0.75]}],
                "imageRegion3D": [{"regionType": "point", "coordinate": [1, 2, 3]}],
            }
        ],
    } | more


def event(resource: Json, studies: dict[str, str] | None = None) -> SelectionMade:
    """As the processor reads what the source would send."""
    (made,) = made_of(resource, studies or {})
    said = {
        "event": "selection.made",
        "event_id": "e",
        "source": "fhircast",
        "occurred_at": "2026-03-01T09:10:00Z",
        "study_instance_uid": made.study_instance_uid,
        "series_instance_uid": made.series_instance_uid,
        "selection": made.selection,
    }
    found = decoder_of(Settings()).decode(Record("", 0, 0, 0, None, json.dumps(said).encode()), 0)
    assert isinstance(found, SelectionMade)
    return found


def test_nothing_is_lost_of_an_imaging_selection() -> None:
    found = event(selection())
    assert found.selection_id == "18735123"
    assert (found.study_instance_uid, found.series_instance_uid) == ("2.999.1", "2.999.1.2")
    assert found.code.coding is not None
    assert (found.code.coding.system, found.code.coding.code, found.code.text) == (
        "http://x",
        "128195",
        "why",
    )
    assert found.issued == "2026-03-01T09:10:00+01:00"
    (performer,) = found.performers
    assert (performer.actor_type, performer.display, performer.identifier_value) == (
        "Practitioner",
        "Reader",
        "7",
    )
    assert found.frame_of_reference_uid == "2.999.1.9"
    (item,) = found.items
    assert (item.sop_instance_uid, item.sop_class_uid) == ("2.999.1.2.1", CT)
    assert [each.coordinates for each in item.regions_2d] == [(0.25, 0.25, 0.75, 0.75)]
    assert [each.region_type for each in item.regions_3d] == ["point"]
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("sop_class", "kind"),
    [
        (CT, "frames"),
        (SEG, "segments"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "rois"),
    ],
)
def test_the_sop_class_says_what_a_subset_is_of(sop_class: str, kind: str) -> None:
    instance = {"uid": "2.999.1.2.1", "sopClass": {"code": f"urn:oid:{sop_class}"}, "subset": ["2", "3"]}
    (item,) = event(selection(instance=[instance])).items
    assert (item.subset_kind, item.subset) == (kind, ("2", "3"))


def test_the_study_may_be_said_in_three_ways() -> None:
    without = selection()
    del without["studyUid"]
    identified = {"identifier": {"system": "urn:dicom:uid", "value": "urn:oid:2.999.5"}}
    assert event(without | {"derivedFrom": [identified]}).study_instance_uid == "2.999.5"
    assert event(without, {"s1": "2.999.6"}).study_instance_uid == "2.999.6"
    with pytest.raises(Unusable, match="without_series"):
        made_of(without, {})


def test_a_selection_without_instances_means_its_series() -> None:
    assert event(selection(instance=[])).items == ()


@pytest.mark.parametrize(
    "broken",
    [
        {"instance": [{"sopClass": {"code": CT}}]},
        {"instance": ["2.999"]},
        {"instance": [{"uid": "2.999", "imageRegion2D": [{"coordinate": ["Doe^Jane"]}]}]},
        {"seriesUid": ["2.999.1.2"]},
    ],
)
def test_what_fhir_does_not_know_is_unusable_and_says_no_value(broken: Json) -> None:
    with pytest.raises(Unusable) as unusable:
        made_of(selection(**broken), {})
    assert str(unusable.value) in ("not_as_fhir_has_it", "without_series")


def test_a_study_is_a_selection_of_each_of_its_series() -> None:
    study = {
        "resourceType": "ImagingStudy",
        "id": "prior",
        "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:2.999.7"}],
        "series": [
            {"uid": "2.999.7.1", "instance": [{"uid": "2.999.7.1.1", "sopClass": {"code": f"urn:oid:{CT}"}}]},
            {"uid": "2.999.7.2"},
            {"modality": "CT"},
        ],
    }
    made = made_of(study, {})
    assert [(each.study_instance_uid, each.series_instance_uid) for each in made] == [
        ("2.999.7", "2.999.7.1"),
        ("2.999.7", "2.999.7.2"),
    ]
    assert made[0].selection["instances"] == [{"sop_instance_uid": "2.999.7.1.1", "sop_class_uid": CT}]
    assert "instances" not in made[1].selection
    with pytest.raises(Unusable, match="without_series"):
        made_of(study | {"series": []}, {})


_NAMES = [
    "uid",
    "sopClass",
    "code",
    "coding",
    "system",
    "display",
    "actor",
    "identifier",
    "value",
    "reference",
]
_NAMES += ["regionType", "coordinate", "imageRegion2D", "subset", "instance", "resourceType", "url"]
_LEAVES: list[Any] = [
    None,
    True,
    -1,
    1.5,
    10**400,
    "",
    "2.999.1",
    f"urn:oid:{CT}",
    "urn:dicom:uid",
    "Doe^Jane",
    [],
    {},
]
_json = st.recursive(
    st.sampled_from(_LEAVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=3),
    max_leaves=8,
)
_ELEMENTS = sorted([*selection(), "series", "identifier", "meta"])


@given(st.dictionaries(st.sampled_from(_ELEMENTS), _json, max_size=6), st.booleans())
def test_whatever_is_shared_is_read_or_unusable(broken: Json, study: bool) -> None:
    resource = selection(**broken) | ({"resourceType": "ImagingStudy"} if study else {})
    try:
        made = made_of(resource, {})
    except Unusable:
        return
    assert all(each.study_instance_uid and each.series_instance_uid for each in made)
    json.dumps([each.selection for each in made])


@given(
    st.lists(
        st.fixed_dictionaries(
            {"uid": st.from_regex(r"2\.999\.[1-9][0-9]{0,5}", fullmatch=True)},
            optional={"subset": st.lists(st.integers(1, 9).map(str), min_size=1, max_size=3)},
        ),
        max_size=4,
    )
)
def test_every_instance_comes_through(instances: list[Json]) -> None:
    """What is narrowed stays so, and nothing is added."""
    try:
        found = event(selection(instance=instances)).items
    except Refused:
        raise AssertionError("a good selection was refused") from None
    expected = {(each["uid"], tuple(sorted(set(each.get("subset", ()))))) for each in instances}
    assert {(item.sop_instance_uid, tuple(sorted(item.subset))) for item in found} == expected
