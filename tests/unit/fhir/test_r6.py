"""ImagingReference → R6 preview: what differs from R5, and that everything else is R5's."""

from __future__ import annotations

from typing import Any

import pytest

from processors.core.events import Region, SubsetKind
from processors.core.reference import ImagingReference, Kind, ReferencedInstance, WithdrawalReason
from processors.fhir import r5, r6
from tests.builders.references import LEAST, MOST, US

OWN = "https://imaging-reference.example/fhir/StructureDefinition"
SR = "1.2.840.10008.5.1.4.1.1.88.34"


def instance_of(*fields: Any, **more: Any) -> dict[str, Any]:
    """The one instance of a reference to it, less what names it."""
    reference = LEAST._replace(kind=Kind.PLAIN, instances=(ReferencedInstance("1.2", *fields, **more),))
    (instance,) = r6.render(reference)["instance"]
    assert instance.pop("uid") == "1.2"
    found: dict[str, Any] = instance
    return found


def test_the_rest_is_r5_s_in_r5_s_order() -> None:
    before, after = r5.render(MOST), r6.render(MOST)
    differ = {"status", "derivedFrom", "bodySite", "instance"}
    assert list(after) == [*before, "imageRegion3D"]
    assert {k: v for k, v in after.items() if k in before.keys() - differ} == {
        k: v for k, v in before.items() if k not in differ
    }
    assert after["derivedFrom"] == before["derivedFrom"][0]
    assert after["bodySite"] == [before["bodySite"]]
    assert "bodySite" not in r6.render(LEAST)
    assert "instance" not in r6.render(LEAST)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (None, "available"),
        (WithdrawalReason.PATIENT_SAFETY, "entered-in-error"),
        (WithdrawalReason.WRONG_WORKLIST_ENTRY, "entered-in-error"),
        (WithdrawalReason.QUALITY, "inactive"),
        (WithdrawalReason.SUPERSEDED, "inactive"),
        (WithdrawalReason.DELETED, "inactive"),
        (WithdrawalReason.RETENTION_EXPIRED, "inactive"),
        (WithdrawalReason.WITHDRAWN, "inactive"),
        (WithdrawalReason.INVALID, "inactive"),
    ],
)
def test_status_knows_what_is_no_longer_valid(reason: WithdrawalReason | None, status: str) -> None:
    content = r6.render(LEAST._replace(withdrawn=reason))
    tags = content.get("meta", {}).get("tag", [])
    assert (content["status"], [tag["code"] for tag in tags]) == (status, [reason] if reason else [])


@pytest.mark.parametrize(
    ("kind", "subset", "elements"),
    [
        (SubsetKind.NONE, (), {}),
        (SubsetKind.FRAMES, ("3", "12"), {"frameNumber": [3, 12]}),
        (SubsetKind.SEGMENTS, ("2",), {"segmentNumber": [2]}),
        (SubsetKind.ROIS, ("7",), {"regionOfInterest": [7]}),
        (
            SubsetKind.ROIS,
            ("0", "7"),
            {
                "extension": [{"url": f"{OWN}/region-of-interest", "valueUnsignedInt": 0}],
                "regionOfInterest": [7],
            },
        ),
        (
            SubsetKind.ROIS,
            ("0",),
            {"extension": [{"url": f"{OWN}/region-of-interest", "valueUnsignedInt": 0}]},
        ),
        (
            SubsetKind.CONTENT_ITEMS,
            ("2.999.88",),
            {"extension": [{"url": f"{OWN}/observation-uid", "valueId": "2.999.88"}]},
        ),
    ],
)
def test_each_kind_of_subset_has_its_element(
    kind: SubsetKind, subset: tuple[str, ...], elements: dict[str, Any]
) -> None:
    assert instance_of(US, 4, kind, subset) == {"number": 4, "sopClass": f"urn:oid:{US}", **elements}


def test_a_source_item_is_named_by_its_position() -> None:
    item = ReferencedInstance("1.2", SR, 1, SubsetKind.CONTENT_ITEMS, ("2.999.88",))
    source = LEAST._replace(kind=Kind.SOURCE_ITEM, content_item_path="1.5.1", instances=(item,))
    content = r6.render(source._replace(description="seen"))
    assert content["instance"] == [
        {
            "uid": "1.2",
            "number": 1,
            "sopClass": f"urn:oid:{SR}",
            "referencedContentItemIdentifier": [1, 5, 1],
        }
    ]
    assert [extension["url"] for extension in content["extension"]] == [r5.ARTIFACT_DESCRIPTION]
    assert "extension" not in r6.render(source)


@pytest.mark.parametrize(
    ("channels", "elements"),
    [
        (("1\\2", "2\\3"), {"waveFormChannel": [1, 2, 2, 3]}),
        (("1\\0",), {"extension": [{"url": f"{OWN}/waveform-channel", "valueString": "1\\0"}]}),
    ],
)
def test_channels_are_flat_pairs_of_positive_numbers(
    channels: tuple[str, ...], elements: dict[str, Any]
) -> None:
    assert instance_of(waveform_channels=channels) == elements


def test_plane_regions_have_multipoint_and_no_interpolated() -> None:
    regions = (
        Region("multipoint", (1, 2, 3, 4)),
        Region("interpolated", (1, 2, 3, 4)),
        Region("point", (1, 2)),
    )
    assert instance_of(regions_2d=regions) == {
        "imageRegion2D": [
            {"regionType": "multipoint", "coordinate": [1, 2, 3, 4]},
            {"regionType": "polyline", "coordinate": [1, 2, 3, 4]},
            {"regionType": "point", "coordinate": [1, 2]},
        ]
    }


@pytest.mark.parametrize(
    ("sop_class", "kept"), [(SR, False), ("1.2.840.10008.5.1.4.1.1.481.3", True), (US, True)]
)
def test_a_region_in_space_is_at_the_root(sop_class: str, kept: bool) -> None:
    """The report that tells of it is no part of it; a structure set or an image that is selected is."""
    region = Region("point", (1.5, 2, 3))
    reference: ImagingReference = MOST._replace(
        instances=(ReferencedInstance("1.2", sop_class, regions_3d=(region,)),)
    )
    content = r6.render(reference)
    assert content["imageRegion3D"] == [{"regionType": "point", "coordinate": [1.5, 2, 3]}]
    of_series = {"seriesUid", "seriesNumber", "instance"}
    assert of_series & content.keys() == (of_series if kept else set())
    assert content["studyUid"] == "2.999.5"
