"""What an image-like object was derived from, as its frames or the object itself say.

Rules of this file: to items of Source Image Sequence (0008,2112), which name no series; the cost is linear in
frames. The Common Instance Reference Module is no answer: it lists whatever the object refers to.
"""

from __future__ import annotations

from collections.abc import Iterator

from processors.dicom.data_set import DataSet
from processors.dicom.reading import Reading
from processors.dicom.values import items


def derivation_sources(reading: Reading) -> list[DataSet]:
    """Source images of the frames (Derivation Image, PS3.3 C.7.6.16.2.6), repeated as frames repeat them;
    where these say none, of the object as a whole (PS3.3 C.12.4): tiles laid out in full need no frame items.
    """
    return list(_of_frames(reading)) or items(reading.dataset, "SourceImageSequence", reading)


def _of_frames(reading: Reading) -> Iterator[DataSet]:
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for frame in items(reading.dataset, keyword, reading):
            for derivation in items(frame, "DerivationImageSequence", reading):
                yield from items(derivation, "SourceImageSequence", reading)
