"""Segmentations, of voxels, surfaces and label maps, to documents: segments, and the images they came from.

Rules of this file: Segment Sequence and Derivation Image functional groups (MAPPING 2.5; PS3.3 C.8.20,
C.7.6.16.2.6). Frames and pixels are never looked at. The cost is linear in segments and frames.
"""

from __future__ import annotations

from collections.abc import Iterator

from processors.core.body_sites import coded_site
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
from processors.core.vocabulary import DCM, LABEL_MAP_SEGMENTATION, SNOMED_CT
from processors.dicom.codes import first_code, is_code
from processors.dicom.data_set import DataSet
from processors.dicom.documents import document_frame
from processors.dicom.evidence import Evidence
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.referenced_series import places_of, referenced_series
from processors.dicom.sop_references import named_instances, united
from processors.dicom.values import first, items, tag_text, text, unsigned_numbers
from processors.errors import DeadLetterCode, WarningCode

_SEGMENT = Code(DCM, "121191", "Referenced Segment")
_SOURCE = Concept(Code(DCM, "121233", "Source image for segmentation"))
_ANATOMICAL_STRUCTURE = "123037004"
_BACKGROUND = 0
"""The number of what is no segment in a label map (PS3.3 C.8.20.2)."""


def read_segmentation(reading: Reading, path: DocumentPath, policy: ReadingPolicy) -> Document:
    """A group for each segment, in order, and one of the source images that the frames name.

    `problem` is set where there are segments and none has a usable number. Raises Refused for an unusable SOP
    Class UID.
    """
    document = document_frame(reading, path, policy, "SEG")
    listed = referenced_series(reading, path.study_instance_uid)
    places = places_of(listed, reading)
    sources = _sources(reading, places)
    if sources:
        focus = [Focus(FocusKind.SERIES_OF_GROUP, f"{GroupKind.SEGMENT_SOURCE}|")]
    else:
        series = dict.fromkeys(each.place for each in listed)
        focus = [Focus(FocusKind.SERIES, "|".join(place)) for place in series]
    item = ReportedItem(*path, document.sop_class_uid, SubsetKind.SEGMENTS)
    segments = items(reading.dataset, "SegmentSequence", reading)
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
        body_site=_body_site(segment, reading),
        focus=focus,
    )


def _body_site(segment: DataSet, reading: Reading) -> Concept | None:
    """Anatomic Region (0008,2218), else the property type (0062,000F) if an anatomical structure."""
    site = first_code(segment, "AnatomicRegionSequence", reading)
    if site is None:
        quiet = reading.quiet()  # the category is never published
        category = first_code(segment, "SegmentedPropertyCategoryCodeSequence", quiet)
        if is_code(category, SNOMED_CT, _ANATOMICAL_STRUCTURE):
            site = first_code(segment, "SegmentedPropertyTypeCodeSequence", reading)
    return coded_site(site.coding) if site and site.coding else site


def _sources(reading: Reading, places: Evidence) -> tuple[ReportedItem, ...]:
    """Source images of all frames, as the frames themselves say: the header lists whatever the object refers
    to, so it only tells in which series they lie. A source that it lacks: `reference_sources_disagree`.
    """
    sources = united(named_instances(_derivations(reading), places, reading).items)
    if places and any(source.sop_instance_uid not in places for source in sources):
        reading.warn(WarningCode.REFERENCE_SOURCES_DISAGREE)
    return sources


def _derivations(reading: Reading) -> Iterator[DataSet]:
    """Source Image items (0008,2112) of the shared functional groups and of each frame."""
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for frame in items(reading.dataset, keyword, reading):
            for derivation in items(frame, "DerivationImageSequence", reading):
                yield from items(derivation, "SourceImageSequence", reading)
