"""Structure sets: a group a region of interest, with contours in FHIR's words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as DicomCode

from processors.core.events import (
    Code,
    Concept,
    Document,
    DocumentArrived,
    Focus,
    FocusKind,
    InstanceArrived,
    Region,
    ReportedItem,
    Stamp,
    SubsetKind,
)
from processors.core.vocabulary import DCM
from processors.dicom import ReadingPolicy, event_of_object
from processors.dicom.reading import MAX_CONTOURS
from tests.builders.images import encoded
from tests.builders.segmentations import ANATOMICAL_STRUCTURE, LIVER, MORPHOLOGICALLY_ALTERED, coded
from tests.builders.structure_sets import (
    TRIANGLE,
    contour,
    drawn_on,
    golden_structure_set,
    roi,
    structure_set,
)

STAMP = Stamp(0, False, "PACS", "e1", b"")
CLOSED = (-12.5, 0, 30.25, 10, 0, 30.25, 10, 10.1, 30.25, -12.5, 0, 30.25)


def document(data: Dataset) -> Document:
    event = event_of_object(encoded(data), STAMP, ReadingPolicy(), dated=True)
    assert isinstance(event, DocumentArrived)
    return event.document


def regions(drawn: Sequence[Dataset]) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    """Regions of the one ROI, and what was wrong."""
    read = document(structure_set([roi(3, "GTV")], {3: drawn}))
    (group,) = read.groups
    (item,) = group.items
    assert item.subset == ("3",)
    return item.regions_3d, read.warnings


def test_a_region_of_interest() -> None:
    read = document(golden_structure_set())
    (group,) = read.groups
    assert (read.modality, read.issued) == ("RTSTRUCT", "2026-01-02T11:50:00+01:00")
    assert (group.suffix, group.frame_of_reference_uid) == ("3", "2.999.1.9")
    assert group.code == Concept(Code(DCM, "130488", "Region in Space"), "GTV")
    assert group.focus == (Focus(FocusKind.SERIES, "2.999.1|2.999.1.2"),)
    said = ReportedItem(*read.path, read.sop_class_uid, SubsetKind.ROIS, ("3",))
    assert group.items == (said._replace(regions_3d=(Region("polygon", CLOSED),)),)
    assert all(isinstance(n, int) == float(n).is_integer() for n in group.items[0].regions_3d[0].coordinates)
    assert read.warnings == ()


@pytest.mark.parametrize(
    ("kind", "data", "region"),
    [
        ("CLOSED_PLANAR", TRIANGLE + TRIANGLE[:3], Region("polygon", CLOSED)),
        ("OPEN_PLANAR", TRIANGLE, Region("polyline", CLOSED[:9])),
        ("OPEN_NONPLANAR", TRIANGLE, Region("polyline", CLOSED[:9])),
        ("POINT", ("1e1", " -0.0", "+1.50"), Region("point", (10, 0, 1.5))),
    ],
)
def test_contours_in_fhirs_words(kind: str, data: tuple[str, ...], region: Region) -> None:
    assert regions([contour(kind, data)]) == ((region,), ())


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("CLOSED_PLANAR", TRIANGLE[:6]),
        ("CLOSED_PLANAR", TRIANGLE[:8]),
        ("CLOSED_PLANAR", ()),
        ("POINT", TRIANGLE),
        ("SPLINE", TRIANGLE),
    ],
)
def test_a_contour_that_breaks_a_rule_is_dropped_and_counted(kind: str, data: tuple[str, ...]) -> None:
    bad = contour(kind, data)
    kept = (Region("point", (1, 2, 3)),)
    assert regions([bad, contour("POINT", ("1", "2", "3")), bad]) == (kept, ("region_dropped",) * 2)


@pytest.mark.parametrize("text", [b"1\\x\\3 ", b"1\\\\3 ", b"nan\\2\\3 ", b"1\\inf\\3 "])
def test_what_is_no_number_is_no_coordinate(text: bytes) -> None:
    data = encoded(structure_set([roi(3, "GTV")], {3: [contour("POINT", ("1234567", "2", "3"))]}))
    sent = b"1234567\\2\\3 "
    assert data.count(sent) == 1
    event = event_of_object(data.replace(sent, text.ljust(len(sent))), STAMP, ReadingPolicy(), dated=True)
    assert isinstance(event, DocumentArrived)
    assert event.document.groups[0].items[0].regions_3d == ()
    assert event.document.warnings == ("region_dropped",)


def test_holes_leave_the_number_alone() -> None:
    drawn = [contour("CLOSED_PLANAR", TRIANGLE), contour("CLOSEDPLANAR_XOR", TRIANGLE)]
    assert regions(drawn) == ((), ("region_dropped",))


@pytest.mark.parametrize(("more", "kept", "warnings"), [(0, MAX_CONTOURS, 0), (1, 0, 1)])
def test_too_many_contours_leave_the_number_alone(more: int, kept: int, warnings: int) -> None:
    drawn = [contour("POINT", (str(n), "0", "0")) for n in range(MAX_CONTOURS + more)]
    found, warned = regions(drawn)
    assert (len(found), warned) == (kept, ("region_dropped",) * warnings)


def test_a_site_says_how_many_contours_it_wants() -> None:
    drawn = [contour("POINT", (str(n), "0", "0")) for n in range(3)]
    data = encoded(structure_set([roi(3, "GTV")], {3: drawn}))
    for limit, kept in ((2, 0), (3, 3)):
        event = event_of_object(data, STAMP, ReadingPolicy(max_contours=limit), dated=True)
        assert isinstance(event, DocumentArrived)
        assert len(event.document.groups[0].items[0].regions_3d) == kept


@pytest.mark.parametrize(
    ("category", "kind", "anatomic", "site"),
    [
        (ANATOMICAL_STRUCTURE, "", None, "Liver"),
        (None, "ORGAN", None, "Liver"),
        (MORPHOLOGICALLY_ALTERED, "GTV", None, None),
        (MORPHOLOGICALLY_ALTERED, "GTV", DicomCode("39607008", "SCT", "Lung"), "Lung"),
    ],
)
def test_where_an_observation_says_a_region_is(
    category: DicomCode | None, kind: str, anatomic: DicomCode | None, site: str | None
) -> None:
    observation = Dataset()
    observation.ReferencedROINumber = 2
    observation.RTROIInterpretedType = kind
    observation.RTROIIdentificationCodeSequence = [coded(LIVER)]
    if category:
        observation.SegmentedPropertyCategoryCodeSequence = [coded(category)]
    if anatomic:
        observation.AnatomicRegionSequence = [coded(anatomic)]
    data = structure_set([roi(1, "A"), roi(2, "B")], {})
    data.RTROIObservationsSequence = [observation]
    first, second = document(data).groups
    assert first.body_site is None
    assert (second.body_site and second.body_site.text) == site


def test_contours_of_no_region_and_a_series_without_a_uid_are_warned_of() -> None:
    listed = drawn_on("2.999.1.2")
    listed.RTReferencedStudySequence[0].RTReferencedSeriesSequence.append(Dataset())
    read = document(structure_set([roi(1, "A")], {9: [contour("POINT", ("1", "2", "3"))]}, [listed]))
    assert [f.value for f in read.groups[0].focus] == ["2.999.1|2.999.1.2"]
    assert read.warnings == ("reference_missing",) * 2


def test_a_region_of_interest_without_contours_is_its_number() -> None:
    assert regions([]) == ((), ())


def test_contours_without_a_frame_of_reference_are_nowhere() -> None:
    drawn = {0: [contour("POINT", ("1", "2", "3"))]}
    read = document(structure_set([roi(0, "GTV", frame_of_reference="")], drawn))
    (group,) = read.groups
    assert (group.items[0].subset, group.items[0].regions_3d) == (("0",), ())
    assert read.warnings == ("unresolved_frame_of_reference", "region_dropped")


def test_each_region_points_at_the_series_of_its_frame_of_reference() -> None:
    frames = [drawn_on("2.999.1.2"), drawn_on("2.999.2.3", "2.999.2.9", "2.999.2"), drawn_on("2.999.1.2")]
    rois = [roi(1, "A"), roi(2, "B", "2.999.2.9"), roi(3, "C", ""), roi(4, "D", "2.999.3.9")]
    read = document(structure_set(rois, {}, frames))
    here, there = "2.999.1|2.999.1.2", "2.999.2|2.999.2.3"
    assert [[f.value for f in group.focus] for group in read.groups] == [[here], [there], [here, there], []]


def test_a_series_of_no_said_study_lies_in_the_objects_own() -> None:
    listed = drawn_on("2.999.1.2")
    del listed.RTReferencedStudySequence[0].ReferencedSOPInstanceUID
    (group,) = document(structure_set([roi(1, "A")], {}, [listed])).groups
    assert [f.value for f in group.focus] == ["2.999.1|2.999.1.2"]


def test_numbers_that_are_none_or_taken() -> None:
    unnumbered = roi(1, "A")
    del unnumbered.ROINumber
    read = document(structure_set([roi(2, "A"), roi(2, "B"), unnumbered], {}))
    assert [group.code.text for group in read.groups] == ["A"]
    assert read.warnings == ("reference_missing",) * 2
    read = document(structure_set([unnumbered], {}))
    assert (read.groups, read.problem, read.problem_tag) == ((), "no_usable_reference", "(3006,0022)")


def test_a_header_alone_is_an_instance() -> None:
    data = structure_set([], {})
    del data.StructureSetROISequence
    assert isinstance(event_of_object(encoded(data), STAMP, ReadingPolicy(), dated=True), InstanceArrived)
