"""pydicom's door: DICOM objects to events.

Rules of this room: pydicom is imported here and nowhere else; whatever the bytes are, only `Refused`
leaves. In reading order: `read` and `json_model` make a `Reading` of bytes or JSON; `values`, `uids`,
`instants`, `codes` get at elements; `header` reads any instance; `documents`, `evidence`, `references`,
`observers` what reports share; `key_objects` and `structured_reports` are the readers of their classes.
This file is the door.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from processors.core.events import Document, DocumentArrived, DocumentPath, InstanceArrived, Stamp
from processors.core.vocabulary import KEY_OBJECT_SELECTION, STRUCTURED_REPORTS
from processors.dicom.header import instance_arrived, sop_class_of
from processors.dicom.json_model import canonical_bytes, read_json
from processors.dicom.key_objects import read_key_object
from processors.dicom.read import read_object
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.structured_reports import read_structured_report
from processors.dicom.uids import path_of
from processors.dicom.values import has

__all__ = ["ReadingPolicy", "event_of_json", "event_of_object"]

_Reader = Callable[[Reading, DocumentPath, ReadingPolicy], Document]

_READERS: dict[str, _Reader] = {
    KEY_OBJECT_SELECTION: read_key_object,
    **dict.fromkeys(STRUCTURED_REPORTS, read_structured_report),
}
"""Report classes by SOP Class UID. A class without a reader, like any image, is an instance."""


def event_of_object(
    data: bytes, stamp: Stamp, policy: ReadingPolicy, dated: bool, expected: int | None = None
) -> InstanceArrived | DocumentArrived:
    """The arrival that one DICOM object is, whole or header only, with or without Part 10 envelope.

    Raises Refused with the dead letter's code and the attribute's tag; nothing else.
    """
    reading = read_object(data, policy)
    return _event(reading, lambda: data, stamp, policy, dated, expected)


def event_of_json(
    model: Mapping[str, object],
    stamp: Stamp,
    policy: ReadingPolicy,
    dated: bool,
    expected: int | None = None,
) -> InstanceArrived | DocumentArrived:
    """The same for a DICOM JSON model (PS3.18 F). Raises Refused; nothing else."""
    reading = read_json(model, policy)
    return _event(reading, lambda: canonical_bytes(model), stamp, policy, dated, expected)


def _event(
    reading: Reading,
    content: Callable[[], bytes],
    stamp: Stamp,
    policy: ReadingPolicy,
    dated: bool,
    expected: int | None,
) -> InstanceArrived | DocumentArrived:
    reader = _READERS.get(sop_class_of(reading))
    if reader is None or not _has_content(reading):
        return instance_arrived(reading, stamp, dated, expected)
    document = reader(reading, path_of(reading), policy)
    digest = hashlib.sha256(content()).digest()[:8]
    return DocumentArrived(document._replace(content_digest=digest), stamp, dated, expected)


def _has_content(reading: Reading) -> bool:
    """Whether the object's content came along, or its header only; a title alone is an empty document."""
    return has(reading.dataset, "ContentSequence") or has(reading.dataset, "ConceptNameCodeSequence")
