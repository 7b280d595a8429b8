"""Purging: a study of which nothing was heard for long leaves the state; its references stay as they are.

Rules of this file: pure; when a study may go, what stays of it, and what an event may still do afterwards.

*What stays*, and for good: for each reference its id (a hash of its path), its revision, series, kind and
modality (`core.remnant`); which documents there were, as hashes; what erasures remember; and corrections
(updates of the study, rejections, supersessions), since they hold for what comes later. Nothing is published.

*Why no event may change a purged reference.* Its content is gone. A reference made anew of the one image that
comes late would list one image where readers have a thousand: worse than none. So a reference that was purged
is **frozen**: no revision of it is ever made but its end, by erasure. Two things hold to that: `bearing` says
it of an event before it is folded, so that its record is put aside and counted (`series_unknown`: what it
names is known no more); and evaluation leaves out whatever has a frozen id, however it came about.

    event                         in a study that was purged
    image arrived or deleted,     of a series that has a frozen reference: put aside, not folded; of another
    series completed              one: folded, and published as in any study
    document                      that was here before, or a copy of one that was: put aside, not folded
      a new one                   folded; its references are new, and follow from its own evidence. If it
                                  rejects or replaces something frozen, its record is put aside as well
    rejection, supersession,      folded, for what comes later; put aside as well where it means something
    study updated                 frozen
    selection made, withdrawn     frozen: put aside, not folded; another: folded
    patient merged                told to homes, not to studies; a purged study has left the index by patient,
                                  so its references keep the patient they have
    UIDs changed                  folded into the alias table; put aside as well where either study is purged:
                                  frozen references neither move nor are replaced
    instance erased               *every* reference of its series ends, with a null value, and if it is a
                                  document every reference made by it: which of them list the instance is not
                                  known, and erasing more is right where erasing less is not. Of another
                                  study's instance that has a name here, too: every reference of the study.
                                  What was erased so is frozen no more: sent again, and having happened later
                                  than the erasure, it goes on counting revisions. So a study is brought back

*Which studies stay.* A study that still waits for something is looked at again a day later. One that is tied
to others (a document that names another study's images, a fragment of one, changed UIDs) is never purged:
what the others say of it later could not be followed.

*Where the first promise ends.* References are the same in any order as long as no event of a study comes
later than its purge, by the input's own clock; a purge is a clock like any other and no batch, crash or
rebalance shows. What comes later changes nothing that is frozen, wherever the batches are cut.
"""

from __future__ import annotations

from enum import Enum
from typing import Any
from uuid import UUID
from zlib import crc32

from processors.core import identity
from processors.core.erasure import admitted
from processors.core.events import (
    Document,
    DocumentArrived,
    DocumentsSuperseded,
    FragmentReported,
    InstanceArrived,
    InstanceDeleted,
    InstancesRejected,
    SelectionMade,
    SelectionWithdrawn,
    SeriesCompleted,
    StudyUpdated,
)
from processors.core.reference import Kind
from processors.core.references import images_of
from processors.core.remnant import Line, Remnant, mark_of
from processors.core.series import CHUNK, SeriesState
from processors.core.study import StudyState

DAY_MS = 86_400_000
"""Days are counted, so that a study's clock is written once a day at most."""


# ---- when ------------------------------------------------------------------------------------------------


def hear(study: StudyState, at_ms: int, retention_ms: int) -> None:
    """Something of the study was read: the clock of its purge starts anew, if this is another day."""
    day = at_ms // DAY_MS
    if day > study.heard_day:
        study.heard_day = day
        set_clock(study, retention_ms)


def set_clock(study: StudyState, retention_ms: int, not_before_ms: int = 0) -> None:
    """So long after the end of the day; spread over another one by the study, or all would go at once."""
    after_ms = max((study.heard_day + 1) * DAY_MS + retention_ms, not_before_ms)
    study.purge_at_ms = after_ms + crc32(study.study_instance_uid.encode()) % DAY_MS
    study.touched_study = True
    study.wait_until(study.purge_at_ms)


def put_off(study: StudyState) -> bool:
    """Whether the study must stay, though its clock ran out; its clock is set for when to look again."""
    clocks = [series.due_at_ms for series in study.series.values()]
    clocks += [state.due_at_ms for state in study.documents.values()]
    clocks += [state.due_at_ms for state in study.carried.values()]
    latest_ms = max((due for due in clocks if due is not None), default=None)
    study.purge_at_ms = None if latest_ms is None else latest_ms + DAY_MS
    study.touched_study = True
    study.wait_until(study.purge_at_ms)
    return latest_ms is not None or _is_tied(study)


def _is_tied(study: StudyState) -> bool:
    """To other studies; or, which should not be, it has images that were never published."""
    if study.names is not None or study.carried:
        return True
    if any(not state.at_home or state.sent for state in study.documents.values()):
        return True
    return any(series.published is None and images_of(series) for series in study.series.values())


# ---- what stays ------------------------------------------------------------------------------------------


