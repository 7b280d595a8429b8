"""Contours for looking at: all of them, with holes, and closed."""

from processors.core.events import Region
from processors.dicom.contours import drawn_regions
from tests.builders.images import FRAME_OF_REFERENCE, encoded
from tests.builders.structure_sets import contour, roi, structure_set

TRIANGLE = ("0", "0", "5", "4", "0", "5", "0", "4", "5")


def test_each_region_of_interest_keeps_all_that_can_be_drawn() -> None:
    drawn = {
        3: [contour("CLOSEDPLANAR_XOR", TRIANGLE), contour("CLOSED_PLANAR", TRIANGLE[:3])],
        4: [contour("OPEN_PLANAR", TRIANGLE)] * 300 + [contour("POINT", TRIANGLE[:3])],
    }
    data = encoded(structure_set([roi(3, "A"), roi(4, "B")], drawn))
    holes, lines = drawn_regions(data, ())
    assert holes == (3, FRAME_OF_REFERENCE, (Region("polygon", (0, 0, 5, 4, 0, 5, 0, 4, 5, 0, 0, 5)),))
    assert len(lines.contours) == 301
    assert {each.region_type for each in lines.contours} == {"polyline", "point"}
    assert drawn_regions(data, [4]) == [lines]
