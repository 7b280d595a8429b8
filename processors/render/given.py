"""The objects that were given to look at, found by what a reference says of them.

Rules of this file: headers are read once and kept as plain values; an object's bytes are read again when it
is drawn, so that memory holds one object at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

from processors.dicom.frames import Frames, frames_of
from processors.errors import Refused
from processors.input_files import Input


class Given:
    """One object of the person's files."""

    __slots__ = ("_input", "frames")

    def __init__(self, source: Input, frames: Frames) -> None:
        self._input, self.frames = source, frames

    def read(self) -> bytes:
        """Raises UsageError if the file is no longer there."""
        return self._input.read()


class GivenObjects:
    def __init__(self, inputs: Sequence[Input]) -> None:
        """Reads all headers. Of two objects with the same UIDs the first is taken."""
        self.unreadable = 0
        """Files that are no DICOM objects."""
        self._by_sop: dict[str, dict[tuple[str, str], Given]] = {}
        for each in inputs:
            try:
                frames = frames_of(each.read())
            except Refused:
                self.unreadable += 1
                continue
            place = (frames.study_instance_uid, frames.series_instance_uid)
            self._by_sop.setdefault(frames.sop_instance_uid, {}).setdefault(place, Given(each, frames))

    def find(self, study: str, series: str, sop: str) -> Given | None:
        """The whole path decides; a study or series that is not said (empty) may be any."""
        for (in_study, in_series), given in self._by_sop.get(sop, {}).items():
            if study in ("", in_study) and series in ("", in_series):
                return given
        return None

    def images(self) -> list[Given]:
        """Objects with rows and columns, by series and instance number."""
        everything = (given for places in self._by_sop.values() for given in places.values())
        return sorted((each for each in everything if each.frames.rows and each.frames.columns), key=order)

    def series(self, study: str, series: str) -> list[Given]:
        """All images of one series."""
        return [
            each
            for each in self.images()
            if each.frames.series_instance_uid == series and study in ("", each.frames.study_instance_uid)
        ]


def order(given: Given) -> tuple[int, str, int, str]:
    """Series number and instance number, then UIDs."""
    frames = given.frames
    number = frames.number if frames.number is not None else 0
    return frames.series_number or 0, frames.series_instance_uid, number, frames.sop_instance_uid
