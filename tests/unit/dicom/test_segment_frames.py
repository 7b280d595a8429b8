"""Segments as masks: binary, fractional and label map, and only those that are asked for."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from processors.dicom.frames import frames_of
from processors.dicom.pixels import PixelsUnreadable
from processors.dicom.segment_frames import SegmentFrame, segment_frames, segment_numbers
from tests.builders.images import encoded
from tests.builders.phantom import is_nodule, pixels_of, segmentation
from tests.builders.segmentations import LABEL_MAP


def shown(document: Dataset, *segments: int) -> list[SegmentFrame]:
    data = encoded(document)
    return list(segment_frames(data, frames_of(data), segments))


def test_a_binary_segment_is_where_it_was_drawn() -> None:
    frames = sorted(shown(segmentation(), 2), key=lambda frame: frame.source or ("", 0))
    assert [frame.source for frame in frames] == [(f"2.999.1.2.{number}", 1) for number in range(4, 9)]
    for number, frame in enumerate(frames, start=4):
        rows, columns = frame.mask.shape
        whole = np.zeros((120, 160), bool)
        whole[frame.row : frame.row + rows, frame.column : frame.column + columns] = frame.mask
        assert (whole == pixels_of(is_nodule, number)).all()
        assert frame.plane is not None
        assert frame.plane.position[2] == 10 * (number - 1)


def test_all_segments_are_listed_without_the_background() -> None:
    assert segment_numbers(encoded(segmentation())) == [1, 2]


def stored(kind: str, values: list[int]) -> Dataset:
    """A frame of four 8-bit pixels."""
    document = segmentation()
    document.SegmentationType, document.NumberOfFrames = kind, 1
    document.Rows, document.Columns = 1, len(values)
    document.BitsAllocated = document.BitsStored = 8
    document.HighBit, document.MaximumFractionalValue = 7, 100
    document.PerFrameFunctionalGroupsSequence = document.PerFrameFunctionalGroupsSequence[:1]
    document.PixelData = bytes(values)
    return document


def test_a_fractional_segment_begins_at_half() -> None:
    (frame,) = shown(stored("FRACTIONAL", [0, 49, 50, 100]), 1)
    assert (frame.column, frame.mask.tolist()) == (2, [[True, True]])


def test_a_label_map_holds_segments_by_their_number() -> None:
    document = stored("LABELMAP", [0, 2, 1, 2])
    document.SOPClassUID = LABEL_MAP
    del document.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence
    first, second = shown(document, 1, 2, 3)
    assert (first.segment, first.column, first.mask.tolist()) == (1, 2, [[True]])
    assert (second.segment, second.column, second.mask.tolist()) == (2, 1, [[True, False, True]])


def test_frames_that_do_not_say_their_segment_are_not_guessed() -> None:
    document = stored("BINARY", [1, 1, 0, 0])
    del document.PerFrameFunctionalGroupsSequence
    with pytest.raises(PixelsUnreadable, match="which segment"):
        shown(document, 1)
