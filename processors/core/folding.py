"""The fold: one event into one StudyState, by kind.

Rules of this file: `fold` and what it dispatches to; pure, constant cost per event (a document costs its
own size). Nothing here depends on the order of events, save what `core.series` and `core.study` call
operational.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from processors.core import erasure
from processors.core import series as series_fold
from processors.core.corrections import ErasuresTold, InstanceErased, ItemErased
from processors.core.erased_names import erase_by_all_names, erase_item, erase_told
from processors.core.events import (
    Document,
    DocumentArrived,
    DocumentPath,
    DocumentsSuperseded,
    FragmentReported,
    InstanceArrived,
    InstanceDeleted,
    InstancesRejected,
    SelectionMade,
    SelectionWithdrawn,
    SeriesCompleted,
    Stamp,
    StudyUpdated,
)
from processors.core.layers import winning_layers
from processors.core.selection_folding import (
    fold_emptied_selection,
    fold_selection,
    fold_selection_withdrawal,
)
from processors.core.series import NEW, REPEATED, Arrival, SeriesState
from processors.core.standing import rejection_of
from processors.core.study import (
    APPLIED,
    DUPLICATE,
    Disposition,
    DocumentState,
    Effect,
    Origin,
    StudyState,
    canonical_uid_of,
    count_inputs,
)
from processors.core.vocabulary import REPORTS
from processors.errors import IgnoredReason, WarningCode


def fold(study: StudyState, event: Any, origin: Origin, hide_quality: bool = True) -> Effect:
    """Fold `event` into `study`. The event must be of this study."""
    if not study.erased:
        return _FOLDS[type(event)](study, event, origin, hide_quality)
    left = erasure.admitted(study, event)
    if left.event is None:
        return _ignore_erased(study, event, origin)
    effect = _FOLDS[type(event)](study, left.event, origin, hide_quality)
    if left.messages:
        effect.messages += left.messages
    return effect


def _ignore_erased(study: StudyState, event: Any, origin: Origin) -> Effect:
    """What happened before its erasure: only what it says of others counts."""
    effect = Effect(erasure.ERASED)
    if isinstance(event, InstanceArrived | DocumentArrived) and erasure.expect(study, event):
        series = study.series[event.series_instance_uid]
        effect.now_unless_open.add(event.series_instance_uid)
        effect.completed = series.seen > 0 and series.expected_count == series.seen
    if isinstance(event, DocumentArrived):
        _apply_commands(study, event.document, event.stamp, effect)
    if isinstance(event, SelectionMade):
        effect = fold_emptied_selection(study, event, origin)
    if effect.disposition is not DUPLICATE:
        effect.disposition = erasure.ERASED
    return effect


def fold_arrival(study: StudyState, event: InstanceArrived, origin: Origin, hide_quality: bool) -> Effect:
    """The way of nearly all events: the two commonest effects are shared constants."""
    series = study.series.get(event.series_instance_uid)
    if series is None:
        series = study.open_series(event.series_instance_uid)
    arrival = series_fold.arrive(series, event)
    count_inputs(series, *origin)
    is_plain = event.expected is None and not event.warnings and not study.rejections
    if is_plain and event.instance.sop_class_uid not in REPORTS:
        if arrival is REPEATED:
            series.duplicates += 1
            return _REPEATED
        if arrival is NEW and series.expected is None:
            warnings = _place(study, series, event.sop_instance_uid)
            return Effect(APPLIED, opened=True, new_instance=True, warnings=warnings) if warnings else _NEW
    return _uncommon_arrival(study, series, event, arrival, hide_quality)


_NEW = Effect(APPLIED, opened=True, new_instance=True)
_REPEATED = Effect(DUPLICATE)


def _uncommon_arrival(
    study: StudyState, series: SeriesState, event: InstanceArrived, arrival: Arrival, hide_quality: bool
) -> Effect:
    if not arrival.new and not arrival.changed and not arrival.conflict:
        series.duplicates += 1
        effect = Effect(DUPLICATE, opened=arrival.restated)
    else:
        opened = arrival.new or arrival.changed or arrival.restated
        effect = Effect(APPLIED, opened=opened, new_instance=arrival.new)
        if arrival.new:
            effect.warnings = _place(study, series, event.sop_instance_uid)
    if arrival.conflict:
        series.warnings.add(WarningCode.SOP_CONTENT_CONFLICT)
        series.touched = True
        effect.warnings += (WarningCode.SOP_CONTENT_CONFLICT,)
    effect.warnings += event.warnings
    effect.completed = _may_close(series, arrival.new, event.expected)
    effect.opened = effect.opened or effect.completed
    if study.rejections:
        _mind_rejection(study, series, event, effect, hide_quality)
    if effect.disposition is APPLIED and event.instance.sop_class_uid in REPORTS:
        effect.disposition = Disposition("ignored", IgnoredReason.REPORT_WITHOUT_OBJECT)
    return effect


def _may_close(series: SeriesState, new: bool, expected: int | None) -> bool:
    if not new and expected is None:
        return False
    return series.expected_count == series.seen


def _place(study: StudyState, series: SeriesState, sop_instance_uid: str) -> tuple[str, ...]:
    """Note where the instance is; a SOP UID in two series is published twice, with a warning."""
    if not study.placed(sop_instance_uid, series.series_instance_uid):
        return ()
    for place in study.places(sop_instance_uid):
        study.series[place].warnings.add(WarningCode.SOP_UID_CONFLICT)
        study.series[place].touched = True
    return (WarningCode.SOP_UID_CONFLICT,)


def _mind_rejection(
    study: StudyState, series: SeriesState, event: InstanceArrived, effect: Effect, hide_quality: bool
) -> None:
    """A rejected instance that arrives is kept and not shown; a retention expiry may be lifted by it."""
    path = (series.series_instance_uid, event.sop_instance_uid)
    if path not in study.rejections and ("", event.sop_instance_uid) not in study.rejections:
        return
    series.changed.add(series.instances[event.sop_instance_uid].position)
    series.touched = True
    effect.opened = True
    if rejection_of(study, *path, series.instances[event.sop_instance_uid], hide_quality):
        effect.disposition = Disposition("ignored", IgnoredReason.PREVIOUSLY_REJECTED)


def _fold_deletion(study: StudyState, event: InstanceDeleted, origin: Origin, _: bool) -> Effect:
    series = study.open_series(event.series_instance_uid)
    deletion = series_fold.delete(series, event.sop_instance_uid, event.stamp)
    count_inputs(series, *origin)
    if not deletion.news:
        series.duplicates += 1
        return Effect(DUPLICATE)
    effect = Effect(APPLIED if deletion.known else Disposition("ignored", IgnoredReason.UNKNOWN_INSTANCE))
    if deletion.changed:
        effect.opened = True
        path = DocumentPath(event.study_instance_uid, event.series_instance_uid, event.sop_instance_uid)
        if path in study.documents:
            effect.now_documents.add(study.documents[path].canonical_uid)
    return effect


def _fold_completion(study: StudyState, event: SeriesCompleted, origin: Origin, _: bool) -> Effect:
    series = study.open_series(event.series_instance_uid)
    count_inputs(series, *origin)
    known = (series.completed, series.expected)
    series.completed = max(series.completed or event.stamp, event.stamp)
    if event.expected is not None:
        series.expect(event.stamp, event.expected)
    if known == (series.completed, series.expected):
        return Effect(DUPLICATE)
    series.touched = True
    effect = Effect(APPLIED, now_unless_open={event.series_instance_uid})
    expected = series.expected_count
    effect.completed = series.seen > 0 and (expected is None or series.seen >= expected)
    return effect


def _fold_update(study: StudyState, event: StudyUpdated, _origin: Origin, _: bool) -> Effect:
    said = study.updates.get(event.header)
    if said is not None and event.stamp <= said:
        return Effect(DUPLICATE)
    study.updates[event.header] = event.stamp
    study.updates = winning_layers(study.updates)
    study.touched_study = True
    return Effect(APPLIED, now_all=True)


def _fold_document(study: StudyState, event: DocumentArrived, origin: Origin, hide_quality: bool) -> Effect:
    document, stamp = event.document, event.stamp
    arrived = InstanceArrived(
        *document.path, stamp, document.instance, document.header, event.dated, event.expected, ()
    )
    # An instance that is no report may have one of the shared effects, which stay as they are.
    effect = deepcopy(fold_arrival(study, arrived, origin, hide_quality))
    effect.disposition = APPLIED
    state = study.documents.get(document.path)
    if state is None:
        state = _put_document(study, DocumentState(document, stamp, origin))
    elif document.content_digest == state.content.content_digest:
        _say_again(study, state, document, stamp, effect)
        if not effect.opened:
            return effect
    else:
        before = state.contents
        effect.now_documents.add(state.canonical_uid)
        effect.warnings += (WarningCode.SOP_CONTENT_CONFLICT,)
        state.warnings |= {WarningCode.SOP_CONTENT_CONFLICT, *document.warnings}
        if state.say(document, stamp):
            state.origin, state.given_up = origin, False
        _put_document(study, state, before)
    effect.warnings += document.warnings
    effect.arrived_document = document.path
    effect.now_documents.add(state.canonical_uid)
    if effect.disposition is APPLIED:
        _apply_commands(study, document, stamp, effect)
    return effect


def _say_again(
    study: StudyState, state: DocumentState, document: Document, stamp: Stamp, effect: Effect
) -> None:
    """The same object again: its stamp still counts, or a third content between the two would win; and so
    do its commands, or a revocation between the two would lift them.
    """
    if stamp > state.stamp:
        effect.now_documents.add(state.canonical_uid)
        _apply_commands(study, document, stamp, effect)
    state.say(document, stamp)
    state.duplicates += 1
    _put_document(study, state)
    effect.disposition = DUPLICATE


def _put_document(study: StudyState, state: DocumentState, before: Sequence[Document] = ()) -> DocumentState:
    """`before`: the contents that it had, some of which may be gone."""
    path = state.content.path
    study.documents[path] = state
    study.touched_documents.add(path)
    if before:
        study.index_again(path, before)
    study.index_document(path, state)
    return state


def _apply_commands(study: StudyState, document: Document, stamp: Stamp, effect: Effect) -> None:
    """What a document asks of others: rejections and supersessions, here and in other studies."""
    own = document.path.study_instance_uid
    if document.rejection is not None:
        effect.disposition = Disposition("ignored", IgnoredReason.REJECTION_NOTE)
        by_study: dict[str, list[tuple[str, str]]] = {}
        for rejected in document.rejection.instances:
            by_study.setdefault(rejected.study_instance_uid or own, []).append(
                (rejected.series_instance_uid, rejected.sop_instance_uid)
            )
        for target, instances in by_study.items():
            note = InstancesRejected(target, document.rejection.title, tuple(instances), stamp)
            if target == own:
                _reject(study, note, effect)
            else:
                effect.messages.append(note)
    superseded: dict[str, list[str]] = {}
    for predecessor in document.predecessors:
        if predecessor.sop_instance_uid != document.path.sop_instance_uid:
            target = predecessor.study_instance_uid or own
            superseded.setdefault(target, []).append(predecessor.sop_instance_uid)
    for target, documents in superseded.items():
        fact = DocumentsSuperseded(target, tuple(documents), stamp)
        if target == own:
            _supersede(study, fact, effect)
        else:
            effect.messages.append(fact)


def _fold_rejection(study: StudyState, event: InstancesRejected, _origin: Origin, _: bool) -> Effect:
    effect = Effect(DUPLICATE)
    if _reject(study, event, effect):
        effect.disposition = APPLIED
    return effect


def _reject(study: StudyState, event: InstancesRejected, effect: Effect) -> bool:
    """Remember the note's rejections; True if any is news."""
    news = False
    of_series: set[str] = set()
    for series_instance_uid, sop_instance_uid in event.instances:
        path = (event.study_instance_uid, series_instance_uid, sop_instance_uid)
        if erasure.is_erased(study, path, event.stamp.occurred_at_us):
            continue
        titles = study.rejections.setdefault(path[1:], {})
        said = titles.get(event.title)
        if said is not None and event.stamp <= said:
            continue
        titles[event.title] = event.stamp
        study.rejection_chunks.touch(path[1:])
        news = True
        places = {series_instance_uid} if series_instance_uid else set(study.places(sop_instance_uid))
        for place in places & study.series.keys():
            series = study.series[place]
            effect.now_series.add(place)
            if sop_instance_uid in series.instances:
                series.changed.add(series.instances[sop_instance_uid].position)
                series.touched = True
        effect.now_documents |= study.may_name(sop_instance_uid)
        of_series.add(series_instance_uid)
    if of_series:
        effect.now_selections |= {k for k in study.selections if "" in of_series or k[0] in of_series}
    return news


