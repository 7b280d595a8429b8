"""Which volume of its series an image belongs to (MAPPING 2.1): orientation, acquisition, point in time.

Rules of this file: what the header says of it, as text that is equal for images of one volume; whether a site
tells volumes apart, and by what, is `core.volumes`'s.
"""

from __future__ import annotations

import math

from processors.dicom.reading import Reading
from processors.dicom.values import decimals, items, whole_number

_DECIMALS = 2
"""Of a direction cosine: what makers vary within a volume is far less, two directions of one scan differ by
more than the half degree that this is."""


def volume_of(reading: Reading) -> str:
    r"""`<Image Orientation>|<Acquisition Number>|<Temporal Position Identifier>`, as `1\0\0\0\1\0|2|1`.

    What is missing or unusable is empty. Multi-frame images say the orientation that all frames share (PS3.3
    C.7.6.16.2.4); what differs from frame to frame is no matter of the instance.
    """
    dataset = reading.dataset
    numbers = (
        whole_number(dataset, keyword, reading)
        for keyword in ("AcquisitionNumber", "TemporalPositionIdentifier")
    )
    return "|".join([_orientation(reading), *("" if n is None else str(n) for n in numbers)])


def _orientation(reading: Reading) -> str:
    places = [reading.dataset]
    for shared in items(reading.dataset, "SharedFunctionalGroupsSequence", reading):
        places += items(shared, "PlaneOrientationSequence", reading)
    for place in places:
        cosines = decimals(place, "ImageOrientationPatient", reading)
        if len(cosines) == 6 and all(map(math.isfinite, cosines)):
            return "\\".join(f"{round(each, _DECIMALS) + 0.0:g}" for each in cosines)
    return ""
