r"""Between the frame of reference and the pixels of a frame; region types as lines to draw.

Rules of this file: numpy on points, no files and no drawing. Pixel coordinates are FHIR's and SCOORD's:
column then row, 0\0 the top left corner of the top left pixel (PS3.3 C.18.6), while DICOM's Image Position is
that pixel's centre: half a pixel lies between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.core.events import Region
from processors.dicom.frames import Plane

Points = NDArray[np.float64]
"""Shape (n, 2) in pixels or (n, 3) in mm."""

CURVE_POINTS = 128
"""Corners of a drawn circle or ellipse."""
CHOOSING_POINTS = 64
"""Of a region, spread over it, when its nearest slice is looked for."""


class Outline(NamedTuple):
    points: Points
    """In pixels of the frame; one alone is a point."""


def unit_plane(rows: int, columns: int) -> Plane:
    """For frames that lie nowhere: the image as a square of 1 mm, so that one fits on another of any size."""
    return Plane((0.5 / columns, 0.5 / rows, 0), (1, 0, 0), (0, 1, 0), 1 / rows, 1 / columns)


def normal(plane: Plane) -> Points:
    return np.cross(plane.along_row, plane.along_column)


def distances(plane: Plane, points: Points) -> Points:
    """Signed, in mm, of points in space from the plane; shape (n,)."""
    return np.asarray((points - np.asarray(plane.position)) @ normal(plane))


def to_pixels(plane: Plane, points: Points) -> Points:
    """Points in space, projected along the normal: (column, row)."""
    moved = points - np.asarray(plane.position)
    columns = moved @ np.asarray(plane.along_row) / plane.column_spacing
    rows = moved @ np.asarray(plane.along_column) / plane.row_spacing
    return np.column_stack((columns, rows)) + 0.5


def to_space(plane: Plane, pixels: Points) -> Points:
    """Pixel coordinates to mm; the inverse of `to_pixels` on the plane."""
    columns, rows = (pixels - 0.5).T
    along_row = np.outer(columns * plane.column_spacing, plane.along_row)
    along_column = np.outer(rows * plane.row_spacing, plane.along_column)
    return np.asarray(plane.position) + along_row + along_column


def nearest(planes: Sequence[Plane], region: Region) -> tuple[int, float]:
    """The plane whose farthest point of the region is nearest, the first of equal ones, and that distance in
    mm. So a contour goes on the slice it was drawn on, not on one that crosses it. Of an ellipsoid its centre
    counts.
    """
    points = _points(region, 3)
    if region.region_type == "ellipsoid":
        points = points.mean(axis=0, keepdims=True)
    chosen = points[np.unique(np.linspace(0, len(points) - 1, CHOOSING_POINTS).astype(int))]
    normals = np.array([normal(plane) for plane in planes])
    offsets = np.einsum("ij,ij->i", normals, np.array([plane.position for plane in planes]))
    farthest = np.abs(chosen @ normals.T - offsets).max(axis=0)
    at = int(np.flatnonzero(farthest <= farthest.min() + 1e-6)[0])
    return at, float(np.abs(distances(planes[at], points)).max())


def outlines_2d(region: Region) -> list[Outline]:
    """What is drawn of a 2D region; PS3.3 C.18.6.1.2 and C.10.5.1.2 say what the coordinates mean."""
    points = _points(region, 2)
    match region.region_type:
        case "point" | "multipoint":
            return [Outline(point[np.newaxis]) for point in points]
        case "circle":
            center, edge = points
            radius = float(np.hypot(*(edge - center)))
            return [Outline(_ellipse(center, np.array([radius, 0]), np.array([0, radius])))]
        case "ellipse":
            return [Outline(_ellipse(*_axes(points)))]
        case "interpolated":
            return [Outline(_curve(points))]
        case _:
            return [Outline(points)]


def outlines_3d(region: Region, plane: Plane) -> list[Outline]:
    """What is drawn of a 3D region on a slice: its projection along the normal, of an ellipsoid its cut."""
    points = _points(region, 3)
    match region.region_type:
        case "point" | "multipoint":
            return [Outline(point[np.newaxis]) for point in to_pixels(plane, points)]
        case "ellipse":
            return [Outline(to_pixels(plane, _ellipse(*_axes(points))))]
        case "ellipsoid":
            cut = _cut(points, plane)
            return [Outline(to_pixels(plane, cut))] if len(cut) else []
        case _:
            return [Outline(to_pixels(plane, points))]


def on_tile(outline: Outline, origin: tuple[int, int], size: tuple[int, int]) -> Outline | None:
    """An outline of the Total Pixel Matrix in coordinates of a tile of it, None where none of it is there.

    `origin` is row and column of the tile's top left pixel, `size` its rows and columns.
    """
    points = outline.points - np.array(origin[::-1], np.float64)
    reach = np.array(size[::-1], np.float64)
    if (points.max(axis=0) < 0).any() or (points.min(axis=0) > reach).any():
        return None
    starts = points[:-1] if len(points) > 1 else points
    ways = (points[1:] if len(points) > 1 else points) - starts
    with np.errstate(divide="ignore", invalid="ignore"):  # where a line does not move along an axis
        one, other = -starts / ways, (reach - starts) / ways
    still = ways == 0
    within = (starts >= 0) & (starts <= reach)
    enters = np.where(still, np.where(within, -np.inf, np.inf), np.minimum(one, other)).max(axis=1)
    leaves = np.where(still, np.where(within, np.inf, -np.inf), np.maximum(one, other)).min(axis=1)
    meets = np.maximum(enters, 0) <= np.minimum(leaves, 1)
    return Outline(points) if meets.any() else None


def _points(region: Region, dimensions: int) -> Points:
    return np.asarray(region.coordinates, np.float64).reshape(-1, dimensions)


def _axes(ends: Points) -> tuple[Points, Points, Points]:
    """Centre and half axes of an ellipse given by the ends of its major and minor axis."""
    return ends.mean(axis=0), (ends[1] - ends[0]) / 2, (ends[3] - ends[2]) / 2


def _ellipse(center: Points, major: Points, minor: Points) -> Points:
    angles = np.linspace(0, 2 * np.pi, CURVE_POINTS + 1)
    return np.asarray(center + np.outer(np.cos(angles), major) + np.outer(np.sin(angles), minor))


def _curve(points: Points) -> Points:
    """A smooth line through all points (Catmull-Rom); closed if they are. How it runs in between is left to
    the implementation (PS3.3 C.10.5.1.2).
    """
    closed = len(points) > 3 and bool(np.allclose(points[0], points[-1]))
    before, after = (points[-2], points[1]) if closed else (points[0], points[-1])
    padded = np.vstack((before, points, after))
    steps = np.linspace(0, 1, 16, endpoint=False)[:, np.newaxis]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        cubic = 2 * b + (c - a) * steps + (2 * a - 5 * b + 4 * c - d) * steps**2
        pieces.append((cubic + (3 * b - a - 3 * c + d) * steps**3) / 2)
    return np.vstack((*pieces, points[-1:]))


def _cut(ends: Points, plane: Plane) -> Points:
    """Where a plane cuts an ellipsoid given by the ends of three axes: an ellipse, or nothing.

    In coordinates of its half axes the ellipsoid is the unit sphere, and a plane cuts that in a circle.
    """
    center = ends.mean(axis=0)
    axes = np.column_stack([(ends[at + 1] - ends[at]) / 2 for at in (0, 2, 4)])
    across = axes.T @ normal(plane)
    length = float(np.linalg.norm(across))
    offset = -float(distances(plane, center[np.newaxis])[0]) / length if length else 1.0
    if abs(offset) >= 1:
        return np.empty((0, 3))
    across = across / length
    first = np.cross(across, np.eye(3)[np.argmin(np.abs(across))])
    first /= np.linalg.norm(first)
    radius = np.sqrt(1 - offset**2)
    circle = _ellipse(offset * across, radius * first, radius * np.cross(across, first))
    return np.asarray(center + circle @ axes.T)
