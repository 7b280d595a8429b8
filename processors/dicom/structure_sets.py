"""RT structure sets to documents: a region of interest each, with its contours as 3D regions.

Rules of this file: Structure Set, ROI Contour, RT ROI Observations and Referenced Frame of Reference
sequences (MAPPING 2.6; PS3.3 C.8.8.5, C.8.8.6, C.8.8.8). Contours are not moved or converted; a closed one
gets the end that FHIR asks for.
"""

from __future__ import annotations

from typing import NamedTuple

from processors.core.events import (
    Code,
    Concept,
    Document,
    DocumentPath,
    Focus,
    FocusKind,
    GroupKind,
    Region,
    ReportedGroup,
    ReportedItem,
    SubsetKind,
)
from processors.core.graphics import region_problem_3d
from processors.core.vocabulary import DCM
from processors.dicom.anatomy import body_site_of
from processors.dicom.data_set import DataSet
from processors.dicom.documents import document_frame
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.uids import uid
from processors.dicom.values import decimals, first, items, tag_text, text, whole_number
from processors.errors import DeadLetterCode, WarningCode

_REGION_IN_SPACE = Code(DCM, "130488", "Region in Space")
_STRUCTURE_SET = ("StructureSetDate", "StructureSetTime")
_REGION_TYPES = {
    "CLOSED_PLANAR": "polygon",
    "OPEN_PLANAR": "polyline",
    "OPEN_NONPLANAR": "polyline",
    "POINT": "point",
}
_WITH_HOLES = "CLOSEDPLANAR_XOR"


class _Series(NamedTuple):
    """A series that the structure set was drawn on, and the frame of reference it is listed under."""

    frame_of_reference_uid: str
    focus: Focus


def read_structure_set(reading: Reading, path: DocumentPath, policy: ReadingPolicy) -> Document:
    """A group for each ROI of Structure Set ROI Sequence (3006,0020), in order, contours or none.

    `problem` is set where there are ROIs and none has a usable number. A ROI without one, or with one that
    another has, and contours of none: `reference_missing`. Raises Refused for an unusable SOP Class UID.
    """
    document = document_frame(reading, path, policy, "RTSTRUCT", _STRUCTURE_SET)
    contours = _contours(reading)
    sites = _sites(reading)
    listed = _listed_series(reading, path.study_instance_uid)
    item = ReportedItem(*path, document.sop_class_uid, SubsetKind.ROIS)
    groups: dict[int, ReportedGroup] = {}
    rois = items(reading.dataset, "StructureSetROISequence", reading)
    for roi in rois:
        number = whole_number(roi, "ROINumber", reading)
        if number is None or number in groups:
            reading.warn(WarningCode.REFERENCE_MISSING)
            continue
        numbered = item._replace(subset=(str(number),))
        group = _group(roi, numbered, listed, reading)
        regions = _regions(group, contours.get(number, []), policy.max_contours, reading)
        drawn = numbered._replace(regions_3d=regions)
        groups[number] = group._replace(items=(drawn,), body_site=sites.get(number))
    for _ in contours.keys() - groups.keys():
        reading.warn(WarningCode.REFERENCE_MISSING)
    if rois and not groups:
        document = document._replace(
            problem=DeadLetterCode.NO_USABLE_REFERENCE, problem_tag=tag_text("ROINumber")
        )
    return document._replace(groups=tuple(groups.values()), warnings=tuple(reading.warnings))


def _group(roi: DataSet, item: ReportedItem, listed: list[_Series], reading: Reading) -> ReportedGroup:
    frame_of_reference_uid = uid(roi, "ReferencedFrameOfReferenceUID", reading)
    focus = (
        series.focus
        for series in listed
        if not frame_of_reference_uid or series.frame_of_reference_uid in ("", frame_of_reference_uid)
    )
    return ReportedGroup(
        kind=GroupKind.ROI,
        suffix=item.subset[0],
        code=Concept(_REGION_IN_SPACE, text(roi, "ROIName", reading)),
        items=(item,),
        frame_of_reference_uid=frame_of_reference_uid,
        focus=tuple(dict.fromkeys(focus)),
    )


