"""Segments of a segmentation as masks with the planes they lie in.

Rules of this file: which frames show a segment and which of their pixels do (PS3.3 C.8.20); placing them on
other images is the caller's. Needs the extra `render`: nothing else of this room imports it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from processors.core.vocabulary import LABEL_MAP_SEGMENTATION
from processors.dicom.frames import Frames, Plane
from processors.dicom.pixels import Picture, PixelsUnreadable
from processors.dicom.read import read_object
from processors.dicom.reading import Reading
from processors.dicom.uids import uid
from processors.dicom.values import first, items, unsigned_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SegmentFrame(NamedTuple):
    """The part of one frame that is not empty."""

    segment: int
    frame: int
    """From 1."""
    plane: Plane | None
    row: int
    column: int
    """Of the mask's top left pixel in the frame, from 0."""
    mask: NDArray[np.bool_]
    source: tuple[str, int] | None
    """SOP Instance UID and frame number of the image that the frame was drawn on, if it names one."""


def segment_numbers(data: bytes) -> list[int]:
    """All segments that Segment Sequence lists, without a label map's background. Raises Refused."""
    reading = read_object(data)
    found = (
        unsigned_numbers(segment, "SegmentNumber", reading)
        for segment in items(reading.dataset, "SegmentSequence", reading)
    )
    return sorted({number for numbers in found for number in numbers[:1] if number})


def segment_frames(data: bytes, frames: Frames, segments: Collection[int]) -> Iterator[SegmentFrame]:
    """Frames that show one of `segments`, in the object's order; only those are decoded.

    A fractional segment is where it is at least half its maximum. Raises Refused, and PixelsUnreadable also
    where neither the frames nor their order (`tiles`) say which segment each shows.
    """
    reading = read_object(data)
    kind = first(reading.dataset, "SegmentationType", reading)
    if not frames.segments and kind != "LABELMAP" and frames.sop_class_uid != LABEL_MAP_SEGMENTATION:
        raise PixelsUnreadable("its frames do not say which segment they show")
    picture = Picture(data)
    half = picture.value("MaximumFractionalValue", 255) / 2
    sources = _sources(reading)
    for at, plane in enumerate(frames.planes):
        if frames.segments and frames.segments[at] not in segments:
            continue
        stored = picture.stored(at + 1)
        if frames.segments:
            masks = {frames.segments[at]: stored >= half if kind == "FRACTIONAL" else stored != 0}
        else:
            masks = {each: stored == each for each in sorted(set(segments) & set(np.unique(stored).tolist()))}
        for segment, mask in masks.items():
            if mask.any():
                yield _cropped(segment, at + 1, plane, mask, sources[at] if at < len(sources) else None)


def _cropped(
    segment: int, frame: int, plane: Plane | None, mask: NDArray[np.bool_], source: tuple[str, int] | None
) -> SegmentFrame:
    """A copy of what is inside the mask's bounds, so that the frame's own array can go."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    inside = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return SegmentFrame(segment, frame, plane, int(rows[0]), int(columns[0]), inside, source)


def _sources(reading: Reading) -> list[tuple[str, int] | None]:
    """First Source Image (0008,2112) of each frame's derivation, with its first frame number."""
    found: list[tuple[str, int] | None] = []
    for groups in items(reading.dataset, "PerFrameFunctionalGroupsSequence", reading):
        source = None
        for derivation in items(groups, "DerivationImageSequence", reading)[:1]:
            for image in items(derivation, "SourceImageSequence", reading)[:1]:
                frame = first(image, "ReferencedFrameNumber", reading)
                source = uid(image, "ReferencedSOPInstanceUID", reading), int(frame) if frame.isdigit() else 1
        found.append(source)
    return found
