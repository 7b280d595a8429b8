"""Parametric maps, real world value maps and bulk annotations: the images that they were made of or are for.

Rules of this file: objects that are instances of their own series like any image, and refer to other images
besides; they have no parts that a reference could mean. What else refers to images only for the record, as an
enhanced image to its localizer, selects nothing.
"""

from __future__ import annotations

from processors.core.events import Code, Concept, Document, DocumentPath, GroupKind, ReportedGroup
from processors.core.vocabulary import (
    BULK_ANNOTATIONS,
    DCM,
    PARAMETRIC_MAP,
    REAL_WORLD_VALUE_MAP,
    modality_display,
)
from processors.dicom.data_set import DataSet
from processors.dicom.derivation import derivation_sources
from processors.dicom.documents import document_frame
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.referenced_series import named_in, places_of, referenced_series
from processors.dicom.sop_references import named_instances, united
from processors.dicom.values import first, items
from processors.errors import WarningCode

_CODES = {
    PARAMETRIC_MAP: Concept(Code(DCM, "121322", "Source image for image processing operation")),
    REAL_WORLD_VALUE_MAP: Concept(
        Code(DCM, "RWV", modality_display("RWV")), "Images referenced by real world value map"
    ),
    BULK_ANNOTATIONS: Concept(Code(DCM, "ANN", modality_display("ANN")), "Images referenced by annotations"),
}
DERIVED_OBJECTS = frozenset(_CODES)
"""SOP classes that are read here."""


def read_derived_object(reading: Reading, path: DocumentPath, policy: ReadingPolicy) -> Document:
    """One group of images by series, or none: the object is an instance only, then.

    An image whose series the object does not tell is left out (`reference_missing`): it is no report that
    could wait for it. Raises Refused for an unusable SOP Class UID.
    """
    document = document_frame(reading, path, policy, first(reading.dataset, "Modality", reading))
    listed = referenced_series(reading, path.study_instance_uid)
    references = _references(document.sop_class_uid, reading) or named_in(listed)
    named = united(named_instances(references, places_of(listed, reading), reading).items)
    sources = tuple(source for source in named if source.series_instance_uid)
    for _ in range(len(named) - len(sources)):
        reading.warn(WarningCode.REFERENCE_MISSING)
    # Bulk annotations count from the Total Pixel Matrix or lie on the slide: no region of FHIR (MAPPING T11).
    for _ in items(reading.dataset, "AnnotationGroupSequence", reading):
        reading.warn(WarningCode.REGION_DROPPED)
    if sources:
        group = ReportedGroup(GroupKind.SOURCE, "", _CODES[document.sop_class_uid], sources)
        document = document._replace(groups=(group,))
    return document._replace(warnings=tuple(reading.warnings))


def _references(sop_class_uid: str, reading: Reading) -> list[DataSet]:
    """Where the class says which images; a real world value map by mapping (PS3.3 C.7.6.16.2.11)."""
    if sop_class_uid == PARAMETRIC_MAP:
        return derivation_sources(reading)
    if sop_class_uid == BULK_ANNOTATIONS:
        return items(reading.dataset, "ReferencedImageSequence", reading)
    mappings = items(reading.dataset, "ReferencedImageRealWorldValueMappingSequence", reading)
    return [image for each in mappings for image in items(each, "ReferencedImageSequence", reading)]