def _fold_supersession(study: StudyState, event: DocumentsSuperseded, _origin: Origin, _: bool) -> Effect:
    effect = Effect(DUPLICATE)
    if _supersede(study, event, effect):
        effect.disposition = APPLIED
    return effect


def _supersede(study: StudyState, event: DocumentsSuperseded, effect: Effect) -> bool:
    news = False
    for sop_instance_uid in event.documents:
        path = (event.study_instance_uid, "", sop_instance_uid)
        if erasure.is_erased(study, path, event.stamp.occurred_at_us):
            continue
        said = study.superseded.get(sop_instance_uid)
        if said is None or event.stamp > said:
            study.superseded[sop_instance_uid] = event.stamp
            news = study.touched_study = True
            effect.now_documents |= study.dependents.get(sop_instance_uid, set())
    return news


def _fold_fragment(study: StudyState, event: FragmentReported, origin: Origin, _: bool) -> Effect:
    path = event.document.path
    state = study.documents.get(path)
    if state is not None and (state.at_home or event.sequence <= state.fragment_sequence):
        return Effect(DUPLICATE)
    effect = Effect(APPLIED)
    if event.leaves_nothing:
        if state is not None:
            erasure.forget_document(study, path, effect)
        return effect
    before: list[Document] = []
    if state is None:
        state = DocumentState(event.document, event.stamp, origin)
    else:
        before = state.contents
        effect.now_documents.add(state.canonical_uid)
        if event.partly_erased:
            effect.erased_documents |= {canonical_uid_of(content) for content in before}
        state.content, state.stamp, state.origin = event.document, event.stamp, origin
    state.former = {bytes([n]): said for n, said in enumerate(event.said_before)}
    state.fragment_sequence = event.sequence
    state.fragment_withdrawn = event.withdrawn
    _put_document(study, state, before)
    effect.now_documents.add(state.canonical_uid)
    return effect


def _fold_erasure(study: StudyState, event: InstanceErased, _origin: Origin, _: bool) -> Effect:
    return erase_by_all_names(study, event)


def _fold_item_erasure(study: StudyState, event: ItemErased, _origin: Origin, _: bool) -> Effect:
    return erase_item(study, event)


def _fold_told_erasures(study: StudyState, event: ErasuresTold, _origin: Origin, _: bool) -> Effect:
    return erase_told(study, event)


_FOLDS: dict[type, Callable[[StudyState, Any, Origin, bool], Effect]] = {
    InstanceArrived: fold_arrival,
    InstanceDeleted: _fold_deletion,
    SeriesCompleted: _fold_completion,
    StudyUpdated: _fold_update,
    DocumentArrived: _fold_document,
    FragmentReported: _fold_fragment,
    InstancesRejected: _fold_rejection,
    DocumentsSuperseded: _fold_supersession,
    SelectionMade: fold_selection,
    SelectionWithdrawn: fold_selection_withdrawal,
    InstanceErased: _fold_erasure,
    ItemErased: _fold_item_erasure,
    ErasuresTold: _fold_told_erasures,
}
