"""Key Object Selections (TID 2010) to documents: key images, manifests, rejection notes.

Rules of this file: a KOS selects by its content tree, never by its evidence; a rejection note is a command
and makes no group (IHE RAD TF-3 4.66).
"""

from __future__ import annotations

from processors.core.events import (
    Code,
    Concept,
    Document,
    DocumentPath,
    Focus,
    GroupKind,
    RejectedInstance,
    RejectionNote,
    ReportedGroup,
    ReportedItem,
)
from processors.core.vocabulary import DCM, modality_display
from processors.dicom.codes import first_code, first_sent_code, is_code
from processors.dicom.content_tree import ContentTree, content_tree
from processors.dicom.documents import document_frame
from processors.dicom.evidence import evidence
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.sop_references import SopReferences, sop_references, united
from processors.dicom.values import clean, long_text, tag_text
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

    Raises Refused for an unusable SOP Class UID and for content nested too deeply.
    """
    rejection = _rejection(reading)  # before the titles are read as concepts: a vendor's has no FHIR system
    tree = content_tree(reading, policy)
    named = _named(tree, reading)
    selected = united(item for references in named for item in references.items)
    manifest = is_manifest(tree.root.name)
    document = document_frame(reading, path, policy, "KO")
    if rejection:
        document = document._replace(rejection=RejectionNote(rejection, tuple(map(_rejected, selected))))
    elif selected:
        focus = tuple(dict.fromkeys(state for references in named for state in references.focus))
        document = document._replace(groups=(_group(tree, selected, focus, reading),))
    if not selected and not manifest:
        unusable = any(references.frames_unusable for references in named)
        document = document._replace(
            problem=DeadLetterCode.FRAME_OUT_OF_RANGE if unusable else DeadLetterCode.NO_USABLE_REFERENCE,
            problem_tag=tag_text("ReferencedFrameNumber" if unusable else "ContentSequence"),
        )
    return document._replace(manifest=manifest, warnings=tuple(reading.warnings))


def is_manifest(title: Concept) -> bool:
    return title.coding is not None and title.coding.system == DCM and title.coding.code in MANIFESTS


def _named(tree: ContentTree, reading: Reading) -> list[SopReferences]:
    """What each reference item names, at any depth, in document order."""
    places = evidence(reading)
    return [
        sop_references(item.dataset, places, reading)
        for item in tree.by_path.values()
        if item.value_type in _REFERENCES
    ]


def _rejection(reading: Reading) -> str:
    """`RejectionNote.title` if the document title is that of a rejection or of its revocation, else ""."""
    value, scheme = first_sent_code(reading.dataset, "ConceptNameCodeSequence", reading)
    if (value, scheme) == REVOCATION:
        return "REVOKE"
    return value if scheme == "DCM" and value in REJECTIONS else ""


def _rejected(item: ReportedItem) -> RejectedInstance:
    return RejectedInstance(item.study_instance_uid, item.series_instance_uid, item.sop_instance_uid)


def _group(
    tree: ContentTree, selected: tuple[ReportedItem, ...], focus: tuple[Focus, ...], reading: Reading
) -> ReportedGroup:
    """Title modifiers (113011) as categories; Key Object Description (113012) as text and description."""
    modifiers: list[Concept] = []
    description = ""
    for item in tree.root.children:
        if is_code(item.name, DCM, "113011"):
            modifier = first_code(item.dataset, "ConceptCodeSequence", reading)
            modifiers += [modifier] if modifier else []
        elif is_code(item.name, DCM, "113012") and not description:
            description = long_text(item.dataset, "TextValue", reading)
    title = _UNTITLED if tree.root.name == Concept() else tree.root.name
    return ReportedGroup(
        kind=GroupKind.KEY_IMAGES,
        suffix="",
        code=Concept(title.coding, clean(description) or title.text),
        items=selected,
        category=tuple(dict.fromkeys(modifiers)),
        description=description,
        focus=focus,
    )
