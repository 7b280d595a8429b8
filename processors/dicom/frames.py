"""Where the frames of an image lie: what a picture needs to know of an object before its pixels.

Rules of this file: headers only, as plain values; nothing is decoded. Functional groups (PS3.3 C.7.6.16) win
over the attributes of single-frame images; what is missing or no number leaves a frame without a plane.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from processors.dicom.data_set import DataSet
from processors.dicom.header import sop_class_of
from processors.dicom.read import read_object
from processors.dicom.reading import Reading
from processors.dicom.tiles import Tiles, tiles_of
from processors.dicom.uids import path_of, uid
from processors.dicom.values import decimals, items, texts, unsigned_numbers, whole_number

Triple = tuple[float, float, float]

_SHAPES = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")

MAX_FRAMES = 100_000
"""Frames of one object that are looked at; Number of Frames is only a claim until pixels are decoded."""


class Plane(NamedTuple):
    """A frame in its frame of reference (PS3.3 C.7.6.2.1.1), all in mm."""

    position: Triple
    """Centre of the top left pixel."""
    along_row: Triple
    """Unit vector in which the column index grows."""
    along_column: Triple
    """Unit vector in which the row index grows."""
    row_spacing: float
    """Between the centres of two rows."""
    column_spacing: float
    thickness: float = 0.0
    """Slice thickness; 0 if not said."""


class Frames(NamedTuple):
    """One object with, or without, an image in it."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    series_number: int | None
    number: int | None
    """Instance Number."""
    frame_of_reference_uid: str
    localizer: bool
    """Image Type value 3 (PS3.3 C.7.6.1.1.2): a scout shows everything from one side."""
    rows: int
    """0 for an object without pixels."""
    columns: int
    pixel_height: float
    """Of a pixel whose width is 1."""
    planes: tuple[Plane | None, ...]
    """One a frame, at least one."""
    segments: tuple[int, ...]
    """Referenced Segment Number of each frame, 0 if none; empty where no frame has one, nor does their order
    tell."""
    tiles: Tiles | None = None
    """Where the frames lie in the Total Pixel Matrix, if there is one."""


def frames_of(data: bytes) -> Frames:
    """Raises Refused for what is no DICOM object or lacks one of the four UIDs."""
    reading = read_object(data)
    dataset = reading.dataset
    shared, each = _groups(reading)
    said = whole_number(dataset, "NumberOfFrames", reading) or 1
    per_frame = [each[at] if at < len(each) else DataSet() for at in range(min(said, MAX_FRAMES))]
    offsets = decimals(dataset, "GridFrameOffsetVector", reading)
    planes = [_plane((frame, shared, dataset), reading) for frame in per_frame]
    if len(offsets) == len(planes) > 1:
        planes = [_moved(plane, offset - offsets[0]) for plane, offset in zip(planes, offsets, strict=True)]
    segments = tuple(_segment(frame, shared, reading) for frame in per_frame)
    tiles = tiles_of(reading, per_frame)
    return Frames(
        *path_of(reading),
        sop_class_of(reading),
        whole_number(dataset, "SeriesNumber", reading),
        whole_number(dataset, "InstanceNumber", reading),
        uid(dataset, "FrameOfReferenceUID", reading),
        "LOCALIZER" in texts(dataset, "ImageType", reading)[2:3],
        next(iter(unsigned_numbers(dataset, "Rows", reading)), 0),
        next(iter(unsigned_numbers(dataset, "Columns", reading)), 0),
        _pixel_height(planes[0], (dataset, shared), reading),
        tuple(planes),
        segments if any(segments) else tiles.segments if tiles else (),
        tiles,
    )


def _groups(reading: Reading) -> tuple[DataSet, Sequence[DataSet]]:
    """The shared functional groups, and those of each frame."""
    shared = items(reading.dataset, "SharedFunctionalGroupsSequence", reading)
    return (
        shared[0] if shared else DataSet(),
        items(reading.dataset, "PerFrameFunctionalGroupsSequence", reading),
    )


def _plane(places: Sequence[DataSet], reading: Reading) -> Plane | None:
    """Of the first of `places` that says each part: frame, shared groups, image."""
    position = _numbers(places, "PlanePositionSequence", "ImagePositionPatient", 3, reading)
    orientation = _numbers(places, "PlaneOrientationSequence", "ImageOrientationPatient", 6, reading)
    spacing = _numbers(places, "PixelMeasuresSequence", "PixelSpacing", 2, reading)
    if not (position and orientation and spacing) or min(spacing) <= 0:
        return None
    row, column = _unit(orientation[:3]), _unit(orientation[3:])
    if row is None or column is None or abs(sum(map(math.prod, zip(row, column, strict=True)))) > 0.01:
        return None
    thickness = _numbers(places, "PixelMeasuresSequence", "SliceThickness", 1, reading)
    x, y, z = position
    rows, columns = spacing
    return Plane((x, y, z), row, column, rows, columns, max(thickness[0], 0.0) if thickness else 0.0)


def _numbers(
    places: Sequence[DataSet], group: str, keyword: str, count: int, reading: Reading
) -> tuple[float, ...]:
    """Exactly `count` finite numbers of the first place that has them, in the functional group or plainly."""
    for place in places:
        for holder in (*items(place, group, reading)[:1], place):
            found = decimals(holder, keyword, reading)
            if len(found) == count and all(map(math.isfinite, found)):
                return found
    return ()


def _unit(vector: Sequence[float]) -> Triple | None:
    length = math.hypot(*vector)
    if not 0.5 < length < 2:
        return None
    x, y, z = (part / length for part in vector)
    return x, y, z


def _moved(plane: Plane | None, offset: float) -> Plane | None:
    """The plane of a dose grid (PS3.3 C.8.8.3.2) that lies `offset` mm along the normal of its first."""
    if plane is None or not math.isfinite(offset):
        return None
    (a, b, c), (d, e, f) = plane.along_row, plane.along_column
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    x, y, z = (at + offset * part for at, part in zip(plane.position, normal, strict=True))
    return plane._replace(position=(x, y, z))


def _segment(frame: DataSet, shared: DataSet, reading: Reading) -> int:
    for place in (frame, shared):
        for item in items(place, "SegmentIdentificationSequence", reading)[:1]:
            return next(iter(unsigned_numbers(item, "ReferencedSegmentNumber", reading)), 0)
    return 0


def _pixel_height(plane: Plane | None, places: Sequence[DataSet], reading: Reading) -> float:
    """By spacing, else by Pixel Aspect Ratio (0028,0034), a pair of IS; square if nothing says otherwise."""
    said = [_numbers(places, "PixelMeasuresSequence", keyword, 2, reading) for keyword in _SHAPES]
    spacings = [(plane.row_spacing, plane.column_spacing) if plane else (), *said]
    ratios = (each[0] / each[1] for each in spacings if each and min(each) > 0)
    return next((ratio for ratio in ratios if 0.1 <= ratio <= 10), 1.0)
