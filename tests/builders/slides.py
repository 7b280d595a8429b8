"""A whole slide in tiles, and a segmentation cut alike: small, with pixels that tell the tiles apart.

Rules of this file: nine tiles of 40 rows and 50 columns of a matrix of 100 rows and 150 columns, of which the
lowest are not full (PS3.3 C.7.6.17.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import VLWholeSlideMicroscopyImageStorage

from tests.builders.images import image
from tests.builders.segmentations import bare_segmentation, segment

ROWS, COLUMNS, ACROSS, TILES = 40, 50, 3, 9
GREY = 25
"""So much brighter is each tile than the one before."""
SLIDE_FRAME = "2.999.1.99"


def _tiled(header: Dataset, tiles: Sequence[int] | None) -> Dataset:
    """With `tiles`, numbered from 1 row by row, in that order; None: all in their order, and that is said."""
    header.Rows, header.Columns = ROWS, COLUMNS
    header.TotalPixelMatrixRows, header.TotalPixelMatrixColumns = 100, 150
    header.FrameOfReferenceUID = SLIDE_FRAME
    header.DimensionOrganizationType = "TILED_FULL" if tiles is None else "TILED_SPARSE"
    header.PerFrameFunctionalGroupsSequence = [_place(tile) for tile in tiles or ()]
    header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
    return header


def _place(tile: int) -> Dataset:
    place, groups = Dataset(), Dataset()
    place.RowPositionInTotalImagePixelMatrix = (tile - 1) // ACROSS * ROWS + 1
    place.ColumnPositionInTotalImagePixelMatrix = (tile - 1) % ACROSS * COLUMNS + 1
    groups.PlanePositionSlideSequence = [place]
    return groups


def slide(tiles: Sequence[int] | None = None) -> Dataset:
    """Slide 2.999.1.8.1 of series 2.999.1.8; tile n has the grey n times `GREY`."""
    shown = tiles or range(1, TILES + 1)
    header = image(
        *("2.999.1.8", "2.999.1.8.1"),
        series_number=8,
        number=1,
        sop_class=VLWholeSlideMicroscopyImageStorage,
        modality="SM",
        frames=len(shown),
    )
    header = _tiled(header, tiles)
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit = 7
    header.WindowCenter, header.WindowWidth = 128, 256
    header.PixelData = b"".join(bytes([GREY * tile]) * (ROWS * COLUMNS) for tile in shown)
    return header


def slide_segmentation(masks: Mapping[tuple[int, int], NDArray[np.bool_]], segments: int = 2) -> Dataset:
    """All tiles of each segment in their order; `masks` by segment and tile, both from 1."""
    header = _tiled(bare_segmentation([segment(n + 1) for n in range(segments)]), None)
    del header.PerFrameFunctionalGroupsSequence
    header.NumberOfFrames = segments * TILES
    header.BitsAllocated = header.BitsStored = 1
    header.HighBit = 0
    pixels = np.zeros((segments, TILES, ROWS, COLUMNS), np.uint8)
    for (number, tile), mask in masks.items():
        pixels[number - 1, tile - 1] = mask
    header.PixelData = np.packbits(pixels.ravel(), bitorder="little").tobytes()
    return header
