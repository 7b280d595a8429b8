"""Segmentations, of voxels, surfaces and label maps, to documents: segments, and the images they came from.

Rules of this file: Segment Sequence and what it was derived from (MAPPING 2.5; PS3.3 C.8.20, C.8.23). Pixels
are never looked at. The cost is linear in segments and frames.
"""

from __future__ import annotations

from collections.abc import Iterator

from processors.core.events import (
    Code,
    Concept,
    Document,
    DocumentPath,
    Focus,
    FocusKind,
    GroupKind,
    ReportedGroup,
    ReportedItem,
    SubsetKind,
)
from processors.core.vocabulary import DCM, LABEL_MAP_SEGMENTATION
from processors.dicom.anatomy import body_site_of
from processors.dicom.data_set import DataSet
from processors.dicom.derivation import derivation_sources
from processors.dicom.documents import document_frame
from processors.dicom.evidence import Evidence
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.referenced_series import named_in, places_of, referenced_series
from processors.dicom.sop_references import named_instances, united
from processors.dicom.values import first, items, tag_text, text, unsigned_numbers
from processors.errors import DeadLetterCode, WarningCode

_SEGMENT = Code(DCM, "121191", "Referenced Segment")
_SOURCE = Concept(Code(DCM, "121233", "Source image for segmentation"))
_BACKGROUND = 0
"""The number of what is no segment in a label map (PS3.3 C.8.20.2)."""


def read_segmentation(reading: Reading, path: DocumentPath, policy: ReadingPolicy) -> Document:
    """A group for each segment, in order, and one of the images that they came from.

    `problem` is set where there are segments and none has a usable number. Raises Refused for an unusable SOP
    Class UID.
    """
    document = document_frame(reading, path, policy, "SEG")
    listed = referenced_series(reading, path.study_instance_uid)
    places = places_of(listed, reading)
    segments = items(reading.dataset, "SegmentSequence", reading)
    sources = _sources(segments, places, reading)
    if sources:
        focus = [Focus(FocusKind.SERIES_OF_GROUP, f"{GroupKind.SEGMENT_SOURCE}|")]
    else:  # the header holds alone
        sources = united(named_instances(named_in(listed), places, reading).items)
        series = dict.fromkeys(each.place for each in listed)
        focus = [Focus(FocusKind.SERIES, "|".join(place)) for place in series]
    item = ReportedItem(*path, document.sop_class_uid, SubsetKind.SEGMENTS)
    numbered = _numbered(segments, document.sop_class_uid, reading)
    groups = [
        _group(segment, item._replace(subset=(str(number),)), tuple(focus), reading)
        for number, segment in numbered.items()
        if number != _BACKGROUND
    ]
    if groups and sources:
        groups.append(ReportedGroup(GroupKind.SEGMENT_SOURCE, "", _SOURCE, sources))
    if segments and not numbered:
        document = document._replace(
            problem=DeadLetterCode.NO_USABLE_REFERENCE, problem_tag=tag_text("SegmentNumber")
        )
    return document._replace(groups=tuple(groups), warnings=tuple(reading.warnings))


def _numbered(segments: list[DataSet], sop_class_uid: str, reading: Reading) -> dict[int, DataSet]:
    """Segments by number: the first with a number holds.

    They count from 1 without a gap, save in a label map, which has the background as 0 and may have gaps
    (PS3.3 C.8.20.2); if not: `segment_numbers_not_consecutive`.
    """
    label_map = (
        sop_class_uid == LABEL_MAP_SEGMENTATION
        or first(reading.dataset, "SegmentationType", reading) == "LABELMAP"
    )
    sent = [next(iter(unsigned_numbers(segment, "SegmentNumber", reading)), None) for segment in segments]
    found: dict[int, DataSet] = {}
    for number, segment in zip(sent, segments, strict=True):
        if number is not None and (label_map or number != _BACKGROUND):
            found.setdefault(number, segment)
    sound = len(found) == len(segments) if label_map else sent == list(range(1, len(segments) + 1))
    if not sound:
        reading.warn(WarningCode.SEGMENT_NUMBERS_NOT_CONSECUTIVE)
    return found


def _group(segment: DataSet, item: ReportedItem, focus: tuple[Focus, ...], reading: Reading) -> ReportedGroup:
    return ReportedGroup(
        kind=GroupKind.SEGMENT,
        suffix=item.subset[0],
        code=Concept(_SEGMENT, text(segment, "SegmentLabel", reading)),
        items=(item,),
        body_site=body_site_of(segment, "SegmentedPropertyTypeCodeSequence", reading),
        focus=focus,
    )


def _sources(segments: list[DataSet], places: Evidence, reading: Reading) -> tuple[ReportedItem, ...]:
    """Source images as frames and surfaces say them: the header lists whatever the object refers to, so it
    only tells in which series they lie. A source that it lacks: `reference_sources_disagree`.
    """
    said = [*_surface_sources(segments, reading), *derivation_sources(reading)]
    sources = united(named_instances(said, places, reading).items)
    if places and any(source.sop_instance_uid not in places for source in sources):
        reading.warn(WarningCode.REFERENCE_SOURCES_DISAGREE)
    return sources


def _surface_sources(segments: list[DataSet], reading: Reading) -> Iterator[DataSet]:
    """Segment Surface Source Instances (0066,002E) of each surface (PS3.3 C.8.23.1)."""
    for segment in segments:
        for surface in items(segment, "ReferencedSurfaceSequence", reading):
            yield from items(surface, "SegmentSurfaceSourceInstanceSequence", reading)
