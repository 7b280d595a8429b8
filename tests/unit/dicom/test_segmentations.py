"""Segmentations: a group a segment, where it is in the body, and what it was drawn on."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as DicomCode
from pydicom.uid import SegmentationStorage, SurfaceSegmentationStorage

from processors.core.events import (
    Code,
    Concept,
    Document,
    DocumentArrived,
    Focus,
    FocusKind,
    GroupKind,
    InstanceArrived,
    ReportedItem,
    Stamp,
    SubsetKind,
)
from processors.core.vocabulary import DCM, SNOMED_CT
from processors.dicom import ReadingPolicy, event_of_object
from tests.builders.images import ct, encoded, enhanced_ct
from tests.builders.segmentations import (
    ANATOMICAL_STRUCTURE,
    LABEL_MAP,
    LESION,
    LIVER,
    MORPHOLOGICALLY_ALTERED,
    bare_segmentation,
    coded,
    derived,
    golden_segmentation,
    reference,
    referenced_series,
    segment,
)

STAMP = Stamp(0, False, "PACS", "e1", b"")
LIVER_SITE = Concept(Code(SNOMED_CT, "10200004", "Liver structure"), "Liver")


def document(data: Dataset) -> Document:
    event = event_of_object(encoded(data), STAMP, ReadingPolicy(), dated=True)
    assert isinstance(event, DocumentArrived)
    return event.document


def numbers(read: Document) -> list[tuple[str, ...]]:
    return [group.items[0].subset for group in read.groups if group.kind is GroupKind.SEGMENT]


def sources(read: Document) -> list[tuple[str, str, tuple[str, ...]]]:
    items = [item for group in read.groups if group.kind is GroupKind.SEGMENT_SOURCE for item in group.items]
    return [(i.series_instance_uid, i.sop_instance_uid, i.subset) for i in items]


def test_segments_as_highdicom_writes_them() -> None:
    read = document(golden_segmentation())
    liver, lesion, source = read.groups
    assert (read.modality, read.issued) == ("SEG", "2026-01-02T11:40:00+01:00")
    assert liver.code == Concept(Code(DCM, "121191", "Referenced Segment"), "Liver")
    assert (liver.suffix, lesion.suffix) == ("1", "2")
    assert liver.items == (ReportedItem(*read.path, read.sop_class_uid, SubsetKind.SEGMENTS, ("1",)),)
    assert liver.body_site == lesion.body_site == LIVER_SITE
    assert liver.focus == lesion.focus == (Focus(FocusKind.SERIES_OF_GROUP, "seg-src|"),)
    assert (source.kind, source.suffix, len(source.items)) == (GroupKind.SEGMENT_SOURCE, "", 3)
    assert read.warnings == ()


@pytest.mark.parametrize(
    ("category", "kind", "region", "site"),
    [
        (ANATOMICAL_STRUCTURE, LIVER, None, LIVER_SITE),
        (DicomCode("T-D000A", "SRT", "Anatomical Structure"), LIVER, None, LIVER_SITE),
        (MORPHOLOGICALLY_ALTERED, LESION, LIVER, LIVER_SITE),
        (MORPHOLOGICALLY_ALTERED, LESION, None, None),
        (ANATOMICAL_STRUCTURE, DicomCode("L1", "99LOCAL", "Somewhere"), None, Concept(text="Somewhere")),
    ],
)
def test_where_a_segment_is(
    category: DicomCode, kind: DicomCode, region: DicomCode | None, site: Concept | None
) -> None:
    (group,) = document(bare_segmentation([segment(1, "", category, kind, region)])).groups
    assert group.body_site == site


@pytest.mark.parametrize("place", ["AnatomicRegion", "SegmentedPropertyType"])
def test_the_side_of_a_segment_is_text(place: str) -> None:
    one = segment(1, region=LIVER if place == "AnatomicRegion" else None)
    coded_place = one[f"{place}{'' if place == 'AnatomicRegion' else 'Code'}Sequence"][0]
    modifier = f"{place}Modifier{'' if place == 'AnatomicRegion' else 'Code'}Sequence"
    setattr(coded_place, modifier, [coded(DicomCode("7771000", "SCT", "Left"))])
    (group,) = document(bare_segmentation([one])).groups
    assert group.body_site == LIVER_SITE._replace(text="Liver, Left")


@pytest.mark.parametrize(
    ("sent", "label_map", "read_as", "sound"),
    [
        ((1, 2, 10), False, (1, 2, 10), False),
        ((2, 1), False, (2, 1), False),
        ((1, 1), False, (1,), False),
        ((0, 1), False, (1,), False),
        ((1, None, 3), False, (1, 3), False),
        ((0, 5, 300), True, (5, 300), True),
        ((1, 1), True, (1,), False),
    ],
)
def test_numbers_of_segments(
    sent: tuple[int | None, ...], label_map: bool, read_as: tuple[int, ...], sound: bool
) -> None:
    """A label map has the background as 0 and may have gaps; the others count from 1 (PS3.3 C.8.20.2)."""
    segments = [segment(number or 0) for number in sent]
    for each, number in zip(segments, sent, strict=True):
        each.SegmentNumber = number
    read = document(bare_segmentation(segments, sop_class=LABEL_MAP if label_map else SegmentationStorage))
    assert numbers(read) == [(str(number),) for number in read_as]
    assert read.warnings == (() if sound else ("segment_numbers_not_consecutive",))
    assert read.problem == ""


def test_frames_say_the_sources_and_the_header_their_series() -> None:
    """A is in the header alone, C in a frame alone."""
    a, b, c = ct(1), ct(2), ct(3)
    frames = [derived(reference(b)), derived(reference(c)), derived(reference(b))]
    read = document(bare_segmentation([segment(1)], [referenced_series([a, b])], frames))
    assert sources(read) == [("2.999.1.2", "2.999.1.2.2", ()), ("", "2.999.1.2.3", ())]
    assert read.groups[0].focus == (Focus(FocusKind.SERIES_OF_GROUP, "seg-src|"),)
    assert read.warnings == ("reference_sources_disagree",)


def test_a_header_that_lists_more_does_not_disagree() -> None:
    listed = [referenced_series([ct(1), ct(2)])]
    read = document(bare_segmentation([segment(1)], listed, [derived(reference(ct(1)))]))
    assert sources(read) == [("2.999.1.2", "2.999.1.2.1", ())]
    assert read.warnings == ()


def test_frames_of_one_source_are_united_shared_groups_count() -> None:
    listed = [referenced_series([enhanced_ct()])]
    frames = [derived(reference(enhanced_ct(), number)) for number in (10, 9, 10)]
    data = bare_segmentation([segment(1)], listed, frames)
    data.SharedFunctionalGroupsSequence = [derived(reference(ct(1)))]
    assert sources(document(data)) == [("", "2.999.1.2.1", ()), ("2.999.1.4", "2.999.1.4.1", ("9", "10"))]


def test_sources_of_another_study() -> None:
    data = bare_segmentation([segment(1)], (), [derived(reference(ct(1)))])
    elsewhere = Dataset()
    elsewhere.StudyInstanceUID = "2.999.2"
    elsewhere.ReferencedSeriesSequence = [referenced_series([ct(1)])]
    data.StudiesContainingOtherReferencedInstancesSequence = [elsewhere]
    (item,) = document(data).groups[1].items
    assert (item.study_instance_uid, item.series_instance_uid) == ("2.999.2", "2.999.1.2")


def test_without_sources_in_frames_the_header_holds() -> None:
    """A series of which it names no image is a focus all the same."""
    whole = referenced_series([ct(7, "2.999.1.3")])
    del whole.ReferencedInstanceSequence
    read = document(bare_segmentation([segment(1)], [referenced_series([ct(1)]), whole]))
    assert read.groups[0].focus == tuple(Focus(FocusKind.SERIES, f"2.999.1|2.999.1.{n}") for n in (2, 3))
    assert sources(read) == [("2.999.1.2", "2.999.1.2.1", ())]


def test_tiles_laid_out_in_full_have_their_source_in_the_object() -> None:
    data = bare_segmentation([segment(1)], [referenced_series([ct(1), ct(2)])])
    del data.PerFrameFunctionalGroupsSequence
    data.SourceImageSequence = [reference(ct(2))]
    assert sources(document(data)) == [("2.999.1.2", "2.999.1.2.2", ())]
    data.SharedFunctionalGroupsSequence = [derived(reference(ct(1)))]
    assert sources(document(data)) == [("2.999.1.2", "2.999.1.2.1", ())], "frames go before the object"


def test_surfaces_say_their_sources() -> None:
    surface = Dataset()
    surface.ReferencedSurfaceNumber = 1
    surface.SegmentSurfaceSourceInstanceSequence = [reference(ct(3))]
    liver = segment(1)
    liver.ReferencedSurfaceSequence = [surface]
    listed = [referenced_series([ct(1), ct(3)])]
    data = bare_segmentation([liver], listed, sop_class=SurfaceSegmentationStorage)
    assert sources(document(data)) == [("2.999.1.2", "2.999.1.2.3", ())]


@pytest.mark.parametrize(("segments", "problem"), [([segment(0)], "no_usable_reference"), ([], "")])
def test_a_segmentation_without_usable_segments(segments: list[Dataset], problem: str) -> None:
    read = document(bare_segmentation(segments, [referenced_series([ct(1)])], [derived(reference(ct(1)))]))
    assert (read.groups, read.problem) == ((), problem)


def test_a_header_alone_is_an_instance() -> None:
    data = bare_segmentation([])
    del data.SegmentSequence
    assert isinstance(event_of_object(encoded(data), STAMP, ReadingPolicy(), dated=True), InstanceArrived)
