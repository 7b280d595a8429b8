"""The windows that a presentation state shows its images with.

Rules of this file: Softcopy VOI LUT Sequence (PS3.3 C.11.8), for looking at; tables of values and all else a
state says of an image's appearance are passed over. Needs the extra `render`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from processors.dicom.data_set import DataSet
from processors.dicom.pixels import Window
from processors.dicom.read import read_object
from processors.dicom.reading import Reading
from processors.dicom.uids import uid
from processors.dicom.values import decimals, has, items, whole_numbers


class SoftcopyWindow(NamedTuple):
    window: Window
    images: dict[str, frozenset[int]] | None
    """SOP Instance UID → frames from 1, all if there are none; None: all images of the state."""

    def is_for(self, sop_instance_uid: str, frame: int) -> bool:
        if self.images is None:
            return True
        frames = self.images.get(sop_instance_uid)
        return frames is not None and (not frames or frame in frames)


def softcopy_windows(data: bytes) -> list[SoftcopyWindow]:
    """In the object's order; items with a table instead of a window are left out. Raises Refused."""
    reading = read_object(data)
    found = []
    for item in items(reading.dataset, "SoftcopyVOILUTSequence", reading):
        center = decimals(item, "WindowCenter", reading)[:1]
        width = decimals(item, "WindowWidth", reading)[:1]
        if center and width and all(map(math.isfinite, (*center, *width))) and width[0] >= 1:
            found.append(SoftcopyWindow(Window(center[0], width[0]), _images(item, reading)))
    return found


def _images(item: DataSet, reading: Reading) -> dict[str, frozenset[int]] | None:
    if not has(item, "ReferencedImageSequence"):
        return None
    return {
        uid(image, "ReferencedSOPInstanceUID", reading): frozenset(
            number for number in whole_numbers(image, "ReferencedFrameNumber", reading) if number
        )
        for image in items(item, "ReferencedImageSequence", reading)
    }