def left_of(study: StudyState, namespace: UUID) -> StudyState:
    """The study as it is from now on. `namespace`: of reference ids."""
    left = StudyState(study.study_instance_uid)
    left.purged = _remnant(study, namespace)
    left.names = study.names
    left.updates, left.superseded, left.rejections = study.updates, study.superseded, study.rejections
    left.erased, left.last_revisions, left.dormant = study.erased, study.last_revisions, study.dormant
    left.touched_erasures = study.touched_erasures
    left.dropped_rows = [*study.dropped_rows, *_rows_of(study)]
    left.touched_study = bool(study.updates or study.superseded)
    left.rejection_chunks = study.rejection_chunks
    if not left.touched_study:
        left.dropped_rows.append(("s",))
    return left


def _remnant(study: StudyState, namespace: UUID) -> Remnant | None:
    remnant = study.purged or Remnant()
    own, lines = study.study_instance_uid, remnant.lines
    for uid, series in study.series.items():
        if series.published is not None:
            reference_id = identity.reference_id(identity.series_key(own, uid), namespace)
            lines[reference_id] = Line(
                series.published.revision, Kind.SERIES, uid, b"", series.published.modality
            )
        for reference_id, said in series.volumes.items():
            lines[reference_id] = Line(said.revision, said.kind, uid, b"", said.modality)
    for canonical, ledger in study.ledgers.items():
        for reference_id, said in ledger.items():
            uid = said.series_instance_uid
            lines[reference_id] = Line(said.revision, said.kind, uid, mark_of(canonical), said.modality)
    for key, selection in study.selections.items():
        if selection.published is not None:
            reference_id = identity.reference_id(identity.selection_key(own, *key), namespace)
            published = selection.published
            lines[reference_id] = Line(
                published.revision, Kind.SELECTION, key[0], mark_of(*key), published.modality
            )
    remnant.documents |= {(mark_of(canonical), mark_of(canonical)) for canonical in study.ledgers}
    for canonical, paths in study.families.items():
        remnant.documents |= {(mark_of(path.sop_instance_uid), mark_of(canonical)) for path in paths}
    remnant.touched = bool(lines or remnant.documents)
    return remnant if remnant.touched else None


def _rows_of(study: StudyState) -> list[tuple[str, ...]]:
    """Kind and further parts of the keys of all that goes."""
    dropped: list[tuple[str, ...]] = []
    for uid, series in study.series.items():
        dropped.append(("x", uid))
        dropped += [("c", uid, f"{chunk:06d}") for chunk in range(-(-len(series.order) // CHUNK))]
        dropped += [("h", uid, f"{chunk:06d}") for chunk in sorted(_said_chunks(series))]
    dropped += [("d", *path) for path in study.documents]
    dropped += [("l", canonical) for canonical in study.ledgers]
    dropped += [("m", *key) for key in study.selections]
    return dropped


def _said_chunks(series: SeriesState) -> set[int]:
    return {series.instances[sop].position // CHUNK for sop in series.said if sop in series.instances}


# ---- what comes afterwards -------------------------------------------------------------------------------


class Bearing(Enum):
    """What an event has to do with references that are frozen."""

    NONE = 0
    IN_PART = 1
    """It is folded, since it says something of others, too; its record is put aside all the same."""
    WHOLLY = 2
    """It is not folded."""


def bearing(study: StudyState, event: Any) -> Bearing:
    remnant = study.purged
    if remnant is None or (study.erased and admitted(study, event).event is None):
        return Bearing.NONE
    own = study.study_instance_uid
    match event:
        case InstanceArrived() | InstanceDeleted():
            is_one = remnant.has_series(event.series_instance_uid)
            return _wholly(is_one or remnant.has_document(event.sop_instance_uid))
        case SeriesCompleted():
            return _wholly(remnant.has_series(event.series_instance_uid))
        case DocumentArrived() | FragmentReported():
            document = event.document
            if remnant.has_document(document.path.sop_instance_uid, *document.identical):
                return Bearing.WHOLLY
            return _in_part(type(event) is DocumentArrived and _commands(remnant, own, document))
        case SelectionMade() | SelectionWithdrawn():
            key = event.series_instance_uid, event.stamp.source, event.selection_id
            return _wholly(remnant.has_selection(*key))
        case InstancesRejected():
            return _in_part(any(_rejects(remnant, *each) for each in event.instances))
        case DocumentsSuperseded():
            return _in_part(remnant.has_document(*event.documents))
        case StudyUpdated():
            return _in_part(bool(remnant.lines))
    return Bearing.NONE


def _wholly(is_one: bool) -> Bearing:
    return Bearing.WHOLLY if is_one else Bearing.NONE


def _in_part(is_one: bool) -> Bearing:
    return Bearing.IN_PART if is_one else Bearing.NONE


def _commands(remnant: Remnant, own: str, document: Document) -> bool:
    """Whether the document rejects or replaces something frozen of its own study."""
    replaced = [p.sop_instance_uid for p in document.predecessors if p.study_instance_uid in ("", own)]
    note = document.rejection
    rejected = [i for i in note.instances if i.study_instance_uid in ("", own)] if note else []
    return remnant.has_document(*replaced) or any(_rejects(remnant, *each[1:]) for each in rejected)


def _rejects(remnant: Remnant, series_instance_uid: str, sop_instance_uid: str) -> bool:
    """A note without evidence may mean an image of any series."""
    if remnant.has_document(sop_instance_uid):
        return True
    return remnant.has_series(series_instance_uid) if series_instance_uid else bool(remnant.lines)
