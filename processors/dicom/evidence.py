"""Where a document's references live: its evidence, SOP UID to study and series.

Rules of this file: evidence is looked up, never selected from; it may list more than is referenced (MAPPING
T4).
"""

from __future__ import annotations

from typing import NamedTuple

from processors.dicom.reading import Reading
from processors.dicom.uids import uid
from processors.dicom.values import items


class Place(NamedTuple):
    """Study and series of an instance; both empty where no evidence names it."""

    study_instance_uid: str
    series_instance_uid: str


NOWHERE = Place("", "")

Evidence = dict[str, Place]


def evidence(reading: Reading) -> Evidence:
    """SOP Instance UID → place, from Current Requested Procedure Evidence Sequence (0040,A375), then
    Pertinent Other Evidence Sequence (0040,A385) (PS3.3 C.17.2): the first that names a UID holds.
    """
    places: Evidence = {}
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in items(reading.dataset, keyword, reading):
            study_uid = uid(study, "StudyInstanceUID", reading)
            for series in items(study, "ReferencedSeriesSequence", reading) if study_uid else []:
                place = Place(study_uid, uid(series, "SeriesInstanceUID", reading))
                for reference in items(series, "ReferencedSOPSequence", reading):
                    sop_uid = uid(reference, "ReferencedSOPInstanceUID", reading)
                    if sop_uid and place.series_instance_uid:
                        places.setdefault(sop_uid, place)
    return places
