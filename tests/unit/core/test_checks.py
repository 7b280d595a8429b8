"""One bad case for every rule, so that a typo cannot turn a checker off unseen."""

from __future__ import annotations

from typing import Any

import pytest

from processors.core.checks import check
from processors.core.events import Code, Concept, Performer, Region, SubsetKind
from processors.core.reference import Identifier, ImagingReference, Kind, ReferencedInstance

CT = "1.2.840.10008.5.1.4.1.1.2"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
SR = "1.2.840.10008.5.1.4.1.1.88.34"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
GOOD = ImagingReference(
    id="0b5e0f3e-58c4-5c19-9bd7-0c3a7d1f6a11",
    kind=Kind.KEY_IMAGES,
    study_instance_uid="2.999.7",
    series_instance_uid="2.999.7.1",
    code=Concept(Code("http://dicom.nema.org/resources/ontology/DCM", "113000", "Of Interest"), "node"),
    instances=(ReferencedInstance("2.999.7.1.1", CT, 1), ReferencedInstance("2.999.7.1.2", CT)),
    document_uid="2.999.7.9",
    subject=Identifier("urn:oid:2.999.3", "A"),
    issued="2025-05-06T07:08:09.5-03:00",
    performers=(Performer("PRF", "Practitioner", "Ada"),),
    based_on=(Identifier("", "B", "Ward"),),
    category=(Concept(None, "KO"),),
    series_number=0,
    frame_of_reference_uid="2.999.7.5",
    body_site=Concept(Code("http://snomed.info/sct", "39607008"), "LUNG"),
    focus=("f1", "f2"),
    endpoints=("Endpoint/pacs",),
    description="near the\nhilum",
    content_item_path="1.5.1",
)


def spoiled(**changes: Any) -> list[str]:
    return check(GOOD._replace(**changes))


def with_instance(**changes: Any) -> list[str]:
    return spoiled(instances=(ReferencedInstance("2.999.7.1.1", CT)._replace(**changes),))


def with_2d(region_type: str, *numbers: float, **changes: Any) -> list[str]:
    return with_instance(regions_2d=(Region(region_type, numbers),), **changes)


def with_3d(region_type: str, *numbers: float, **changes: Any) -> list[str]:
    return with_instance(regions_3d=(Region(region_type, numbers),), **changes)


