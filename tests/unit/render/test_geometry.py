"""Points in space and on pixels, and what is drawn of each region type."""

from __future__ import annotations

import numpy as np
import pytest

from processors.core.events import Region
from processors.dicom.frames import Plane
from processors.render.geometry import nearest, outlines_2d, outlines_3d, to_pixels, to_space

AXIAL = Plane((-100, -50, 30), (1, 0, 0), (0, 1, 0), 2.0, 0.5)
"""Rows 2 mm apart, columns 0.5 mm."""
OBLIQUE = Plane((1, 2, 3), (0, 0.6, 0.8), (1, 0, 0), 1.5, 1.0)


def test_the_first_pixel_s_centre_is_half_a_pixel_from_the_corner() -> None:
    corner_and_centre = to_pixels(AXIAL, np.array([[-100.25, -51, 30], [-100, -50, 30], [-99.5, -46, 99]]))
    assert corner_and_centre.tolist() == [[0, 0], [0.5, 0.5], [1.5, 2.5]]


@pytest.mark.parametrize("plane", [AXIAL, OBLIQUE])
def test_pixels_to_space_and_back(plane: Plane) -> None:
    pixels = np.array([[0, 0], [10.25, 3.5], [511, 600]])
    assert to_pixels(plane, to_space(plane, pixels)) == pytest.approx(pixels)


def stack(count: int, step: float = 5) -> list[Plane]:
    return [AXIAL._replace(position=(-100, -50, step * at)) for at in range(count)]


CORONAL = Plane((-100, 0, 100), (1, 0, 0), (0, 0, -1), 1, 1)


def test_a_contour_goes_on_the_slice_it_was_drawn_on() -> None:
    contour = Region("polygon", (0, 0, 11, 9, 0, 11, 9, 9, 11, 0, 0, 11))
    assert nearest([CORONAL, *stack(5)], contour) == pytest.approx((3, 1))
    upright = Region("polygon", (0, 2, 0, 0, 2, 20, 9, 2, 20, 0, 2, 0))
    assert nearest([*stack(5), CORONAL], upright) == pytest.approx((5, 2))


def test_of_slices_equally_far_the_first_is_taken() -> None:
    assert nearest(stack(3), Region("point", (0, 0, 7.5))) == pytest.approx((1, 2.5))


def test_an_ellipsoid_goes_where_its_centre_is() -> None:
    ellipsoid = Region("ellipsoid", (-9, 0, 6, 9, 0, 6, 0, -5, 6, 0, 5, 6, 0, 0, 2, 0, 0, 10))
    assert nearest(stack(5), ellipsoid) == pytest.approx((1, 1))


def radii(region: Region, center: tuple[float, float]) -> tuple[float, float]:
    (outline,) = outlines_2d(region)
    lengths = np.hypot(*(outline.points - center).T)
    return float(lengths.min()), float(lengths.max())


def test_a_circle_is_centre_and_edge() -> None:
    assert radii(Region("circle", (20, 30, 23, 34)), (20, 30)) == pytest.approx((5, 5))


def test_an_ellipse_is_the_ends_of_two_axes() -> None:
    leaning = Region("ellipse", (14, 24, 26, 36, 23, 27, 17, 33))
    assert radii(leaning, (20, 30)) == pytest.approx((3 * 2**0.5, 6 * 2**0.5), rel=1e-3)


def test_lines_stay_as_they_are_and_points_stand_alone() -> None:
    (line,) = outlines_2d(Region("polyline", (1, 2, 3, 4.5)))
    assert line.points.tolist() == [[1, 2], [3, 4.5]]
    assert [each.points.tolist() for each in outlines_2d(Region("multipoint", (1, 2, 3, 4)))] == [
        [[1, 2]],
        [[3, 4]],
    ]


@pytest.mark.parametrize("closed", [False, True])
def test_a_curve_goes_through_all_its_points(closed: bool) -> None:
    corners = [(10, 10), (40, 12), (50, 40), (12, 44), *([(10, 10)] if closed else [])]
    (curve,) = outlines_2d(Region("interpolated", tuple(at for corner in corners for at in corner)))
    for corner in corners:
        assert np.hypot(*(curve.points - corner).T).min() < 1e-9
    assert len(curve.points) > 3 * len(corners)


def test_a_region_in_space_is_projected_along_the_normal() -> None:
    (line,) = outlines_3d(Region("polyline", (-100, -50, 31, -99, -46, 27)), AXIAL)
    assert line.points.tolist() == [[0.5, 0.5], [2.5, 2.5]]
    (ellipse,) = outlines_3d(Region("ellipse", (-5, 0, 30, 5, 0, 30, 0, -3, 30, 0, 3, 30)), AXIAL)
    assert np.ptp(ellipse.points, axis=0) == pytest.approx([10 / 0.5, 6 / 2])


@pytest.mark.parametrize(("z", "size"), [(30, (10, 6)), (34, (6, 3.6))])
def test_an_ellipsoid_is_cut_by_the_slice(z: float, size: tuple[float, float]) -> None:
    """Half axes 5, 3 and 5 mm around 0, 0, 30: 4 mm above its centre it is three fifths as wide."""
    ball = Region("ellipsoid", (-5, 0, 30, 5, 0, 30, 0, -3, 30, 0, 3, 30, 0, 0, 25, 0, 0, 35))
    plane = AXIAL._replace(position=(-100, -50, z), row_spacing=1.0, column_spacing=1.0)
    (cut,) = outlines_3d(ball, plane)
    assert np.ptp(cut.points, axis=0) == pytest.approx(size, rel=1e-3)
    assert cut.points.mean(axis=0) == pytest.approx([100.5, 50.5], abs=0.1)
    assert outlines_3d(ball, plane._replace(position=(0, 0, 35.1))) == []
