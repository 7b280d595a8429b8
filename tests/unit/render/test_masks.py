"""Segments on images of another size, spacing or direction."""

from __future__ import annotations

import numpy as np
import pytest

from processors.dicom.frames import Frames, Plane
from processors.dicom.segment_frames import SegmentFrame
from processors.render.masks import PlacedFrame, border, mask_on, near, reach_of

OWN = Plane((0, 0, 10), (1, 0, 0), (0, 1, 0), 1, 1, 4)


def shown(plane: Plane = OWN) -> SegmentFrame:
    """Columns 2 and 3 of rows 1 to 4."""
    return SegmentFrame(1, 1, plane, 1, 2, np.ones((4, 2), bool), None)


def places(mask: np.ndarray) -> tuple[set[int], set[int]]:
    rows, columns = np.nonzero(mask)
    return set(rows.tolist()), set(columns.tolist())


@pytest.mark.parametrize(
    ("on", "rows", "columns"),
    [
        (OWN, {1, 2, 3, 4}, {2, 3}),
        (OWN._replace(position=(-1, 0, 11)), {1, 2, 3, 4}, {3, 4}),
        (
            OWN._replace(position=(-0.25, -0.25, 10), row_spacing=0.5, column_spacing=0.5),
            set(range(2, 10)),
            {4, 5, 6, 7},
        ),
        (OWN._replace(along_row=(0, 1, 0), along_column=(1, 0, 0)), {2, 3}, {1, 2, 3, 4}),
        (OWN._replace(position=(0, 0, 12.5)), set(), set()),
        (Plane((0, 2, 6), (1, 0, 0), (0, 0, 1), 1, 1), {2, 3, 4, 5, 6}, {2, 3}),
    ],
    ids=["its own plane", "a shifted one", "half the spacing", "transposed", "too far", "upright: a cut"],
)
def test_a_segment_shows_where_it_lies(on: Plane, rows: set[int], columns: set[int]) -> None:
    mask = mask_on([PlacedFrame(shown(), OWN, on, 2.0)], (16, 16), (16, 16))
    assert places(mask) == (rows, columns)


def test_a_picture_may_be_larger_than_its_frame() -> None:
    mask = mask_on([PlacedFrame(shown(), OWN, OWN, 2.0)], (16, 16), (32, 48))
    assert places(mask) == (set(range(2, 10)), set(range(6, 12)))


def test_images_near_a_frame_are_found() -> None:
    planes = [OWN._replace(position=(0, 0, z)) for z in (4, 7, 8.5, 11, 13)]
    upright = [Plane((0, y, 0), (1, 0, 0), (0, 0, 1), 1, 1) for y in (0, 3, 9)]
    assert near(shown(), OWN, 2.0, [*planes, *upright]).tolist() == [2, 3, 5, 6]


def frames(*planes: Plane) -> Frames:
    return Frames("1", "2", "3", "4", None, None, "5", False, 8, 8, 1, planes, ())


@pytest.mark.parametrize(
    ("planes", "reach_mm"),
    [
        ([OWN], 2),
        ([OWN._replace(thickness=0)], 0.5),
        ([OWN, OWN._replace(position=(0, 0, 13))], 1.5),
        ([OWN, OWN._replace(position=(0, 0, 90))], 2),
        ([OWN, OWN], 2),
    ],
    ids=["thickness", "nothing said", "neighbours", "a gap is not bridged", "two segments of one slice"],
)
def test_a_segment_reaches_half_way_to_its_neighbour(planes: list[Plane], reach_mm: float) -> None:
    assert reach_of(frames(*planes)) == pytest.approx(reach_mm, abs=0.01)


def test_a_border_is_a_line_on_both_sides_but_not_along_the_picture_s_edge() -> None:
    mask = np.zeros((8, 8), bool)
    mask[2:8, 2:6] = True
    line = border(mask, 1)
    assert line[2].tolist() == [False, True, True, True, True, True, True, False]
    assert not line[3:, 3:5].any()
    assert line[7].tolist() == [False, True, True, False, False, True, True, False]
