"""Referenced Series Sequence (0008,1115): the series an object refers to, and what it names in each.

Rules of this file: where things lie and which items name them; why they are named belongs to the reader.
Presentation states (PS3.3 C.11.11, C.11.14, C.11.33) and the Common Instance Reference Module (PS3.3 C.12.2)
share the sequence and differ in the one below it.
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
    may_be_whole: bool = False
    """No image need be named: the whole series is meant then."""


def referenced_series(reading: Reading, study_instance_uid: str) -> list[ReferencedSeries]:
    """In order; those at the root lie in the object's own study. Without a UID: `reference_missing`."""
    found = _series_in(reading.dataset, study_instance_uid, reading)
    for keyword in _OF_STUDIES:
        for study in items(reading.dataset, keyword, reading):
            found += _series_in(study, uid(study, "StudyInstanceUID", reading), reading)
    for blended in items(reading.dataset, "AdvancedBlendingSequence", reading):
        series = _series(blended, uid(blended, "StudyInstanceUID", reading), reading)
        found += [series._replace(may_be_whole=True)] if series else []
    return found


def named_in(listed: list[ReferencedSeries]) -> list[DataSet]:
    """Image references; of a series without any, those of the Common Instance Reference Module, which says no
    frames.
    """
    said = {series.place for series in listed if series.images}
    return [
        reference
        for series in listed
        for reference in (series.images if series.place in said else series.instances)
    ]


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
    listed = items(item, "ReferencedSeriesSequence", reading)
    return [found for each in listed if (found := _series(each, study_instance_uid, reading))]


def _series(item: DataSet, study_instance_uid: str, reading: Reading) -> ReferencedSeries | None:
    place = Place(study_instance_uid, uid(item, "SeriesInstanceUID", reading))
    if not all(place):
        reading.warn(WarningCode.REFERENCE_MISSING)
        return None
    images = items(item, "ReferencedImageSequence", reading)
    return ReferencedSeries(place, images, items(item, "ReferencedInstanceSequence", reading))
