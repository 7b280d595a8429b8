"""Parametric maps, real world value maps and bulk annotations: instances that refer to images besides."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from processors.core.events import Concept, DocumentArrived, GroupKind, InstanceArrived, Stamp
from processors.core.vocabulary import BULK_ANNOTATIONS, PARAMETRIC_MAP, REAL_WORLD_VALUE_MAP, is_report
from processors.dicom import ReadingPolicy, event_of_object
from tests.builders.images import ct, encoded, enhanced_ct, image
from tests.builders.segmentations import derived, reference, referenced_series

STAMP = Stamp(0, False, "PACS", "e1", b"")
LISTED = (ct(1), ct(2))


def derived_object(sop_class: str, modality: str, listed: bool = True) -> Dataset:
    """A header that lists CT 1 and 2, and the enhanced CT."""
    data = image(
        "2.999.1.8", "2.999.1.8.1", series_number=8, number=1, sop_class=sop_class, modality=modality
    )
    if listed:
        data.ReferencedSeriesSequence = [referenced_series(LISTED), referenced_series([enhanced_ct()])]
    return data


def event_of(data: Dataset) -> InstanceArrived | DocumentArrived:
    return event_of_object(encoded(data), STAMP, ReadingPolicy(), dated=True, expected=3)


def read(data: Dataset) -> tuple[Concept, list[tuple[str, str, tuple[str, ...]]], tuple[str, ...]]:
    """Code, (series, instance, frames) and warnings of the one group."""
    event = event_of(data)
    assert isinstance(event, DocumentArrived)
    assert not is_report(event.document.sop_class_uid), "it is listed in its own series, too"
    (group,) = event.document.groups
    assert (group.kind, group.suffix) == (GroupKind.SOURCE, "")
    said = [(i.series_instance_uid, i.sop_instance_uid, i.subset) for i in group.items]
    return group.code, said, event.document.warnings


def test_images_that_a_parametric_map_was_made_of() -> None:
    data = derived_object(PARAMETRIC_MAP, "MR")
    data.PerFrameFunctionalGroupsSequence = [
        derived(reference(ct(2)), reference(enhanced_ct(), frame)) for frame in (9, 1)
    ]
    code, said, warnings = read(data)
    assert code.coding
    assert code.coding.code == "121322"
    assert said == [("2.999.1.2", "2.999.1.2.2", ()), ("2.999.1.4", "2.999.1.4.1", ("1", "9"))]
    assert warnings == ()


def test_images_that_a_real_world_value_map_is_for() -> None:
    data = derived_object(REAL_WORLD_VALUE_MAP, "RWV")
    mappings = [Dataset(), Dataset()]
    mappings[0].ReferencedImageSequence = [reference(ct(2))]
    mappings[1].ReferencedImageSequence = [reference(enhanced_ct(), 4)]
    data.ReferencedImageRealWorldValueMappingSequence = mappings
    code, said, warnings = read(data)
    assert (code.coding and code.coding.code, code.text) == (
        "RWV",
        "Images referenced by real world value map",
    )
    assert said == [("2.999.1.2", "2.999.1.2.2", ()), ("2.999.1.4", "2.999.1.4.1", ("4",))]
    assert warnings == ()


def test_images_that_bulk_annotations_are_on() -> None:
    """Their points are no regions of FHIR: each group of them is counted."""
    data = derived_object(BULK_ANNOTATIONS, "ANN")
    data.ReferencedImageSequence = [reference(ct(1))]
    data.AnnotationGroupSequence = [Dataset(), Dataset()]
    code, said, warnings = read(data)
    assert (code.coding and code.coding.code, code.text) == ("ANN", "Images referenced by annotations")
    assert said == [("2.999.1.2", "2.999.1.2.1", ())]
    assert warnings == ("region_dropped",) * 2


@pytest.mark.parametrize("sop_class", [PARAMETRIC_MAP, REAL_WORLD_VALUE_MAP, BULK_ANNOTATIONS])
def test_where_nothing_else_is_said_the_header_holds(sop_class: str) -> None:
    _, said, _ = read(derived_object(sop_class, "OT"))
    assert [sop for _, sop, _ in said] == ["2.999.1.2.1", "2.999.1.2.2", "2.999.1.4.1"]


def test_an_image_of_no_said_series_is_left_out() -> None:
    data = derived_object(BULK_ANNOTATIONS, "ANN")
    data.ReferencedImageSequence = [reference(ct(1)), reference(ct(9))]
    _, said, warnings = read(data)
    assert [sop for _, sop, _ in said] == ["2.999.1.2.1"]
    assert warnings == ("reference_missing",)


@pytest.mark.parametrize("listed", [False, True])
def test_one_that_names_nothing_usable_is_an_instance_as_any_image(listed: bool) -> None:
    data = derived_object(PARAMETRIC_MAP, "MR", listed)
    data.SourceImageSequence = [reference(ct(9))]
    event = event_of(data)
    assert isinstance(event, InstanceArrived)
    assert (event.sop_instance_uid, event.header.modality, event.expected) == ("2.999.1.8.1", "MR", 3)
    assert event.warnings == (("reference_missing",) if listed else ())
