"""pydicom's door: DICOM objects to events.

Rules of this room: pydicom is imported here and nowhere else; whatever the bytes are, only `Refused`
leaves. In reading order: `read` (with `parser`, within a `time_budget`) and `json_model` make a `Reading` of
bytes or JSON; `values`, `uids`, `instants`, `codes` get at the elements of its `data_set`; `header` (with
`volumes`) reads any instance; `documents`, `evidence`, `referenced_series`, `sop_references`, `observers`
what reports share;
`content_tree`, `report_context`, `cad`, `group_companions`, `spatial` what content trees say;
`key_objects`, `structured_reports`, `presentation_states`, `segmentations`, `structure_sets`,
`derived_objects` are the readers of their classes.
This file is the door.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from processors.core.events import Document, DocumentArrived, DocumentPath, InstanceArrived, Stamp
from processors.core.vocabulary import (
    KEY_OBJECT_SELECTION,
    PRESENTATION_STATES,
    SEGMENTATIONS,
    STRUCTURE_SETS,
    STRUCTURED_REPORTS,
    is_report,
)
from processors.dicom.derived_objects import DERIVED_OBJECTS, read_derived_object
from processors.dicom.header import instance_arrived, sop_class_of
from processors.dicom.json_model import canonical_bytes, read_json
from processors.dicom.key_objects import read_key_object
from processors.dicom.presentation_states import REFERRING, read_presentation_state
from processors.dicom.read import read_header, read_object
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.segmentations import read_segmentation
from processors.dicom.structure_sets import read_structure_set
from processors.dicom.structured_reports import read_structured_report
from processors.dicom.uids import path_of
from processors.dicom.values import has

__all__ = [
    "ReadingPolicy",
    "event_of_json",
    "event_of_object",
    "is_read_as_document",
    "without_pixel_data",
]


class _Reader(NamedTuple):
    """How one family of report classes is read."""

    read: Callable[[Reading, DocumentPath, ReadingPolicy], Document]
    content: tuple[str, ...]
    """Elements that a document has at least one of; an object without them came as its header only. A title
    alone is an empty document."""


_TREE = ("ContentSequence", "ConceptNameCodeSequence", "FindingsSequenceTrial")
_SERIES = ("ReferencedSeriesSequence", "StudiesContainingOtherReferencedInstancesSequence")
_IMAGES = (*REFERRING, "GraphicAnnotationSequence")

_READERS: dict[str, _Reader] = {
    KEY_OBJECT_SELECTION: _Reader(read_key_object, _TREE),
    **dict.fromkeys(STRUCTURED_REPORTS, _Reader(read_structured_report, _TREE)),
    **dict.fromkeys(PRESENTATION_STATES, _Reader(read_presentation_state, _IMAGES)),
    **dict.fromkeys(SEGMENTATIONS, _Reader(read_segmentation, ("SegmentSequence",))),
    **dict.fromkeys(DERIVED_OBJECTS, _Reader(read_derived_object, _SERIES)),
    **dict.fromkeys(STRUCTURE_SETS, _Reader(read_structure_set, ("StructureSetROISequence",))),
}
"""Report classes by SOP Class UID. A class without a reader, like any image, is an instance."""


def event_of_object(
    data: bytes, stamp: Stamp, policy: ReadingPolicy, dated: bool, expected: int | None = None
) -> InstanceArrived | DocumentArrived:
    """The arrival that one DICOM object is, whole or header only, with or without Part 10 envelope.

    Raises Refused with the dead letter's code and the attribute's tag; nothing else.
    """
    reading = read_object(data, policy)
    try:
        return _event(reading, lambda: data, stamp, policy, dated, expected)
    finally:
        reading.dataset.let_go()


def event_of_json(
    model: Mapping[str, object],
    stamp: Stamp,
    policy: ReadingPolicy,
    dated: bool,
    expected: int | None = None,
) -> InstanceArrived | DocumentArrived:
    """The same for a DICOM JSON model (PS3.18 F). Raises Refused; nothing else."""
    reading = read_json(model, policy)
    try:
        return _event(reading, lambda: canonical_bytes(model), stamp, policy, dated, expected)
    finally:
        reading.dataset.let_go()


def is_read_as_document(sop_class_uid: str) -> bool:
    """Whether an object of this class is needed whole: it refers to others."""
    return sop_class_uid in _READERS


def without_pixel_data(data: bytes, policy: ReadingPolicy) -> tuple[bytes, bool]:
    """The object up to its pixel data, of which every reader here makes the same event; and whether it is a
    document, as what `event_of_object` makes of it says. Raises Refused as that does.
    """
    reading, header = read_header(data, policy)
    is_document = _reader_of(reading) is not None
    reading.dataset.let_go()
    return header, is_document


def _reader_of(reading: Reading) -> _Reader | None:
    """None for an image, and for a document that came as its header only."""
    reader = _READERS.get(sop_class_of(reading))
    return reader if reader and any(has(reading.dataset, keyword) for keyword in reader.content) else None


def _event(
    reading: Reading,
    content: Callable[[], bytes],
    stamp: Stamp,
    policy: ReadingPolicy,
    dated: bool,
    expected: int | None,
) -> InstanceArrived | DocumentArrived:
    reader = _reader_of(reading)
    if reader is None:
        return instance_arrived(reading, stamp, dated, expected, policy.volumes)
    document = reader.read(reading, path_of(reading), policy)
    if not document.groups and not is_report(document.sop_class_uid):
        header = (document.instance, document.header)
        return InstanceArrived(*document.path, stamp, *header, dated, expected, document.warnings)
    digest = hashlib.sha256(content()).digest()[:8]
    return DocumentArrived(document._replace(content_digest=digest), stamp, dated, expected)