def _regions(roi: ReportedGroup, contours: list[DataSet], limit: int, reading: Reading) -> tuple[Region, ...]:
    """Regions of one ROI: none without a frame of reference, which FHIR wants them to have, where contours
    are holes in others, which FHIR cannot say, or too many. A contour that breaks a rule is left out
    (`region_dropped`).
    """
    nowhere = bool(contours) and not roi.frame_of_reference_uid
    if nowhere:
        reading.warn(WarningCode.UNRESOLVED_FRAME_OF_REFERENCE)
    holes = any(first(c, "ContourGeometricType", reading).upper() == _WITH_HOLES for c in contours)
    if nowhere or holes or len(contours) > limit:
        reading.warn(WarningCode.REGION_DROPPED)
        return ()
    found = []
    for contour in contours:
        region = _region(contour, reading)
        if region_problem_3d(region):
            reading.warn(WarningCode.REGION_DROPPED)
        else:
            found.append(region)
    return tuple(dict.fromkeys(found))


def _sites(reading: Reading) -> dict[int, Concept]:
    """Body site by ROI number: the anatomy that an RT ROI Observation (3006,0080) codes, or what it is
    identified as (3006,0086) where that is anatomy.
    """
    found: dict[int, Concept] = {}
    for observation in items(reading.dataset, "RTROIObservationsSequence", reading):
        number = whole_number(observation, "ReferencedROINumber", reading)
        organ = first(observation, "RTROIInterpretedType", reading).upper() == "ORGAN"
        site = body_site_of(observation, "RTROIIdentificationCodeSequence", reading, anatomical=organ)
        if number is not None and site:
            found.setdefault(number, site)
    return found


def _contours(reading: Reading) -> dict[int, list[DataSet]]:
    """Contour items (3006,0040) by Referenced ROI Number (3006,0084)."""
    found: dict[int, list[DataSet]] = {}
    for roi in items(reading.dataset, "ROIContourSequence", reading):
        number = whole_number(roi, "ReferencedROINumber", reading)
        if number is not None:
            found.setdefault(number, []).extend(items(roi, "ContourSequence", reading))
    return found


def _region(contour: DataSet, reading: Reading) -> Region:
    """Contour Data (3006,0050) in mm, a DS: the numbers as written, a polygon closed by its first point."""
    kind = _REGION_TYPES.get(first(contour, "ContourGeometricType", reading).upper(), "")
    numbers = decimals(contour, "ContourData", reading)
    if kind == "polygon" and numbers[:3] != numbers[-3:]:
        numbers += numbers[:3]
    return Region(kind, numbers)


def _listed_series(reading: Reading, study_instance_uid: str) -> list[_Series]:
    """RT Referenced Series (3006,0014) by Referenced Frame of Reference item. The RT Referenced Study's SOP
    Instance UID is the Study Instance UID (PS3.3 C.8.8.5.3); without one the object's own study is meant.
    """
    found = []
    for frame in items(reading.dataset, "ReferencedFrameOfReferenceSequence", reading):
        frame_of_reference_uid = uid(frame, "FrameOfReferenceUID", reading)
        for study in items(frame, "RTReferencedStudySequence", reading):
            study_uid = uid(study, "ReferencedSOPInstanceUID", reading) or study_instance_uid
            for series in items(study, "RTReferencedSeriesSequence", reading):
                series_uid = uid(series, "SeriesInstanceUID", reading)
                if not series_uid:
                    reading.warn(WarningCode.REFERENCE_MISSING)
                    continue
                focus = Focus(FocusKind.SERIES, f"{study_uid}|{series_uid}")
                found.append(_Series(frame_of_reference_uid, focus))
    return found
