"""Geometry of single SCOORD and SCOORD3D items."""

from __future__ import annotations

import math

import pytest
from pydicom.dataset import Dataset

from processors.core.events import Region
from processors.dicom.spatial import in_matrix, plane_regions, space_region
from tests.builders.readings import reading_of
from tests.unit.dicom.report_items import scoord, scoord3d

NAN = float("nan")


def plane(item: Dataset) -> tuple[Region, ...]:
    reading = reading_of(item)
    return plane_regions(reading.dataset, reading)


def space(item: Dataset) -> Region | None:
    reading = reading_of(item)
    return space_region(reading.dataset, reading)


@pytest.mark.parametrize(
    ("graphic_type", "data"),
    [
        ("POINT", (1.5, 2)),
        ("POLYLINE", (0, 0, 1, 0, 1, 1)),
        ("POLYLINE", (0, 0, 1, 0, 1, 1, 0, 0)),
        ("MULTIPOINT", (1, 2, 3, 4)),
        ("CIRCLE", (1, 1, 1, 2)),
        ("ELLIPSE", (0, 1, 4, 1, 2, 0, 2, 2)),
    ],
)
def test_plane_region_keeps_its_points(graphic_type: str, data: tuple[float, ...]) -> None:
    assert plane(scoord(graphic_type, data)) == (Region(graphic_type.lower(), data),)


@pytest.mark.parametrize(
    ("graphic_type", "data"),
    [
        ("POLYLINE", (1, 1, 2, 2, 3)),
        ("POLYLINE", (1, 1)),
        ("CIRCLE", (1, 1, 2, 2, 3, 3)),
        ("ELLIPSE", (1, 1, 2, 2)),
        ("POINT", (1, 1, 2, 2)),
        ("MULTIPOINT", (1, 1, 2)),
        ("MULTIPOINT", ()),
        ("INTERPOLATE", (1, 1, 2, 2)),
        ("", (1, 1)),
        ("POINT", (NAN, 1)),
        ("POLYLINE", (NAN, NAN, 1, 1, 2, 2)),
        ("POINT", (math.inf, 1)),
    ],
)
def test_plane_region_with_a_wrong_count_or_number_is_none(
    graphic_type: str, data: tuple[float, ...]
) -> None:
    assert plane(scoord(graphic_type, data)) == ()


@pytest.mark.parametrize(("origin", "volume"), [("FRAME", False), ("VOLUME", True), (None, False)])
def test_what_coordinates_count_from(origin: str | None, volume: bool) -> None:
    item = scoord("POINT", (1, 1))
    if origin:
        item.PixelOriginInterpretation = origin
    reading = reading_of(item)
    assert in_matrix(reading.dataset, reading) is volume


def test_missing_graphic_data_or_type() -> None:
    for keyword in ("GraphicData", "GraphicType"):
        item = scoord("POINT", (1, 1))
        del item[keyword]
        assert plane(item) == ()


TRIANGLE = (0, 0, 5, 1, 0, 5, 1, 1, 5)


@pytest.mark.parametrize(
    ("graphic_type", "data", "coordinates"),
    [
        ("POINT", (10.5, -3.25, 100), (10.5, -3.25, 100)),
        ("MULTIPOINT", (1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5, 6)),
        ("POLYLINE", TRIANGLE, TRIANGLE),
        ("POLYGON", (*TRIANGLE, 0, 0, 5), (*TRIANGLE, 0, 0, 5)),
        ("POLYGON", (*TRIANGLE, 1e-5, 0, 5), (*TRIANGLE, 0, 0, 5)),
        ("ELLIPSE", tuple(range(12)), tuple(range(12))),
        ("ELLIPSOID", tuple(range(18)), tuple(range(18))),
    ],
)
def test_space_region(graphic_type: str, data: tuple[float, ...], coordinates: tuple[float, ...]) -> None:
    item = scoord3d(graphic_type, data)
    assert space(item) == Region(graphic_type.lower(), coordinates)


@pytest.mark.parametrize(
    ("graphic_type", "data"),
    [
        ("POLYGON", TRIANGLE),
        ("POLYGON", (*TRIANGLE, 0, 0, 5.1)),
        ("POINT", (1, 2)),
        ("ELLIPSOID", tuple(range(12))),
        ("CIRCLE", (1, 2, 3, 4, 5, 6)),
        ("POINT", (NAN, 1, 2)),
    ],
)
def test_space_region_that_is_open_or_has_a_wrong_count_is_none(
    graphic_type: str, data: tuple[float, ...]
) -> None:
    item = scoord3d(graphic_type, data)
    assert space(item) is None