def test_a_sound_reference_breaks_no_rule() -> None:
    assert check(GOOD) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"issued": ""},
        {"issued": "2025-05-06T07:08:09Z"},
        {"instances": (), "kind": Kind.SERIES},
        {"series_instance_uid": "2.999.007"},
        {"code": Concept(Code("", "X1", "Of interest"))},
        {"endpoints": ("https://pacs.example/fhir/Endpoint/1",)},
        {"frame_of_reference_uid": ""},
    ],
)
def test_what_is_allowed(changes: dict[str, Any]) -> None:
    assert spoiled(**changes) == []


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"id": "a" * 65}, "id"),
        ({"id": "series|1"}, "id"),
        ({"id": ""}, "id"),
        ({"study_instance_uid": ""}, "studyUid"),
        ({"study_instance_uid": "1.2." + "3" * 61}, "studyUid"),
        ({"series_instance_uid": "1..2"}, "seriesUid"),
        ({"series_instance_uid": "1.2.\u0663"}, "seriesUid"),
        ({"frame_of_reference_uid": "1.2."}, "frameOfReferenceUid"),
        ({"document_uid": "1.2\n"}, "identifier"),
        ({"issued": "2025-05-06T07:08:09"}, "issued"),
        ({"issued": "2025-05-06T07:08Z"}, "issued"),
        ({"issued": "2025-02-30T07:08:09Z"}, "issued"),
        ({"series_number": -1}, "seriesNumber"),
        ({"series_number": 2**31}, "seriesNumber"),
        ({"content_item_path": "1.0.2"}, "extension"),
        ({"description": "\x1b[0m"}, "extension"),
        ({"description": " \n"}, "extension"),
        ({"withdrawn": "lost"}, "meta.tag"),
        ({"subject": Identifier("urn:oid:2.999.3", "")}, "subject"),
        ({"subject": Identifier("hospital", "A")}, "subject"),
        ({"subject": Identifier("", "A", " ")}, "subject"),
        ({"performers": (Performer("AUT", "Practitioner", "Ada"),)}, "performer"),
        ({"performers": (Performer("PRF", "Location", "Ada"),)}, "performer"),
        ({"performers": (Performer("PRF", "Device"),)}, "performer"),
        ({"performers": (Performer("PRF", "Device", " "),)}, "performer"),
        ({"performers": (Performer("PRF", "Device", "Ada", "urn:dicom:uid"),)}, "performer"),
        ({"based_on": (Identifier("", " "),)}, "basedOn"),
        ({"category": (Concept(),)}, "category"),
        ({"code": Concept()}, "code"),
        ({"code": Concept(Code("DCM", "113000"))}, "code"),
        ({"code": Concept(Code("urn:oid:2.999", "113000 "))}, "code"),
        ({"code": Concept(Code("urn:oid:2.999", ""))}, "code"),
        ({"code": Concept(Code("urn:oid:2.999", "1", " "))}, "code"),
        ({"code": Concept(None, "\ud800")}, "code"),
        ({"body_site": Concept(None, " ")}, "bodySite"),
        ({"focus": ("f1", "f1")}, "focus"),
        ({"focus": ("f/1",)}, "focus"),
        ({"focus": (GOOD.id,)}, "focus"),
        ({"endpoints": ("pacs",)}, "endpoint"),
        ({"instances": ()}, "instance"),
        ({"instances": GOOD.instances[:1] * 2}, "instance"),
        (
            {
                "kind": Kind.SERIES,
                "instances": (
                    ReferencedInstance("1.2", subset_kind=SubsetKind.FRAMES, subset=("1",)),
                    ReferencedInstance("1.2"),
                ),
            },
            "instance",
        ),
    ],
)
def test_a_broken_head_is_named(changes: dict[str, Any], element: str) -> None:
    (problem,) = spoiled(**changes)
    assert problem.startswith(f"{element}: ")


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"sop_instance_uid": ""}, "instance.uid"),
        ({"sop_class_uid": "CT"}, "instance.sopClass"),
        ({"number": -1}, "instance.number"),
        ({"number": 2**31}, "instance.number"),
        ({"subset_kind": SubsetKind.FRAMES}, "instance.subset"),
        ({"subset": ("1",)}, "instance.subset"),
        ({"subset_kind": SubsetKind.FRAMES, "subset": ("1", "1")}, "instance.subset"),
        ({"subset_kind": SubsetKind.FRAMES, "subset": ("10", "9")}, "instance.subset"),
        ({"subset_kind": SubsetKind.FRAMES, "subset": ("01",)}, "instance.subset"),
        ({"subset_kind": SubsetKind.FRAMES, "subset": ("0",)}, "instance.subset"),
        (
            {"subset_kind": SubsetKind.CONTENT_ITEMS, "subset": ("x",), "sop_class_uid": SR},
            "instance.subset",
        ),
        ({"subset_kind": SubsetKind.FRAMES, "subset": ("1",), "sop_class_uid": SEG}, "instance.subset"),
        ({"subset_kind": SubsetKind.FRAMES, "subset": ("1",), "sop_class_uid": RTSTRUCT}, "instance.subset"),
        ({"subset_kind": SubsetKind.SEGMENTS, "subset": ("1",), "sop_class_uid": SR}, "instance.subset"),
        ({"subset_kind": SubsetKind.SEGMENTS, "subset": ("1",)}, "instance.subset"),
        ({"subset_kind": SubsetKind.ROIS, "subset": ("1",)}, "instance.subset"),
        ({"subset_kind": SubsetKind.CONTENT_ITEMS, "subset": ("1.2",)}, "instance.subset"),
        ({"waveform_channels": ("0\\1",)}, "instance.extension"),
        ({"waveform_channels": ("1\\1", "1\\1")}, "instance.extension"),
        ({"segmentation_frames": ("1",)}, "instance.extension"),
        ({"segmentation_frames": ("2", "1"), "sop_class_uid": SEG}, "instance.extension"),
        ({"segmentation_frames": ("0", "1"), "sop_class_uid": SEG}, "instance.extension"),
        ({"segmentation_frames": ("x",), "sop_class_uid": SEG}, "instance.extension"),
        ({"matrix_regions": (Region("point", (1, 2)),), "sop_class_uid": SR}, "instance.extension"),
        ({"matrix_regions": (Region("circle", (1, 2)),)}, "instance.extension"),
    ],
)
def test_a_broken_instance_is_named(changes: dict[str, Any], element: str) -> None:
    (problem,) = with_instance(**changes)
    assert problem.startswith(f"{element}: ")


