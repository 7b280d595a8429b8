"""Graphic types of regions, and what their coordinates must be.

Rules of this file: FHIR's two required code lists, of R5 and R6 together, with the counts of PS3.3
C.18.6.1.2 (2D), C.18.9.1.2 (3D) and C.10.5 (presentation states); pure, tells rules and never values.
"""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

from processors.core.events import Region


class Arity(NamedTuple):
    """How many numbers a graphic type takes."""

    least: int
    exactly: bool


GRAPHIC_TYPES_2D = {
    "point": Arity(2, True),
    "multipoint": Arity(2, False),
    "polyline": Arity(4, False),
    "interpolated": Arity(4, False),
    "circle": Arity(4, True),
    "ellipse": Arity(8, True),
}
"""column\\row pairs. R5 has no 2D code for multipoint: `points_apart` (MAPPING 2.3)."""

GRAPHIC_TYPES_3D = {
    "point": Arity(3, True),
    "multipoint": Arity(3, False),
    "polyline": Arity(6, False),
    "polygon": Arity(12, False),
    "ellipse": Arity(12, True),
    "ellipsoid": Arity(18, True),
}
"""x\\y\\z triplets in mm; a polygon is three points and the first one again."""

CLOSING_TOLERANCE_MM = 1e-3
"""First and last vertex of a polygon may differ so much per axis. Below 1e-4, binary32 rounding of a patient
coordinate opens closed contours; near a pixel's size, open contours would pass as closed."""


def region_problem_2d(region: Region) -> str | None:
    """The broken rule of a 2D region, or None."""
    return _problem(region, GRAPHIC_TYPES_2D, 2)


def region_problem_3d(region: Region) -> str | None:
    """The broken rule of a 3D region, or None."""
    problem = _problem(region, GRAPHIC_TYPES_3D, 3)
    if problem is None and region.region_type == "polygon" and not is_closed(region.coordinates):
        return "a polygon ends where it begins"
    return problem


def points_apart(regions_2d: tuple[Region, ...]) -> list[Region]:
    """With a point for each of a multipoint."""
    apart: list[Region] = []
    for region in regions_2d:
        if region.region_type == "multipoint":
            numbers = region.coordinates
            apart += [Region("point", numbers[at : at + 2]) for at in range(0, len(numbers), 2)]
        else:
            apart.append(region)
    return apart


def is_closed(coordinates: tuple[int | float, ...]) -> bool:
    """Whether the first and last triplet are the same point."""
    pairs = zip(coordinates[:3], coordinates[-3:], strict=True)
    return all(abs(first - last) <= CLOSING_TOLERANCE_MM for first, last in pairs)


def _problem(region: Region, types: dict[str, Arity], dimensions: int) -> str | None:
    arity = types.get(region.region_type)
    if arity is None:
        return f"region type is one of FHIR's {dimensions}D graphic types"
    count = len(region.coordinates)
    if count % dimensions:
        return f"coordinates come in groups of {dimensions}"
    if count < arity.least or (arity.exactly and count != arity.least):
        return "number of coordinates fits the region type"
    if not all(isfinite(number) for number in region.coordinates):
        return "coordinates are finite numbers"
    return None
