"""Key Object Selections (TID 2010) to documents: key images, manifests, rejection notes.

Rules of this file: a KOS selects by its content tree, never by its evidence; a rejection note is a command and
makes no group (IHE RAD TF-3 4.66).
"""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import Dataset

from processors.core.events import (
    Code,
    Concept,
    Document,
    DocumentPath,
    GroupKind,
    RejectedInstance,
    RejectionNote,
    ReportedGroup,
    ReportedItem,
)
from processors.core.vocabulary import DCM, modality_display
from processors.dicom.codes import first_code, first_sent_code, is_code
from processors.dicom.documents import document_frame
from processors.dicom.evidence import Evidence, evidence
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.references import ReferencedItem, merged, presentation_focus, referenced
from processors.dicom.values import clean, first, items, long_text, tag_text
from processors.errors import DeadLetterCode

REJECTIONS = frozenset({"113001", "113037", "113038", "113039"})
"""IOCM document titles; they are in CID 7010, beside those of interest."""
REVOCATION = ("REVOKE_REJECTION", "99DCM4CHEE")
MANIFESTS = frozenset({"113030", "113031", "113032", "113033", "113034", "113035"})
"""Titles that describe content, not interest."""

_UNTITLED = Concept(Code(DCM, "KO", modality_display("KO")))
_REFERENCES = ("IMAGE", "WAVEFORM", "COMPOSITE")


def read_key_object(reading: Reading, path: DocumentPath, policy: ReadingPolicy) -> Document:
    """A KOS as a document: one group of key images, or a rejection note, or `problem` where nothing is left.

    Raises Refused for an unusable SOP Class UID only.
    """
    places = evidence(reading)
    found, out_of_range = _references(reading, places)
    selected = merged(entry.item for entry in found)
    document = document_frame(reading, path, policy, "KO")
    rejection = _rejection(reading)
    title = Concept() if rejection else _title(reading)
    manifest = title.coding is not None and title.coding.system == DCM and title.coding.code in MANIFESTS
    if rejection:
        document = document._replace(rejection=RejectionNote(rejection, tuple(map(_rejected, selected))))
    elif selected:
        group = _group(reading, title, selected)._replace(focus=presentation_focus(found, places))
        document = document._replace(groups=(group,))
    if not selected and not manifest:
        code = DeadLetterCode.FRAME_OUT_OF_RANGE if out_of_range else DeadLetterCode.NO_USABLE_REFERENCE
        tag = tag_text("ReferencedFrameNumber" if out_of_range else "ContentSequence")
        document = document._replace(problem=code, problem_tag=tag)
    return document._replace(manifest=manifest, warnings=tuple(reading.warnings))


def _references(reading: Reading, places: Evidence) -> tuple[list[ReferencedItem], int]:
    found: list[ReferencedItem] = []
    out_of_range = 0
    for content_item in _content(reading):
        if first(content_item, "ValueType", reading) in _REFERENCES:
            named = referenced(content_item, places, reading)
            found += named.found
            out_of_range += named.out_of_range
    return found, out_of_range


def _content(reading: Reading) -> Iterator[Dataset]:
    """Every content item in document order, at any depth; not recursive, so depth costs no stack."""
    stack = [reading.dataset]
    while stack:
        content_item = stack.pop()
        yield content_item
        stack += reversed(items(content_item, "ContentSequence", reading))


def _title(reading: Reading) -> Concept:
    title = first_code(reading.dataset, "ConceptNameCodeSequence", reading)
    return title or _UNTITLED


def _rejection(reading: Reading) -> str:
    """`RejectionNote.title` if the document title is one of a rejection or of its revocation, else ""."""
    value, scheme = first_sent_code(reading.dataset, "ConceptNameCodeSequence", reading)
    if (value, scheme) == REVOCATION:
        return "REVOKE"
    return value if scheme == "DCM" and value in REJECTIONS else ""


def _rejected(item: ReportedItem) -> RejectedInstance:
    return RejectedInstance(item.study_instance_uid, item.series_instance_uid, item.sop_instance_uid)


def _group(reading: Reading, title: Concept, selected: tuple[ReportedItem, ...]) -> ReportedGroup:
    """Title modifiers (113011) as categories; Key Object Description (113012) as text and description."""
    modifiers: list[Concept] = []
    description = ""
    for child in items(reading.dataset, "ContentSequence", reading):
        concept = first_code(child, "ConceptNameCodeSequence", reading)
        if is_code(concept, DCM, "113011"):
            modifier = first_code(child, "ConceptCodeSequence", reading)
            modifiers += [modifier] if modifier else []
        elif is_code(concept, DCM, "113012") and not description:
            description = long_text(child, "TextValue", reading)
    return ReportedGroup(
        kind=GroupKind.KEY_IMAGES,
        suffix="",
        code=Concept(title.coding, clean(description) or title.text),
        items=selected,
        category=tuple(dict.fromkeys(modifiers)),
        description=description,
    )
