"""The reports of golden examples G7 to G9, written by highdicom, become the groups the examples ask for."""

from __future__ import annotations

import pytest

from processors.core.events import (
    Code,
    Concept,
    Focus,
    FocusKind,
    Measurement,
    Performer,
    Region,
    ReportedItem,
    SubsetKind,
)
from processors.core.identity import document_key, reference_id
from processors.core.vocabulary import DCM, SNOMED_CT
from tests.builders import structured_reports
from tests.unit.dicom.report_items import by_key, read

SR_CLASS = "1.2.840.10008.5.1.4.1.1.88.34"
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
IMAGE_REGION = Concept(Code(DCM, "111030", "Image Region"))


def test_polyline_with_observation_uid() -> None:
    groups = by_key(read(structured_reports.golden_g7()))
    assert list(groups) == ["sr-item|1.5.1", "sr-region|1.5.1.6"]
    source, region = groups.values()
    assert source.items == (
        ReportedItem(
            "2.999.1", "2.999.1.100", "2.999.1.100.1", SR_CLASS, SubsetKind.CONTENT_ITEMS, ("2.999.1.88.1",)
        ),
    )
    assert source.code == Concept(Code(DCM, "111040", "Original Source"))
    assert source.measurements == (Measurement(Code(SNOMED_CT, "410668003", "Length"), 20.5, "mm"),)
    coordinates = (10.1, 20.2, 30, 20.2, 30, 40, 10.1, 20.2)
    assert region.items == (
        ReportedItem(
            "2.999.1", "2.999.1.2", "2.999.1.2.2", CT_CLASS, regions_2d=(Region("polyline", coordinates),)
        ),
    )
    assert str(region.items[0].regions_2d[0].coordinates) == str(coordinates), "whole numbers are ints"
    assert region.code == IMAGE_REGION
    assert region.focus == (Focus(FocusKind.GROUP, "sr-item|1.5.1"),)
    assert source.body_site == region.body_site
    assert region.body_site == Concept(Code(SNOMED_CT, "39607008", "Lung structure"), "Lung, Left")


def test_multipoint_on_one_frame() -> None:
    groups = by_key(read(structured_reports.golden_g8()))
    assert list(groups) == ["sr-item|1.5.1.3", "sr-region|1.5.1.3.1"]
    source, region = groups.values()
    assert (source.items[0].subset_kind, source.items[0].subset) == (SubsetKind.NONE, ())
    assert source.measurements == (Measurement(Code(SNOMED_CT, "410668003", "Length"), 30.1, "mm"),)
    (item,) = region.items
    assert (item.sop_instance_uid, item.subset_kind, item.subset) == (
        "2.999.1.5.1",
        SubsetKind.FRAMES,
        ("5",),
    )
    assert item.regions_2d == (Region("multipoint", (10.1, 20.2, 300.7, 40.3)),)
    assert region.code == Concept(Code(SNOMED_CT, "260753009", "Source"))
    assert region.frame_of_reference_uid == ""


def test_polygon_in_space() -> None:
    groups = by_key(read(structured_reports.golden_g9()))
    assert list(groups) == ["sr-item|1.5.1", "sr-region|1.5.1.4"]
    region = groups["sr-region|1.5.1.4"]
    corners = (-12.5, 0, 30.25, 10, 0, 30.25, 10, 10.1, 30.25, -12.5, 0, 30.25)
    assert region.items == (
        ReportedItem(
            "2.999.1", "2.999.1.100", "2.999.1.100.3", SR_CLASS, regions_3d=(Region("polygon", corners),)
        ),
    )
    assert region.frame_of_reference_uid == "2.999.1.9"
    assert region.focus == (
        Focus(FocusKind.GROUP, "sr-item|1.5.1"),
        Focus(FocusKind.FRAME_OF_REFERENCE, "2.999.1.9"),
    )


@pytest.mark.parametrize(
    ("golden", "kind", "series", "path", "reference"),
    [
        ("golden_g7", "sr-item", "2.999.1.100", "1.5.1", "f5ebb27d-2d28-5cd5-b63b-1df66b3c76ac"),
        ("golden_g7", "sr-region", "2.999.1.2", "1.5.1.6", "dc93bf80-3e31-5c97-9966-6b688c42316a"),
        ("golden_g8", "sr-item", "2.999.1.100", "1.5.1.3", "14bb0b87-63a6-515b-921f-f29a633a12e1"),
        ("golden_g8", "sr-region", "2.999.1.5", "1.5.1.3.1", "44b0ac74-d88b-510f-b4be-a533fac37736"),
        ("golden_g9", "sr-item", "2.999.1.100", "1.5.1", "52fcf4ae-1012-54bc-a9dd-52606c6105f4"),
        ("golden_g9", "sr-region", "2.999.1.100", "1.5.1.4", "a0780765-16f4-5001-84a1-ad120f2a61aa"),
    ],
)
def test_ids_are_those_of_the_examples(
    golden: str, kind: str, series: str, path: str, reference: str
) -> None:
    document = read(getattr(structured_reports, golden)())
    group = by_key(document)[f"{kind}|{path}"]
    assert {item.series_instance_uid for item in group.items} == {series}
    assert group.content_item_path == path
    key = document_key(kind, "2.999.1", series, document.path.sop_instance_uid, path)
    assert reference_id(key) == reference


def test_frame_of_the_document() -> None:
    document = read(structured_reports.golden_g7())
    assert document.modality == "SR"
    assert document.issued == "2026-01-02T11:30:00+01:00"
    assert document.performers == (Performer("PRF", "Practitioner", "Marie Curie"),)
    assert (document.problem, document.warnings) == ("", ())
    assert (document.instance.number, document.header.series_number) == (1, 100)
