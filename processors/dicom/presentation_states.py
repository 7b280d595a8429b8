"""Presentation states of every class to documents: the state itself, the images it is for, what is drawn.

Rules of this file: what a state applies to, and graphic annotations (MAPPING 2.4; PS3.3 C.11.11, C.11.23,
C.10.5). Text objects and compound graphics are not regions of an image. Geometry is in `spatial`.
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
from processors.dicom.referenced_series import ReferencedSeries, named_in, places_of, referenced_series
from processors.dicom.sop_references import named_instances, united
from processors.dicom.spatial import plane_regions
from processors.dicom.values import first, has, items, tag_text, text, unsigned_numbers
from processors.errors import DeadLetterCode, WarningCode

MODALITY = "PR"
REFERRING = (
    "ReferencedSeriesSequence",
    "BlendingSequence",
    "AdvancedBlendingSequence",
    "VolumetricPresentationInputSetSequence",
)
"""Where the classes name images."""
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
    named = named_instances(_references(listed, reading), places, reading)
    sources = united(named.items)
    focus = [Focus(FocusKind.GROUP, f"{GroupKind.PRESENTATION_SOURCE}|")] if sources else []
    focus += _whole_series(listed, reading)
    if focus or not any(items(reading.dataset, keyword, reading) for keyword in REFERRING):
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


def _references(listed: list[ReferencedSeries], reading: Reading) -> list[DataSet]:
    """The images of a volumetric state's inputs (PS3.3 C.11.23), whose series the header tells; of any other
    what its series name.
    """
    inputs = items(reading.dataset, "VolumetricPresentationInputSetSequence", reading)
    images = [image for each in inputs for image in items(each, "ReferencedImageSequence", reading)]
    return images or named_in(listed)


def _whole_series(listed: list[ReferencedSeries], reading: Reading) -> list[Focus]:
    """Series of which no image is named, in most states against the rule: the state is then for the series
    as it is.
    """
    named = {series.place for series in listed if series.images or series.instances}
    whole = {series.place: series.may_be_whole for series in listed if series.place not in named}
    if not all(whole.values()):
        reading.warn(WarningCode.SERIES_LEVEL_REFERENCE_ONLY)
    return [Focus(FocusKind.SERIES, "|".join(place)) for place in whole]


def _annotations(
    sources: tuple[ReportedItem, ...], places: Evidence, reading: Reading
) -> Iterator[ReportedGroup]:
    """Graphic Annotation items (PS3.3 C.10.5) that draw something on an image, by ordinal from 1."""
    annotations = items(reading.dataset, "GraphicAnnotationSequence", reading)
    for ordinal, annotation in enumerate(annotations, start=1):
        regions, matrix_regions = _regions(annotation, reading)
        drawn = bool(regions or matrix_regions)
        images = _annotated(annotation, sources, places, reading) if drawn else ()
        if images:
            yield ReportedGroup(
                kind=GroupKind.PRESENTATION_REGION,
                suffix=str(ordinal),
                code=_REGION,
                items=tuple(
                    image._replace(regions_2d=regions, matrix_regions=matrix_regions) for image in images
                ),
                focus=(Focus(FocusKind.GROUP, f"{GroupKind.PRESENTATION}|"),),
            )
        elif drawn:
            reading.warn(WarningCode.REGION_DROPPED)


def _regions(annotation: DataSet, reading: Reading) -> tuple[tuple[Region, ...], tuple[Region, ...]]:
    """What is drawn in PIXEL, and in MATRIX: FHIR counts from the image or frame (MAPPING T11). What is no
    region of FHIR is `region_dropped`: in MATRIX, in DISPLAY, which counts from the displayed area, and
    compound graphics.
    """
    found: dict[str, dict[Region, None]] = {"PIXEL": {}, "MATRIX": {}}
    graphics = items(annotation, "GraphicObjectSequence", reading)
    for graphic in graphics:
        units = first(graphic, "GraphicAnnotationUnits", reading).upper()
        regions = plane_regions(graphic, reading) if units in found else ()
        found.get(units, {}).update(dict.fromkeys(regions))
        if units != "PIXEL" or not regions:
            reading.warn(WarningCode.REGION_DROPPED)
    for _ in range(_compound_graphics(annotation, graphics, reading)):
        reading.warn(WarningCode.REGION_DROPPED)
    return tuple(found["PIXEL"]), tuple(found["MATRIX"])


def _compound_graphics(annotation: DataSet, graphics: list[DataSet], reading: Reading) -> int:
    """How many compound graphics (0070,0209) are not also drawn by the plain graphics of their Compound
    Graphic Instance ID (0070,0226), as they ought to be for readers like this one.
    """
    drawn = {number for each in graphics for number in _instance_ids(each, reading)}
    compounds = items(annotation, "CompoundGraphicSequence", reading)
    return sum(drawn.isdisjoint(_instance_ids(each, reading)) for each in compounds)


def _instance_ids(graphic: DataSet, reading: Reading) -> tuple[int, ...]:
    return unsigned_numbers(graphic, "CompoundGraphicInstanceID", reading)


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
