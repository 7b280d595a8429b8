"""Presentation states: which images, with which frames, and what is drawn on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from highdicom.pr.enum import AnnotationUnitsValues
from pydicom.dataset import Dataset

from processors.core.events import (
    Document,
    DocumentArrived,
    Focus,
    FocusKind,
    GroupKind,
    InstanceArrived,
    Region,
    ReportedGroup,
    ReportedItem,
    Stamp,
    SubsetKind,
)
from processors.dicom import ReadingPolicy, event_of_object
from tests.builders.images import ct, encoded, enhanced_ct
from tests.builders.presentation_states import annotation, graphic, presentation_state
from tests.builders.segmentations import bare_segmentation, reference, referenced_series

STAMP = Stamp(0, False, "PACS", "e1", b"")
CT = "1.2.840.10008.5.1.4.1.1.2"
IMAGES = "ReferencedImageSequence"
PRESENTATION_STATE = "1.2.840.10008.5.1.4.1.1.11"


def document(data: Dataset) -> Document:
    event = event_of_object(encoded(data), STAMP, ReadingPolicy(), dated=True)
    assert isinstance(event, DocumentArrived)
    return event.document


def of_kind(read: Document, kind: GroupKind) -> list[ReportedGroup]:
    return [group for group in read.groups if group.kind is kind]


def sources(read: Document) -> list[tuple[str, str, tuple[str, ...]]]:
    (group,) = of_kind(read, GroupKind.PRESENTATION_SOURCE)
    return [(i.study_instance_uid, i.sop_instance_uid, i.subset) for i in group.items]


def drawn(*points: tuple[str, tuple[float, ...]], units: str = "PIXEL") -> Dataset:
    """A state for CT images 1 and 2 with one annotation item on the first."""
    images = [ct(1), ct(2)]
    graphics = [graphic(kind, at, AnnotationUnitsValues(units)) for kind, at in points]
    return presentation_state(images, [annotation(graphics, images[:1])])


def test_the_state_and_its_images_by_series() -> None:
    state = presentation_state([ct(1), ct(7, "2.999.1.3", 3)], label="LABEL")
    read = document(state)
    own, source = read.groups
    assert (read.modality, read.issued) == ("PR", "2026-01-02T11:45:00+01:00")
    assert (own.kind, own.suffix, own.code.text) == (GroupKind.PRESENTATION, "", "LABEL")
    assert own.items == (ReportedItem(*read.path, read.sop_class_uid),)
    assert own.focus == (Focus(FocusKind.GROUP, "pr-src|"),)
    assert source.items == (
        ReportedItem("2.999.1", "2.999.1.2", "2.999.1.2.1", CT),
        ReportedItem("2.999.1", "2.999.1.3", "2.999.1.3.7", CT),
    )
    assert read.warnings == ()


def test_frames_of_a_reference_and_several_references_to_one_image() -> None:
    state = presentation_state([ct(1)])
    listed = referenced_series([enhanced_ct()], IMAGES)
    listed.ReferencedImageSequence = [reference(enhanced_ct(), 4, 2), reference(enhanced_ct(), 10)]
    state.ReferencedSeriesSequence.append(listed)
    assert sources(document(state))[1:] == [("2.999.1", "2.999.1.4.1", ("2", "4", "10"))]


@pytest.mark.parametrize("kind", ["POLYLINE", "INTERPOLATED"])
def test_graphics_in_pixels_are_regions_of_the_annotated_image(kind: str) -> None:
    read = document(drawn((kind, (1.5, 2, 3, 4.1)), ("POINT", (7, 8))))
    (group,) = of_kind(read, GroupKind.PRESENTATION_REGION)
    (item,) = group.items
    assert (group.suffix, group.focus) == ("1", (Focus(FocusKind.GROUP, "pr|"),))
    assert item.sop_instance_uid == "2.999.1.2.1"
    assert item.regions_2d == (Region(kind.lower(), (1.5, 2, 3, 4.1)), Region("point", (7, 8)))


def test_an_annotation_without_images_is_on_all_of_them_and_keeps_its_ordinal() -> None:
    state = drawn(("POINT", (7, 8)))
    everywhere = Dataset()
    everywhere.GraphicObjectSequence = [graphic("POINT", (1, 2))]
    state.GraphicAnnotationSequence.insert(0, Dataset())  # an item of texts alone
    state.GraphicAnnotationSequence.append(everywhere)
    first, second = of_kind(document(state), GroupKind.PRESENTATION_REGION)
    assert [first.suffix, second.suffix] == ["2", "3"]
    assert [i.sop_instance_uid for i in second.items] == ["2.999.1.2.1", "2.999.1.2.2"]


@pytest.mark.parametrize(("own", "expected"), [((), ("2", "4")), ((4,), ("4",))])
def test_an_annotation_is_on_its_own_frames_or_else_on_those_of_the_state(
    own: tuple[int, ...], expected: tuple[str, ...]
) -> None:
    state = drawn(("POINT", (7, 8)))
    listed = referenced_series([enhanced_ct()], IMAGES)
    listed.ReferencedImageSequence = [reference(enhanced_ct(), 2, 4)]
    state.ReferencedSeriesSequence = [listed]
    state.GraphicAnnotationSequence[0].ReferencedImageSequence = [reference(enhanced_ct(), *own)]
    (group,) = of_kind(document(state), GroupKind.PRESENTATION_REGION)
    assert [(i.subset_kind, i.subset) for i in group.items] == [(SubsetKind.FRAMES, expected)]


def _units(units: str) -> Callable[[Dataset], None]:
    def change(each: Dataset) -> None:
        each.GraphicAnnotationUnits = units

    return change


def _odd(each: Dataset) -> None:
    each.GraphicData = [1, 2, 3]


def _unknown(each: Dataset) -> None:
    each.GraphicType = "SPLINE"


@pytest.mark.parametrize("change", [_units("DISPLAY"), _units("MATRIX"), _odd, _unknown])
def test_what_is_no_region_of_the_image_is_dropped_and_counted(change: Callable[[Dataset], None]) -> None:
    state = drawn(("POINT", (7, 8)), ("POINT", (9, 9)), ("POINT", (1, 1)))
    for each in state.GraphicAnnotationSequence[0].GraphicObjectSequence[:2]:
        change(each)
    read = document(state)
    (group,) = of_kind(read, GroupKind.PRESENTATION_REGION)
    assert group.items[0].regions_2d == (Region("point", (1, 1)),)
    assert read.warnings == ("region_dropped",) * 2


def test_graphics_on_the_total_pixel_matrix_are_counted_and_stand_beside_the_image() -> None:
    state = drawn(("POINT", (70, 8)))
    _units("MATRIX")(state.GraphicAnnotationSequence[0].GraphicObjectSequence[0])
    read = document(state)
    (group,) = of_kind(read, GroupKind.PRESENTATION_REGION)
    assert (group.items[0].regions_2d, group.items[0].matrix_regions) == ((), (Region("point", (70, 8)),))
    assert read.warnings == ("region_dropped",)


@pytest.mark.parametrize(("same", "dropped"), [(7, 0), (8, 1)])
def test_a_compound_graphic_is_counted_unless_plain_ones_draw_it_too(same: int, dropped: int) -> None:
    state = drawn(("POINT", (7, 8)))
    (item,) = state.GraphicAnnotationSequence
    item.GraphicObjectSequence[0].CompoundGraphicInstanceID = 7
    compound = Dataset()
    compound.CompoundGraphicInstanceID, compound.CompoundGraphicType = same, "ARROW"
    item.CompoundGraphicSequence = [compound]
    assert document(state).warnings == ("region_dropped",) * dropped


def test_texts_are_no_regions() -> None:
    images = [ct(1)]
    read = document(presentation_state(images, [annotation([], images, ["a note"])]))
    assert of_kind(read, GroupKind.PRESENTATION_REGION) == []
    assert read.warnings == ()


def test_an_annotation_on_images_that_cannot_be_named_is_dropped() -> None:
    state = drawn(("POINT", (7, 8)))
    del state.GraphicAnnotationSequence[0].ReferencedImageSequence[0].ReferencedSOPInstanceUID
    read = document(state)
    assert of_kind(read, GroupKind.PRESENTATION_REGION) == []
    assert set(read.warnings) == {"reference_missing", "region_dropped"}


def test_images_of_a_blending_state_lie_in_the_studies_it_says() -> None:
    state = presentation_state([ct(1)])
    del state.ReferencedSeriesSequence
    layers = []
    for study, image in (("2.999.1", ct(1)), ("2.999.2", ct(7, "2.999.2.3"))):
        layer = Dataset()
        layer.StudyInstanceUID = study
        layer.ReferencedSeriesSequence = [referenced_series([image], IMAGES)]
        layers.append(layer)
    state.BlendingSequence = layers
    assert sources(document(state)) == [("2.999.1", "2.999.1.2.1", ()), ("2.999.2", "2.999.2.3.7", ())]


def test_inputs_of_an_advanced_blending_state_are_series_or_some_of_their_images() -> None:
    state = presentation_state([ct(1)])
    state.SOPClassUID = f"{PRESENTATION_STATE}.8"
    del state.ReferencedSeriesSequence
    inputs = []
    for study, series in (("2.999.1", "2.999.1.2"), ("2.999.2", "2.999.2.3")):
        blended = Dataset()
        blended.StudyInstanceUID, blended.SeriesInstanceUID = study, series
        inputs.append(blended)
    inputs[1].ReferencedImageSequence = [reference(enhanced_ct(), 3, 1)]
    state.AdvancedBlendingSequence = inputs
    read = document(state)
    assert sources(read) == [("2.999.2", "2.999.1.4.1", ("1", "3"))]
    assert read.groups[0].focus == (
        Focus(FocusKind.GROUP, "pr-src|"),
        Focus(FocusKind.SERIES, "2.999.1|2.999.1.2"),
    )
    assert read.warnings == ()


def test_inputs_of_a_volumetric_state_are_images_whose_series_the_header_tells() -> None:
    state = presentation_state([ct(1)])
    state.SOPClassUID = f"{PRESENTATION_STATE}.6"
    state.ReferencedSeriesSequence = [referenced_series([ct(1), ct(2)]), referenced_series([enhanced_ct()])]
    volume = Dataset()
    volume.ReferencedImageSequence = [reference(ct(2)), reference(enhanced_ct(), 5)]
    state.VolumetricPresentationInputSetSequence = [volume]
    read = document(state)
    assert sources(read) == [("2.999.1", "2.999.1.2.2", ()), ("2.999.1", "2.999.1.4.1", ("5",))]
    (group,) = of_kind(read, GroupKind.PRESENTATION)
    assert group.focus == (Focus(FocusKind.GROUP, "pr-src|"),)


def test_segments_that_a_state_is_for() -> None:
    state = presentation_state([ct(1)])
    drawn_on = bare_segmentation([])
    listed = referenced_series([drawn_on], IMAGES)
    listed.ReferencedImageSequence = [reference(drawn_on, 4), reference(drawn_on)]
    for each, numbers in zip(listed.ReferencedImageSequence, ([3, 0], 2), strict=True):
        each.ReferencedSegmentNumber = numbers
    state.ReferencedSeriesSequence = [listed]
    read = document(state)
    (group,) = of_kind(read, GroupKind.PRESENTATION_SOURCE)
    said = [(i.subset_kind, i.subset, i.segmentation_frames) for i in group.items]
    assert said == [(SubsetKind.SEGMENTS, ("2", "3"), ())], "one reference is to all frames"
    assert read.warnings == ("reference_missing",), "0 is the background"
    listed.ReferencedImageSequence = [reference(drawn_on)]
    listed.ReferencedImageSequence[0].ReferencedSegmentNumber = 0
    assert document(state).problem == "frame_out_of_range"


def test_instances_are_taken_where_no_images_are_said() -> None:
    """A volumetric state has the Common Instance Reference Module alone; a blending state has both."""
    state = presentation_state([ct(1)])
    state.ReferencedSeriesSequence.append(referenced_series([ct(1), ct(2)]))
    state.ReferencedSeriesSequence.append(referenced_series([ct(7, "2.999.1.3")]))
    assert sources(document(state)) == [("2.999.1", "2.999.1.2.1", ()), ("2.999.1", "2.999.1.3.7", ())]


def test_a_series_without_images_is_meant_as_a_whole() -> None:
    state = presentation_state([ct(1)])
    del state.ReferencedSeriesSequence[0].ReferencedImageSequence
    read = document(state)
    (group,) = read.groups
    assert group.focus == (Focus(FocusKind.SERIES, "2.999.1|2.999.1.2"),)
    assert read.warnings == ("series_level_reference_only",)


def _no_series(state: Dataset) -> None:
    del state.ReferencedSeriesSequence[0].SeriesInstanceUID


def _no_frame(state: Dataset) -> None:
    state.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedFrameNumber = 0


@pytest.mark.parametrize(
    ("spoil", "problem", "tag"),
    [
        (_no_series, "no_usable_reference", "(0008,1115)"),
        (_no_frame, "frame_out_of_range", "(0008,1160)"),
    ],
)
def test_a_state_whose_references_are_unusable(
    spoil: Callable[[Dataset], None], problem: str, tag: str
) -> None:
    state = presentation_state([ct(1)])
    spoil(state)
    read = document(state)
    assert (read.groups, read.problem, read.problem_tag) == ((), problem, tag)
    assert read.warnings == ("reference_missing",)


def test_a_header_alone_is_an_instance() -> None:
    state = presentation_state([ct(1)])
    del state.ReferencedSeriesSequence
    assert isinstance(event_of_object(encoded(state), STAMP, ReadingPolicy(), dated=True), InstanceArrived)
