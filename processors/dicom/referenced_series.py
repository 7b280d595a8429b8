"""Referenced Series Sequence (0008,1115): the series an object refers to, and what it names in each.

Rules of this file: where things lie and which items name them; why they are named belongs to the reader.
Presentation states (PS3.3 C.11.11, C.11.14) and the Common Instance Reference Module (PS3.3 C.12.2) share the
sequence and differ in the one below it.
"""

from __future__ import annotations

from typing import NamedTuple

from processors.dicom.data_set import DataSet
from processors.dicom.evidence import Evidence, Place
from processors.dicom.reading import Reading
from processors.dicom.uids import uid
from processors.dicom.values import items
from processors.errors import WarningCode

_OF_STUDIES = ("BlendingSequence", "StudiesContainingOtherReferencedInstancesSequence")
"""Sequences whose items name a study and have a Referenced Series Sequence of their own."""


class ReferencedSeries(NamedTuple):
    place: Place
    images: list[DataSet]
    """Items of Referenced Image Sequence (0008,1140): frames and segments are said."""
    instances: list[DataSet]
    """Items of Referenced Instance Sequence (0008,114A): whole instances only."""


def referenced_series(reading: Reading, study_instance_uid: str) -> list[ReferencedSeries]:
    """In order; those at the root lie in the object's own study. Without a UID: `reference_missing`."""
    found = _series_in(reading.dataset, study_instance_uid, reading)
    for keyword in _OF_STUDIES:
        for study in items(reading.dataset, keyword, reading):
            found += _series_in(study, uid(study, "StudyInstanceUID", reading), reading)
    return found


def places_of(listed: list[ReferencedSeries], reading: Reading) -> Evidence:
    """SOP Instance UID → place: the first that names a UID holds, as in a report's evidence."""
    places: Evidence = {}
    for series in listed:
        for reference in series.images + series.instances:
            sop_instance_uid = uid(reference, "ReferencedSOPInstanceUID", reading)
            if sop_instance_uid:
                places.setdefault(sop_instance_uid, series.place)
    return places


def _series_in(item: DataSet, study_instance_uid: str, reading: Reading) -> list[ReferencedSeries]:
    found = []
    for series in items(item, "ReferencedSeriesSequence", reading):
        place = Place(study_instance_uid, uid(series, "SeriesInstanceUID", reading))
        if not all(place):
            reading.warn(WarningCode.REFERENCE_MISSING)
            continue
        images = items(series, "ReferencedImageSequence", reading)
        found.append(ReferencedSeries(place, images, items(series, "ReferencedInstanceSequence", reading)))
    return found
