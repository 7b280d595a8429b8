"""SCOORD and SCOORD3D content items (PS3.3 C.18.6, C.18.9) as regions in FHIR's words.

Rules of this file: geometry of one item. A region that breaks a rule is no region; nothing is mended, moved
or converted, but a polygon's last vertex, where rounding alone sets it off from the first.
"""

from __future__ import annotations

from processors.core.events import Region
from processors.core.graphics import region_problem_2d, region_problem_3d
from processors.dicom.data_set import DataSet
from processors.dicom.reading import Reading
from processors.dicom.values import coordinate, first, singles

MAX_BINARY32 = 3.4028235e38
"""Graphic Data is FL. As text it may hold more, or no number, which no coordinate is."""


def plane_regions(item: DataSet, reading: Reading) -> tuple[Region, ...]:
    r"""Regions of a SCOORD or a graphic: one, or a point each for MULTIPOINT, which R5 has no 2D code for
    (MAPPING T10). Empty if the graphic type, the count or a number is wrong.

    The origin is FHIR's, 0\0 the top left corner of the top left pixel (PS3.3 C.18.6): of the image or frame,
    or else of the Total Pixel Matrix (`in_matrix`).
    """
    region = _region(item, reading)
    return () if region_problem_2d(region) else (region,)


def in_matrix(item: DataSet, reading: Reading) -> bool:
    """Whether a SCOORD counts from the Total Pixel Matrix: Pixel Origin Interpretation (0048,0301) is VOLUME,
    not FRAME or absent. FHIR counts from the image or frame (MAPPING T11).
    """
    return first(item, "PixelOriginInterpretation", reading).upper() == "VOLUME"


def space_region(item: DataSet, reading: Reading) -> Region | None:
    """Region of a SCOORD3D in mm of its frame of reference.

    None if the type, the count or a number is wrong, or a polygon is open beyond rounding (PS3.3 C.18.9.1.2).
    """
    region = _region(item, reading)
    if region_problem_3d(region):
        return None
    if region.region_type == "polygon":
        return region._replace(coordinates=region.coordinates[:-3] + region.coordinates[:3])
    return region


def _region(item: DataSet, reading: Reading) -> Region:
    numbers = singles(item, "GraphicData", reading)
    sound = all(abs(number) <= MAX_BINARY32 for number in numbers)  # not so for NaN
    return Region(
        first(item, "GraphicType", reading).lower(), tuple(map(coordinate, numbers)) if sound else ()
    )
