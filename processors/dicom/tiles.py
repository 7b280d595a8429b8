"""Where the frames of a tiled image lie in its Total Pixel Matrix (PS3.3 C.7.6.17), and what they show.

Rules of this file: headers only. Positions in the object count from 1, here from 0 as pixels do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from processors.core.vocabulary import SEGMENTATIONS
from processors.dicom.data_set import DataSet
from processors.dicom.header import sop_class_of
from processors.dicom.reading import Reading
from processors.dicom.values import first, items, unsigned_numbers

Origin = tuple[int, int]
"""Row and column of a frame's top left pixel."""


class Tiles(NamedTuple):
    matrix: tuple[int, int]
    """Rows and columns of the whole."""
    origins: tuple[Origin | None, ...]
    """Of each frame, None where it does not say."""
    segments: tuple[int, ...]
    """Segment of each frame, where its order alone says it; else empty."""


def tiles_of(reading: Reading, per_frame: Sequence[DataSet]) -> Tiles | None:
    """None for an image that is no part of a larger matrix. `per_frame`: functional groups of each frame."""
    dataset = reading.dataset
    rows, columns, *matrix = (
        next(iter(unsigned_numbers(dataset, keyword, reading)), 0)
        for keyword in ("Rows", "Columns", "TotalPixelMatrixRows", "TotalPixelMatrixColumns")
    )
    if not all((rows, columns, *matrix)):
        return None
    height, width = matrix
    if first(dataset, "DimensionOrganizationType", reading) != "TILED_FULL":
        return Tiles((height, width), tuple(_origin(frame, reading) for frame in per_frame), ())
    across, down = -(-width // columns), -(-height // rows)
    places = [divmod(at % (across * down), across) for at in range(len(per_frame))]
    origins = tuple((row * rows, column * columns) for row, column in places)
    return Tiles((height, width), origins, _segments(reading, len(per_frame), across * down))


def _origin(frame: DataSet, reading: Reading) -> Origin | None:
    for place in items(frame, "PlanePositionSlideSequence", reading)[:1]:
        row, column = (
            next(iter(unsigned_numbers(place, f"{side}PositionInTotalImagePixelMatrix", reading)), 0)
            for side in ("Row", "Column")
        )
        return (row - 1, column - 1) if row and column else None
    return None


def _segments(reading: Reading, frames: int, tiles: int) -> tuple[int, ...]:
    """In TILED_FULL all tiles of the first segment come first, on each focal plane (PS3.3 C.7.6.17.3)."""
    if sop_class_of(reading) not in SEGMENTATIONS:
        return ()
    planes = next(iter(unsigned_numbers(reading.dataset, "TotalPixelMatrixFocalPlanes", reading)), 1) or 1
    numbers = [
        number
        for segment in items(reading.dataset, "SegmentSequence", reading)
        for number in unsigned_numbers(segment, "SegmentNumber", reading)[:1]
    ]
    each = tiles * planes
    if len(numbers) * each != frames:
        return ()
    return tuple(number for number in numbers for _ in range(each))
