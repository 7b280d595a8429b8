"""Segmentations of the golden study: of CT slices by highdicom, and as bare headers where only those matter.

Rules of this file: objects as their makers write them; what is wrong with one is the test's to add.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage

from tests.builders.images import MAKER, ct, identify, image

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
"""Label Map Segmentation Storage."""
ANATOMICAL_STRUCTURE = Code("123037004", "SCT", "Anatomical Structure")
MORPHOLOGICALLY_ALTERED = Code("49755003", "SCT", "Morphologically Altered Structure")
LIVER = Code("10200004", "SCT", "Liver")
LESION = Code("52988006", "SCT", "Lesion")
PLACE: dict[str, Any] = {
    "series_instance_uid": "2.999.1.300",
    "series_number": 300,
    "sop_instance_uid": "2.999.1.300.1",
    "instance_number": 1,
}
"""Of the segmentation in its study."""


def coded(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return item


def segment(
    number: int,
    label: str = "",
    category: Code = ANATOMICAL_STRUCTURE,
    kind: Code = LIVER,
    region: Code | None = None,
) -> Dataset:
    """An item of Segment Sequence (PS3.3 C.8.20.4)."""
    item = Dataset()
    item.SegmentNumber = number
    item.SegmentLabel = label or f"Segment {number}"
    item.SegmentedPropertyCategoryCodeSequence = [coded(category)]
    item.SegmentedPropertyTypeCodeSequence = [coded(kind)]
    if region:
        item.AnatomicRegionSequence = [coded(region)]
    return item


def reference(to: Dataset, *frames: int) -> Dataset:
    """Image SOP Instance Reference Macro (PS3.3 10.3)."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = to.SOPClassUID, to.SOPInstanceUID
    if frames:
        item.ReferencedFrameNumber = list(frames)
    return item


def referenced_series(images: Sequence[Dataset], keyword: str = "ReferencedInstanceSequence") -> Dataset:
    """An item of Referenced Series Sequence; `images` lie in one series."""
    item = Dataset()
    item.SeriesInstanceUID = images[0].SeriesInstanceUID
    setattr(item, keyword, [reference(each) for each in images])
    return item


def derived(*references: Dataset) -> Dataset:
    """Functional groups of a frame that says what it was derived from (PS3.3 C.7.6.16.2.6)."""
    derivation = Dataset()
    derivation.SourceImageSequence = list(references)
    groups = Dataset()
    groups.DerivationImageSequence = [derivation]
    return groups


def bare_segmentation(
    segments: Sequence[Dataset],
    listed: Sequence[Dataset] = (),
    frames: Sequence[Dataset] = (),
    sop_class: str = SegmentationStorage,
) -> Dataset:
    """A header without pixels: `listed` are items of Referenced Series, `frames` functional groups."""
    header = image(
        *("2.999.1.300", "2.999.1.300.1"),
        series_number=300,
        number=1,
        sop_class=sop_class,
        modality="SEG",
        frames=max(1, len(frames)),
    )
    header.SegmentationType = "LABELMAP" if sop_class == LABEL_MAP else "BINARY"
    header.SegmentSequence = list(segments)
    if listed:
        header.ReferencedSeriesSequence = list(listed)
    header.PerFrameFunctionalGroupsSequence = list(frames)
    return header


def _slice(number: int) -> Dataset:
    """CT image 2.999.1.2.<number> with what a segmentation takes over from its sources."""
    source = ct(number)
    source.Rows = source.Columns = 4
    source.ImagePositionPatient = [0, 0, number]
    source.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    source.PixelSpacing = [1, 1]
    source.SliceThickness = 1
    source.SamplesPerPixel, source.BitsAllocated = 1, 16
    return source


def golden_segmentation() -> Dataset:
    """G10: the liver and a lesion in it, on three slices, of which the lesion takes up one."""
    sources = [_slice(number) for number in (1, 2, 3)]
    pixels = np.zeros((3, 4, 4), np.uint8)
    pixels[:, 0, 0], pixels[1, 1, 1] = 1, 2
    algorithm = hd.seg.SegmentAlgorithmTypeValues.MANUAL
    labels = [(1, "Liver", ANATOMICAL_STRUCTURE, LIVER), (2, "Lesion 1", MORPHOLOGICALLY_ALTERED, LESION)]
    document = hd.seg.Segmentation(
        sources,
        pixels,
        hd.seg.SegmentationTypeValues.BINARY,
        [hd.seg.SegmentDescription(*said, algorithm, anatomic_regions=[LIVER]) for said in labels],
        **PLACE,
        **MAKER,
    )
    document.add_new("ContentDate", "DA", "20260102")
    document.add_new("ContentTime", "TM", "114000")
    return identify(document)
