"""Published references of all releases, back to what they point at."""

from __future__ import annotations

from typing import Any

import pytest

from processors.core.events import Concept, Region, SubsetKind
from processors.core.reference import ImagingReference, Kind, ReferencedInstance
from processors.errors import UsageError
from processors.fhir import r4, r5, r6
from processors.fhir.reading import read_reference

CT, SEG, RTSTRUCT, SR = (f"1.2.840.10008.5.1.4.1.1.{leaf}" for leaf in ("2", "66.4", "481.3", "88.34"))
SQUARE = Region("polygon", (0, 0, 1.5, 4, 0, 1.5, 4, 4, 1.5, 0, 0, 1.5))


def reference(*instances: ReferencedInstance, kind: Kind = Kind.KEY_IMAGES) -> ImagingReference:
    return ImagingReference(
        id="11111111-2222-5333-8444-555555555555",
        kind=kind,
        study_instance_uid="2.999.1",
        series_instance_uid="2.999.1.2",
        code=Concept(text="x"),
        instances=instances,
        document_uid="2.999.1.200.1",
        frame_of_reference_uid="2.999.1.9",
        focus=("daff3679-6ab1-5d23-a29d-7f3dfdc7b0a1",),
        content_item_path="1.5.1" if kind is Kind.SOURCE_ITEM else "",
    )


INSTANCES = {
    "frames with regions": ReferencedInstance(
        "2.999.1.2.1",
        CT,
        7,
        SubsetKind.FRAMES,
        ("2", "5"),
        (Region("circle", (10.5, 20, 30, 20)), Region("point", (1, 2))),
    ),
    "a segment": ReferencedInstance("2.999.1.2.1", SEG, 1, SubsetKind.SEGMENTS, ("3",)),
    "a region of interest": ReferencedInstance("2.999.1.2.1", RTSTRUCT, None, SubsetKind.ROIS, ("5",)),
    "an instance": ReferencedInstance("2.999.1.2.1"),
    "regions of a whole slide": ReferencedInstance(
        "2.999.1.2.1",
        "1.2.840.10008.5.1.4.1.1.77.1.6",
        matrix_regions=(Region("point", (70000, 2.5)), Region("polyline", (1, 2, 3, 4))),
    ),
}


@pytest.mark.parametrize("instance", INSTANCES.values(), ids=INSTANCES)
@pytest.mark.parametrize(
    "release",
    [r5.render, r6.render, r4.render, lambda said: r4.render(said, r4.PACKAGES[1])],
    ids=["R5", "R6", "R4", "R4 nested"],
)
def test_what_was_written_is_read(release: Any, instance: ReferencedInstance) -> None:
    read = read_reference(release(reference(instance)))
    assert read.instances == (instance,)
    assert read[:6] == (
        "11111111-2222-5333-8444-555555555555",
        "available",
        "2.999.1",
        "2.999.1.2",
        "2.999.1.9",
        "2.999.1.200.1",
    )
    assert read.focus == ("daff3679-6ab1-5d23-a29d-7f3dfdc7b0a1",)


def test_regions_in_space_hang_on_the_instance_or_in_r6_on_nothing() -> None:
    said = reference(ReferencedInstance("2.999.1.2.1", RTSTRUCT, regions_3d=(SQUARE,)))
    assert read_reference(r5.render(said)).instances[0].regions_3d == (SQUARE,)
    read = read_reference(r6.render(said))
    assert (read.instances[0].regions_3d, read.regions_3d) == ((), (SQUARE,))


@pytest.mark.parametrize("release", [r4.render, r5.render, r6.render])
def test_the_place_of_a_content_item_is_read(release: Any) -> None:
    said = reference(ReferencedInstance("2.999.1.2.1", SR), kind=Kind.SOURCE_ITEM)
    assert read_reference(release(said)).content_item_path == "1.5.1"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (7, "no FHIR ImagingSelection"),
        ({"resourceType": "Patient"}, "no FHIR ImagingSelection"),
        ({"resourceType": "ImagingSelection", "instance": ["x"]}, "instance is not made of objects"),
        ({"resourceType": "ImagingSelection", "instance": [{"number": 1}]}, "without uid"),
        ({"resourceType": "ImagingSelection", "studyUid": {"a": 1}}, "studyUid is not"),
        (
            {
                "resourceType": "ImagingSelection",
                "instance": [
                    {"uid": "1", "imageRegion2D": [{"regionType": "point", "coordinate": ["secret"]}]}
                ],
            },
            "imageRegion2D.coordinate is not a list of numbers",
        ),
        (
            {"resourceType": "ImagingSelection", "imageRegion3D": [{"coordinate": [10**400]}]},
            "imageRegion3D.coordinate is not a list of numbers",
        ),
    ],
)
def test_what_is_no_reference_is_told_by_element(content: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        read_reference(content)
    assert "secret" not in str(refused.value)
