"""Core events with as little in them as a test wants to tell.

Rules of this file: defaults of one CT study of one patient from PACS_A; times are whole seconds after
2026-01-02T08:00:00Z; nothing random.
"""

from __future__ import annotations

from hashlib import sha256

from processors.core.events import (
    Code,
    Concept,
    Document,
    DocumentArrived,
    DocumentPath,
    GroupKind,
    InstanceArrived,
    InstanceDeleted,
    InstanceHeader,
    RejectedInstance,
    RejectionNote,
    ReportedGroup,
    ReportedItem,
    SelectionMade,
    SelectionWithdrawn,
    SeriesCompleted,
    SeriesHeader,
    Stamp,
    StudyUpdated,
)
from processors.core.folding import fold
from processors.core.study import Effect, Origin, StudyState

STUDY = "1.1"
SERIES = "2.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
KOS = "1.2.840.10008.5.1.4.1.1.88.59"
SR = "1.2.840.10008.5.1.4.1.1.88.33"
DAY_US = 1_767_340_800_000_000
HEADER = SeriesHeader("CT", 2, patient_id="P1")
IMAGE = InstanceHeader(CT, 1)
ORIGIN: Origin = (("dicom-instances", 0), 7)
OF_INTEREST = Concept(Code("urn:x", "113000", "Of Interest"))


def stamp(at_s: int, source: str = "PACS_A", removal: bool = False, event_id: str = "e") -> Stamp:
    return Stamp(DAY_US + at_s * 1_000_000, removal, source, event_id, b"12345678")


def arrived(
    sop: str = "3.1",
    at_s: int = 1,
    *,
    series: str = SERIES,
    study: str = STUDY,
    source: str = "PACS_A",
    instance: InstanceHeader = IMAGE,
    header: SeriesHeader = HEADER,
    dated: bool = True,
    expected: int | None = None,
    warnings: tuple[str, ...] = (),
    event_id: str = "e",
) -> InstanceArrived:
    said = stamp(at_s, source, event_id=event_id)
    return InstanceArrived(study, series, sop, said, instance, header, dated, expected, warnings)


def deleted(
    sop: str = "3.1", at_s: int = 1, *, series: str = SERIES, source: str = "PACS_A"
) -> InstanceDeleted:
    return InstanceDeleted(STUDY, series, sop, stamp(at_s, source, removal=True))


def completed(at_s: int = 1, expected: int | None = None, series: str = SERIES) -> SeriesCompleted:
    return SeriesCompleted(STUDY, series, stamp(at_s), expected)


def updated(at_s: int, header: SeriesHeader) -> StudyUpdated:
    return StudyUpdated(STUDY, stamp(at_s), header)


def item(sop: str = "3.1", *, study: str = STUDY, series: str = SERIES, sop_class: str = CT) -> ReportedItem:
    """With evidence; `study` and `series` empty: without."""
    return ReportedItem(study, series, sop, sop_class)


def key_images(*items: ReportedItem) -> ReportedGroup:
    return ReportedGroup(GroupKind.KEY_IMAGES, "", OF_INTEREST, items)


def document(
    *groups: ReportedGroup,
    sop: str = "5.1",
    study: str = STUDY,
    sop_class: str = KOS,
    header: SeriesHeader = HEADER,
    identical: tuple[str, ...] = (),
    predecessors: tuple[DocumentPath, ...] = (),
    rejection: RejectionNote | None = None,
) -> Document:
    """Series 2.9; the digest follows from what is said."""
    made = Document(
        DocumentPath(study, "2.9", sop),
        sop_class,
        "KO" if sop_class == KOS else "SR",
        InstanceHeader(sop_class, 1),
        header,
        identical=identical,
        predecessors=predecessors,
        groups=groups,
        rejection=rejection,
    )
    return made._replace(content_digest=sha256(repr(made).encode()).digest()[:8])


def reported(made: Document, at_s: int = 1, source: str = "PACS_A") -> DocumentArrived:
    return DocumentArrived(made, stamp(at_s, source))


def rejection(title: str, *paths: tuple[str, str, str], sop: str = "5.8") -> Document:
    """A note; a path of ("", "", SOP) has no evidence."""
    instances = tuple(RejectedInstance(*path) for path in paths)
    return document(sop=sop, rejection=RejectionNote(title, instances))


def selected(*items: ReportedItem, at_s: int = 1, selection_id: str = "s1") -> SelectionMade:
    code = Concept(Code("urn:x", "1"))
    return SelectionMade(STUDY, SERIES, selection_id, stamp(at_s), code, HEADER, items=items)


def unselected(at_s: int = 1, selection_id: str = "s1") -> SelectionWithdrawn:
    return SelectionWithdrawn(STUDY, SERIES, selection_id, stamp(at_s, removal=True))


def study_of(*events: object) -> StudyState:
    study = StudyState(STUDY)
    for event in events:
        fold(study, event, ORIGIN)
    return study


def effect_of(study: StudyState, event: object) -> Effect:
    return fold(study, event, ORIGIN)