def test_subsets_of_each_kind() -> None:
    for sop_class, kind, subset in (
        (CT, SubsetKind.FRAMES, ("2", "10")),
        (SEG, SubsetKind.SEGMENTS, ("1",)),
        (RTSTRUCT, SubsetKind.ROIS, ("0", "3")),
        (SR, SubsetKind.CONTENT_ITEMS, ("2.999.1.2", "2.999.1.10")),
        ("", SubsetKind.SEGMENTS, ("1",)),
        ("2.999.1.1", SubsetKind.ROIS, ("1",)),
    ):
        assert with_instance(sop_class_uid=sop_class, subset_kind=kind, subset=subset) == []


SQUARE = (0, 0, 5, 9, 0, 5, 9, 9, 5)


@pytest.mark.parametrize(
    ("region_type", "numbers"),
    [
        ("point", (1, 2)),
        ("multipoint", (1, 2, 3, 4)),
        ("polyline", (1, 2, 3, 4)),
        ("interpolated", (1, 2, 3, 4, 1, 2)),
        ("circle", (1, 2, 3.5, 4)),
        ("ellipse", (1, 2, 3, 4, 5, 6, 7, 8)),
    ],
)
def test_every_2d_type(region_type: str, numbers: tuple[float, ...]) -> None:
    assert with_2d(region_type, *numbers) == []


@pytest.mark.parametrize(
    ("region_type", "numbers"),
    [
        ("multipoint", (1, 2, 3)),
        ("POINT", (1, 2)),
        ("point", ()),
        ("point", (1, 2, 3)),
        ("point", (1, 2, 3, 4)),
        ("polyline", (1, 2)),
        ("polyline", (1, 2, 3, 4, 5)),
        ("interpolated", (1, 2)),
        ("circle", (1, 2, 3, 4, 5, 6)),
        ("ellipse", (1, 2, 3, 4)),
        ("point", (1, float("nan"))),
        ("point", (1, float("inf"))),
    ],
)
def test_a_broken_2d_region(region_type: str, numbers: tuple[float, ...]) -> None:
    (problem,) = with_2d(region_type, *numbers)
    assert problem.startswith("instance.imageRegion2D: ")


@pytest.mark.parametrize("sop_class", [SR, RTSTRUCT, "1.2.840.10008.5.1.4.1.1.11.1"])
def test_a_2d_region_needs_an_image(sop_class: str) -> None:
    assert with_2d("point", 1, 2, sop_class_uid=sop_class) == ["instance.imageRegion2D: only on an image"]


@pytest.mark.parametrize(
    ("region_type", "numbers"),
    [
        ("point", (1, 2, 3)),
        ("multipoint", (1, 2, 3, 4, 5, 6)),
        ("polyline", (1, 2, 3, 4, 5, 6)),
        ("polygon", (*SQUARE, 0, 0, 5)),
        ("polygon", (*SQUARE, 1e-5, 0, 5)),
        ("ellipse", tuple(range(12))),
        ("ellipsoid", tuple(range(18))),
    ],
)
def test_every_3d_type(region_type: str, numbers: tuple[float, ...]) -> None:
    assert with_3d(region_type, *numbers) == []


@pytest.mark.parametrize(
    ("region_type", "numbers"),
    [
        ("circle", (1, 2, 3, 4, 5, 6)),
        ("point", (1, 2)),
        ("point", (1, 2, 3, 4, 5, 6)),
        ("multipoint", ()),
        ("polyline", (1, 2, 3)),
        ("polygon", (0, 0, 5, 9, 0, 5, 0, 0, 5)),
        ("polygon", (*SQUARE, 0, 0.01, 5)),
        ("ellipse", tuple(range(9))),
        ("ellipsoid", tuple(range(12))),
        ("point", (1, 2, float("-inf"))),
    ],
)
def test_a_broken_3d_region(region_type: str, numbers: tuple[float, ...]) -> None:
    (problem,) = with_3d(region_type, *numbers)
    assert problem.startswith("instance.imageRegion3D: ")


def test_a_3d_region_needs_a_frame_of_reference() -> None:
    instance = ReferencedInstance("2.999.7.8", SR, regions_3d=(Region("point", (1, 2, 3)),))
    problems = spoiled(frame_of_reference_uid="", instances=(instance,))
    assert problems == ["instance.imageRegion3D: requires frameOfReferenceUid"]


def test_a_rule_is_named_once_and_without_values() -> None:
    bad = tuple(ReferencedInstance(f"Secret^{n}", CT) for n in range(100))
    (problem,) = spoiled(instances=bad)
    assert "Secret" not in problem
