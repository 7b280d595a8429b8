"""Segments on the frames of other images, by where both lie.

Rules of this file: numpy on masks and planes. A segment's frames need not have the size, spacing or direction
of the image's: each drawn pixel is looked up where it is in space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.dicom.frames import Frames, Plane
from processors.dicom.segment_frames import SegmentFrame
from processors.render.geometry import Points, distances, normal, to_pixels, to_space

Mask = NDArray[np.bool_]

_SAMPLES = 64
"""Pixels of a mask, spread over it, that are asked whether they lie near an image."""
_PARALLEL = 0.999
"""Cosine of the angle up to which two frames count as parallel: 2.6 degrees."""


class PlacedFrame(NamedTuple):
    """A segment's frame as it lies on an image's."""

    shown: SegmentFrame
    plane: Plane
    """Of the segment's frame."""
    on: Plane
    """Of the image's frame, in the same space."""
    reach_mm: float
    """How far the segment reaches to each side of its plane."""


def reach_of(frames: Frames) -> float:
    """Half the distance between neighbouring frames, or half their thickness if that is less, in mm.

    An object holds only frames that are not empty, so neighbours alone would bridge gaps.
    """
    planes = [plane for plane in frames.planes if plane]
    known = [plane.thickness for plane in planes[:1] if plane.thickness > 0]
    if len(planes) > 1:
        along = np.sort(np.array([plane.position for plane in planes]) @ normal(planes[0]))
        steps = np.diff(along)
        if (steps > 1e-3).any():
            known.append(float(steps[steps > 1e-3].min()))
    return min(known, default=1.0) / 2 + 1e-3


def near(shown: SegmentFrame, plane: Plane, reach_mm: float, planes: Sequence[Plane]) -> NDArray[np.intp]:
    """Those of the images' `planes` on which something of a segment's frame shows."""
    rows, columns = np.nonzero(shown.mask)
    chosen = np.unique(np.linspace(0, len(rows) - 1, _SAMPLES).astype(int))
    pixels = np.column_stack((columns[chosen] + shown.column, rows[chosen] + shown.row)) + 0.5
    normals = np.array([normal(each) for each in planes])
    offsets = np.einsum("ij,ij->i", normals, np.array([each.position for each in planes]))
    parallel = np.abs(normals @ normal(plane)) > _PARALLEL
    reach = np.where(parallel, reach_mm, max(reach_mm, plane.row_spacing, plane.column_spacing))
    off = np.abs(to_space(plane, pixels) @ normals.T - offsets)
    return np.flatnonzero((off <= reach).any(axis=0))


def mask_on(placed: Sequence[PlacedFrame], size: tuple[int, int], drawn: tuple[int, int]) -> Mask:
    """The segment on a frame of `size` (rows, columns) drawn at `drawn` (rows, columns) pixels."""
    rows, columns = ((np.arange(count) + 0.5) * of / count for of, count in zip(size, drawn, strict=True))
    grid = np.column_stack((np.tile(columns, drawn[0]), np.repeat(rows, drawn[1])))
    mask = np.zeros(len(grid), np.bool_)
    for each in placed:
        _mark(mask, each, to_space(each.on, grid))
    return mask.reshape(drawn)


def _mark(mask: Mask, placed: PlacedFrame, where: Points) -> None:
    within = np.flatnonzero(np.abs(distances(placed.plane, where)) <= placed.reach_mm)
    if not within.size:
        return
    shown = placed.shown
    at = np.floor(to_pixels(placed.plane, where[within])).astype(np.int64) - (shown.column, shown.row)
    height, width = shown.mask.shape
    inside = ((at >= 0) & (at < (width, height))).all(axis=1)
    at, within = at[inside], within[inside]
    mask[within] |= shown.mask[at[:, 1], at[:, 0]]


def border(mask: Mask, width: int) -> Mask:
    """A line of `width` pixels to both sides of the mask's edge; the picture's own edge is none."""
    padded = np.pad(mask, width, mode="edge")
    grown, shrunk = padded.copy(), padded.copy()
    for _ in range(width):
        grown, shrunk = _spread(grown), ~_spread(~shrunk)
    return (grown & ~shrunk)[width:-width, width:-width]


def _spread(mask: Mask) -> Mask:
    wider = mask.copy()
    wider[1:] |= mask[:-1]
    wider[:-1] |= mask[1:]
    wide = wider.copy()
    wider[:, 1:] |= wide[:, :-1]
    wider[:, :-1] |= wide[:, 1:]
    return wider
