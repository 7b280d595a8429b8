"""Presentation states of every class to documents: the state itself, the images it is for, what is drawn.

Rules of this file: Referenced Series Sequence and graphic annotations (MAPPING 2.4; PS3.3 C.11.11, C.10.5).
Text objects and compound graphics are not regions of an image. Geometry is in `spatial`.
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
    Region,
    ReportedGroup,
    ReportedItem,
)
from processors.core.vocabulary import DCM, modality_display
from processors.dicom.data_set import DataSet
from processors.dicom.documents import document_frame
from processors.dicom.evidence import Evidence
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.referenced_series import ReferencedSeries, places_of, referenced_series
from processors.dicom.sop_references import named_instances, united
from processors.dicom.spatial import plane_regions
from processors.dicom.values import first, has, items, tag_text, text
from processors.errors import DeadLetterCode, WarningCode

MODALITY = "PR"
_CODING = Code(DCM, MODALITY, modality_display(MODALITY))
_SOURCE = Concept(_CODING, "Images referenced by presentation state")
_REGION = Concept(Code(DCM, "111030", "Image Region"))
_CREATION = ("PresentationCreationDate", "PresentationCreationTime")


def read_presentation_state(reading: Reading, path: DocumentPath, policy: ReadingPolicy) -> Document:
    """The state with its Content Label as text; its images by series; a group for each annotation item.

    `problem` is set where it refers to images and nothing of that is usable. Raises Refused for an unusable
    SOP Class UID.
    """
    document = document_frame(reading, path, policy, MODALITY, _CREATION)
    listed = referenced_series(reading, path.study_instance_uid)
    places = places_of(listed, reading)
    named = named_instances(_references(listed), places, reading)
    sources = united(named.items)
    focus = [Focus(FocusKind.GROUP, f"{GroupKind.PRESENTATION_SOURCE}|")] if sources else []
    focus += _whole_series(listed, reading)
    if focus or not items(reading.dataset, "ReferencedSeriesSequence", reading):
        label = Concept(_CODING, text(reading.dataset, "ContentLabel", reading))
        state = ReportedItem(*path, document.sop_class_uid)
        groups = [ReportedGroup(GroupKind.PRESENTATION, "", label, (state,), focus=tuple(focus))]
        if sources:
            groups.append(ReportedGroup(GroupKind.PRESENTATION_SOURCE, "", _SOURCE, sources))
        document = document._replace(groups=(*groups, *_annotations(sources, places, reading)))
    else:
        unusable = named.frames_unusable
        document = document._replace(
            problem=DeadLetterCode.FRAME_OUT_OF_RANGE if unusable else DeadLetterCode.NO_USABLE_REFERENCE,
            problem_tag=tag_text("ReferencedFrameNumber" if unusable else "ReferencedSeriesSequence"),
        )
    return document._replace(warnings=tuple(reading.warnings))


def _references(listed: list[ReferencedSeries]) -> list[DataSet]:
    """Image references; of a series without any, those of the Common Instance Reference Module, which
    volumetric states have and which says no frames.
    """
    said = {series.place for series in listed if series.images}
    return [
        reference
        for series in listed
        for reference in (series.images if series.place in said else series.instances)
    ]


def _whole_series(listed: list[ReferencedSeries], reading: Reading) -> list[Focus]:
    """Series of which no image is named, against the rule: the state is then for the series as it is."""
    named = {series.place for series in listed if series.images or series.instances}
    whole = dict.fromkeys(series.place for series in listed if series.place not in named)
    if whole:
        reading.warn(WarningCode.SERIES_LEVEL_REFERENCE_ONLY)
    return [Focus(FocusKind.SERIES, "|".join(place)) for place in whole]


def _annotations(
    sources: tuple[ReportedItem, ...], places: Evidence, reading: Reading
) -> Iterator[ReportedGroup]:
    """Graphic Annotation items (PS3.3 C.10.5) that draw something on an image, by ordinal from 1."""
    annotations = items(reading.dataset, "GraphicAnnotationSequence", reading)
    for ordinal, annotation in enumerate(annotations, start=1):
        regions = _regions(annotation, reading)
        images = _annotated(annotation, sources, places, reading) if regions else ()
        if images:
            yield ReportedGroup(
                kind=GroupKind.PRESENTATION_REGION,
                suffix=str(ordinal),
                code=_REGION,
                items=tuple(image._replace(regions_2d=regions) for image in images),
                focus=(Focus(FocusKind.GROUP, f"{GroupKind.PRESENTATION}|"),),
            )
        elif regions:
            reading.warn(WarningCode.REGION_DROPPED)


def _regions(annotation: DataSet, reading: Reading) -> tuple[Region, ...]:
    """What is drawn in PIXEL: DISPLAY counts from the displayed area and MATRIX from the Total Pixel Matrix,
    FHIR from the image or frame (MAPPING T11). Each other graphic is `region_dropped`.
    """
    found: list[Region] = []
    for graphic in items(annotation, "GraphicObjectSequence", reading):
        in_pixels = first(graphic, "GraphicAnnotationUnits", reading).upper() == "PIXEL"
        regions = plane_regions(graphic, reading) if in_pixels else ()
        if not regions:
            reading.warn(WarningCode.REGION_DROPPED)
        found += regions
    return tuple(dict.fromkeys(found))


def _annotated(
    annotation: DataSet, sources: tuple[ReportedItem, ...], places: Evidence, reading: Reading
) -> tuple[ReportedItem, ...]:
    """The images the annotation item is limited to, with their frames or else those of the state; without a
    Referenced Image Sequence all images of the state (PS3.3 C.10.5).
    """
    if not has(annotation, "ReferencedImageSequence"):
        return sources
    references = items(annotation, "ReferencedImageSequence", reading)
    of_state = {source.sop_instance_uid: source for source in sources}
    named = named_instances(references, places, reading).items
    return united(item if item.subset else of_state.get(item.sop_instance_uid, item) for item in named)
