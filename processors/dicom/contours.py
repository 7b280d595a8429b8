"""The contours of a structure set as they were drawn, for looking at.

Rules of this file: what a reference leaves out is here too: contours with holes, and as many as there are.
Only what cannot be drawn at all is passed over.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from processors.core.events import Region
from processors.core.graphics import region_problem_3d
from processors.dicom.read import read_object
from processors.dicom.uids import uid
from processors.dicom.values import decimals, first, items, whole_number


class DrawnRegion(NamedTuple):
    """A region of interest."""

    number: int
    frame_of_reference_uid: str
    contours: tuple[Region, ...]


def drawn_regions(data: bytes, numbers: Collection[int]) -> list[DrawnRegion]:
    """Regions of interest with ROI Number in `numbers`, all if that is empty, in the object's order.

    PS3.3 C.8.8.6. Raises Refused for what is no DICOM object.
    """
    reading = read_object(data)
    frames = {
        whole_number(roi, "ROINumber", reading): uid(roi, "ReferencedFrameOfReferenceUID", reading)
        for roi in items(reading.dataset, "StructureSetROISequence", reading)
    }
    found = []
    for roi in items(reading.dataset, "ROIContourSequence", reading):
        number = whole_number(roi, "ReferencedROINumber", reading)
        if number is None or (numbers and number not in numbers):
            continue
        contours = [
            _region(first(each, "ContourGeometricType", reading), decimals(each, "ContourData", reading))
            for each in items(roi, "ContourSequence", reading)
        ]
        drawable = tuple(each for each in contours if region_problem_3d(each) is None)
        found.append(DrawnRegion(number, frames.get(number, ""), drawable))
    return found


def _region(kind: str, numbers: tuple[int | float, ...]) -> Region:
    """A polygon, also one with holes, is closed by its first point; an open contour stays open."""
    if kind.upper() == "POINT":
        return Region("point", numbers)
    if kind.upper().startswith("OPEN"):
        return Region("polyline", numbers)
    return Region("polygon", numbers + numbers[:3])
