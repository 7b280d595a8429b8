"""Erasure: nothing that happened to an instance up to then is kept or shown; a hash of its path stays.

Rules of this file: pure; what an erasure takes out of a StudyState, and what of a later event it lets pass.
Both ask the same question, whether a fact's time is later than the erasure, so the order of events does not
show. The word of an erased document about others (rejections, supersessions) holds on: lifting a rejection
is no way to protect a patient.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from processors.core.corrections import InstanceErased, ItemErased
from processors.core.events import (
    Document,
    DocumentArrived,
    DocumentPath,
    Focus,
    FocusKind,
    FragmentReported,
    InstanceArrived,
    InstanceDeleted,
    InstanceHeader,
    RejectionNote,
    ReportedGroup,
    ReportedItem,
    SelectionMade,
    SeriesHeader,
    Stamp,
)
from processors.core.identity import name_hash
from processors.core.instances import NEVER, InstanceState
from processors.core.layers import winning_layers
from processors.core.series import CHUNK, SeriesState
from processors.core.study import (
    DUPLICATE,
    Disposition,
    DocumentState,
    Effect,
    Expectation,
    StudyState,
    canonical_uid_of,
)
from processors.core.versions import kin
from processors.errors import IgnoredReason

ERASED = Disposition("ignored", IgnoredReason.ERASED)


def is_erased(study: StudyState, path: Iterable[str], at_us: int) -> bool:
    """Whether what happened then at this path (study, series or empty, SOP) is not to be kept."""
    return bool(study.erased) and at_us <= erased_until(study, path)


def erased_until(study: StudyState, path: Iterable[str]) -> int:
    """Under whichever name it was erased."""
    if study.names is None:
        return study.erased.get(name_hash(*path), NEVER)
    names = study.names(DocumentPath(*path))
    return max(study.erased.get(name_hash(*name), NEVER) for name in names)


# ---- what comes afterwards -------------------------------------------------------------------------------


class Admitted(NamedTuple):
    event: Any
    """Less what was erased; None: nothing of it is left."""
    messages: tuple[ItemErased, ...] = ()
    """For the home of a document that still refers to what was erased."""


def admitted(study: StudyState, event: Any) -> Admitted:
    """What of an event may be folded into a study of which something was erased."""
    match event:
        case InstanceArrived() | InstanceDeleted():
            return Admitted(None if is_erased(study, event[:3], event.stamp.occurred_at_us) else event)
        case DocumentArrived():
            if is_erased(study, event.document.path, event.stamp.occurred_at_us):
                return Admitted(None)
            return Admitted(event._replace(document=without_erased(study, event.document, event.stamp)))
        case FragmentReported() if not event.erased:
            document = without_erased(study, event.document, event.stamp)
            former = tuple(without_erased(study, each, stamp) for stamp, each in event.said_before)
            home = event.document.path.study_instance_uid
            said = ((event.stamp, event.document), *event.said_before)
            found = {path for stamp, each in said for path in _erased_items(study, each, stamp)}
            messages = (ItemErased(home, p, _until(study, p, event.stamp)) for p in sorted(found))
            return Admitted(event._replace(document=document, former=former), tuple(messages))
        case SelectionMade():
            items = _left(study, event.items, event.study_instance_uid, event.stamp)
            return Admitted(None if event.items and not items else event._replace(items=items))
    return Admitted(event)


def expect(study: StudyState, event: InstanceArrived | DocumentArrived) -> bool:
    """An arrival that is ignored still says how many its series has; True if that is news of a known one."""
    if event.expected is None:
        return False
    series = study.series.get(event.series_instance_uid)
    if series is not None:
        return series.expect(event.stamp, event.expected)
    key = name_hash(study.study_instance_uid, event.series_instance_uid)
    known, said = study.dormant.get(key, Expectation()), (event.stamp, event.expected)
    study.dormant[key] = known._replace(expected=max(known.expected or said, said))
    study.touched_erasures.add(f"s{key}")
    return False


def _until(study: StudyState, path: DocumentPath, stamp: Stamp) -> Stamp:
    return Stamp(erased_until(study, path), True, stamp.source, stamp.event_id, stamp.digest)


# ---- the erasure itself ----------------------------------------------------------------------------------


def erase(study: StudyState, event: InstanceErased) -> Effect:
    """Take out of the study what happened to this instance; cost: the documents that name it."""
    path, until_us = event.path, event.stamp.occurred_at_us
    anywhere = DocumentPath(path.study_instance_uid, "", path.sop_instance_uid)
    if not _remember(study, path, until_us):
        return Effect(DUPLICATE)
    _remember(study, anywhere, until_us)
    relatives = kin(study, {path.sop_instance_uid})
    known = study.series.get(path.series_instance_uid)
    is_known = known is not None and path.sop_instance_uid in known.instances
    effect = Effect(
        Disposition("applied") if is_known else Disposition("ignored", IgnoredReason.UNKNOWN_INSTANCE)
    )
    effect.now_documents |= relatives
    if known is not None and is_known:
        effect.now_series.add(path.series_instance_uid)
        _erase_instance(study, known, path.sop_instance_uid, until_us)
    _erase_document(study, path, event, effect)
    _erase_items(study, path, event.stamp, effect)
    _erase_selected(study, path, effect)
    _erase_commands(study, path, until_us, effect)
    return effect


def erase_items(study: StudyState, event: ItemErased) -> Effect:
    """An instance of another study is gone: its documents here stop naming it."""
    if not _remember(study, event.path, event.stamp.occurred_at_us):
        return Effect(DUPLICATE)
    effect = Effect(Disposition("applied"))
    _erase_items(study, event.path, event.stamp, effect)
    return effect


def forget_document(study: StudyState, path: DocumentPath, effect: Effect) -> None:
    """Nothing of this document is left."""
    state = study.documents.pop(path)
    study.touched_documents.discard(path)
    study.dropped_rows.append(("d", *path))
    effect.erased_documents |= {canonical_uid_of(content) for content in state.contents}
    study.index_again(path, state.contents)


def forget_series(study: StudyState, series_instance_uid: str) -> None:
    """No instance is left of it: what senders said of its completeness stays, under a hash."""
    series = study.series.pop(series_instance_uid)
    key = name_hash(study.study_instance_uid, series_instance_uid)
    said = Expectation(series.expected, series.completed)
    if said != Expectation():
        study.dormant[key] = said
        study.touched_erasures.add(f"s{key}")
    study.dropped_rows.append(("x", series_instance_uid))
    for chunk in range(len(series.order) // CHUNK + 1):
        study.dropped_rows += [(kind, series_instance_uid, f"{chunk:06d}") for kind in ("c", "h")]


def forget_study(study: StudyState) -> None:
    """Nothing is left of it but what corrections said of it."""
    study.patients = set()
    if not (study.updates or study.superseded):
        study.evaluated_as, study.touched_study = b"", False
        study.dropped_rows.append(("s",))


def _remember(study: StudyState, path: DocumentPath, until_us: int) -> bool:
    key = name_hash(*path)
    if until_us <= study.erased.get(key, NEVER):
        return False
    study.erased[key] = until_us
    study.touched_erasures.add(f"p{key}")
    return True


def _erase_instance(study: StudyState, series: SeriesState, sop_instance_uid: str, until_us: int) -> None:
    before = series.instances.pop(sop_instance_uid)
    after = before.since(until_us)
    if after is None:
        series.order[before.position] = InstanceState("", position=before.position)
        series.touch(before.position)
    else:
        series.put(after)
    series.changed.add(before.position)
    if before.stamp is not None and (after is None or after.stamp is None):
        series.seen -= 1
        study.left(sop_instance_uid, series.series_instance_uid)
    word = _word_of(series, before)
    said = series.said.pop(sop_instance_uid, None)
    if said is not None:
        series.dirty_said.add(before.position // CHUNK)
        kept = {header: stamp for header, stamp in said.items() if stamp.occurred_at_us > until_us}
        if kept:
            series.said[sop_instance_uid] = kept
    if not word.items().isdisjoint(series.headers.items()):  # else others said all of it later
        series.headers = _headers_of(series)


def _word_of(series: SeriesState, instance: InstanceState) -> dict[SeriesHeader, Stamp]:
    """What one instance says of its series."""
    if instance.stamp is None:
        return {}
    base = series.base or next(iter(series.headers), SeriesHeader())
    return series.said.get(instance.sop_instance_uid) or {base: instance.stamp}


def _headers_of(series: SeriesState) -> dict[SeriesHeader, Stamp]:
    """What the instances that are left say of their series."""
    layers: dict[SeriesHeader, Stamp] = {}
    for instance in series.instances.values():
        for header, stamp in _word_of(series, instance).items():
            layers[header] = max(layers.get(header, stamp), stamp)
    return winning_layers(layers) if layers else {}


def _erase_document(study: StudyState, path: DocumentPath, event: InstanceErased, effect: Effect) -> None:
    state = study.documents.get(path)
    if state is None:
        return
    said = state.said
    kept = [each for each in said if each[0].occurred_at_us > event.stamp.occurred_at_us]
    if not kept:
        bare = Document(path, "", "", InstanceHeader(), SeriesHeader())
        for target, (sequence, _) in state.sent.items():
            gone = FragmentReported(target, bare, event.stamp, sequence + 1, erased=True)
            effect.messages.append(gone)
        forget_document(study, path, effect)
    elif len(kept) < len(said):
        before = state.contents
        effect.erased_documents |= {canonical_uid_of(content) for content in before}
        (state.stamp, state.content), *former = kept
        state.former = {content.content_digest: (stamp, content) for stamp, content in former}
        study.touched_documents.add(path)
        study.index_again(path, before)


def _erase_items(study: StudyState, path: DocumentPath, stamp: Stamp, effect: Effect) -> None:
    """Documents that name the instance, and happened before, do so no longer."""
    holders = {
        holder
        for canonical in study.dependents.get(path.sop_instance_uid, ())
        for holder in study.families.get(canonical, ())
    }
    effect.erased_documents |= study.may_name(path.sop_instance_uid)
    for holder in sorted(holders):
        state = study.documents[holder]
        before = state.contents
        if not _strip(study, state, path.sop_instance_uid):
            continue
        study.index_again(holder, before)
        study.touched_documents.add(holder)
        effect.erased_documents |= {canonical_uid_of(content) for content in state.contents}
        if not state.at_home:
            effect.messages.append(ItemErased(holder.study_instance_uid, path, stamp))


def _strip(study: StudyState, state: DocumentState, sop_instance_uid: str) -> bool:
    """Of an instance that was erased just now. One of several names may take others with it."""
    sop = sop_instance_uid if study.names is None else ""
    content = without_erased(study, state.content, state.stamp, sop)
    former = {
        digest: (stamp, without_erased(study, each, stamp, sop))
        for digest, (stamp, each) in state.former.items()
    }
    if content is state.content and all(
        each[1] is state.former[digest][1] for digest, each in former.items()
    ):
        return False
    state.content, state.former = content, former
    return True


def _erase_selected(study: StudyState, path: DocumentPath, effect: Effect) -> None:
    for key, state in study.selections.items():
        content, stamp = state.content, state.stamp
        if key[0] != path.series_instance_uid or content is None or stamp is None:
            continue
        items = _left(study, content.items, path.study_instance_uid, stamp)
        if len(items) < len(content.items):
            state.content = content._replace(items=items) if items else None
            study.touched_selections.add(key)
            effect.now_selections.add(key)


def _erase_commands(study: StudyState, path: DocumentPath, until_us: int, effect: Effect) -> None:
    """Rejections and supersessions that name the instance, and came before."""
    for key in ((path.series_instance_uid, path.sop_instance_uid), ("", path.sop_instance_uid)):
        titles = study.rejections.pop(key, None)
        if titles is not None:
            kept = {title: stamp for title, stamp in titles.items() if stamp.occurred_at_us > until_us}
            if kept:
                study.rejections[key] = kept
            study.rejection_chunks.touch(key)
            effect.now_series |= study.places(path.sop_instance_uid)
            effect.now_selections |= {each for each in study.selections if key[0] in ("", each[0])}
    superseded = study.superseded.get(path.sop_instance_uid)
    if superseded is not None and superseded.occurred_at_us <= until_us:
        del study.superseded[path.sop_instance_uid]
        study.touched_study = True


# ---- a document's content less what was erased -----------------------------------------------------------


def without_erased(study: StudyState, document: Document, stamp: Stamp, sop: str = "") -> Document:
    """The content said under this stamp; the same object where nothing of it was erased.

    `sop`: a SOP Instance UID, where nothing else can have been; empty: anything may.
    """
    home = document.path.study_instance_uid
    groups = []
    for group in document.groups:
        left = _left(study, group.items, home, stamp, sop)
        if left or not group.items:
            groups.append(_group(study, group, left, home, stamp, sop))
    stripped = document._replace(
        groups=tuple(groups),
        predecessors=_left(study, document.predecessors, home, stamp, sop),
        rejection=_note(study, document.rejection, home, stamp, sop),
    )
    return document if stripped == document else stripped


def _group(
    study: StudyState,
    group: ReportedGroup,
    items: tuple[ReportedItem, ...],
    home: str,
    stamp: Stamp,
    sop: str,
) -> ReportedGroup:
    def points_at_erased(focus: Focus) -> bool:
        if not _is_state(focus):
            return False
        state = tuple(focus.value.split("|"))
        return sop in ("", state[2]) and _gone(study, state, home, stamp)

    return group._replace(items=items, focus=tuple(f for f in group.focus if not points_at_erased(f)))


def _note(
    study: StudyState, note: RejectionNote | None, home: str, stamp: Stamp, sop: str
) -> RejectionNote | None:
    if note is None:
        return None
    return note._replace(instances=_left(study, note.instances, home, stamp, sop))


Named = TypeVar("Named", bound=tuple[Any, ...])


def _left(
    study: StudyState, items: tuple[Named, ...], home: str, stamp: Stamp, sop: str = ""
) -> tuple[Named, ...]:
    return tuple(i for i in items if (sop and i[2] != sop) or not _gone(study, i, home, stamp))


def _gone(study: StudyState, item: tuple[Any, ...], home: str, stamp: Stamp) -> bool:
    """Items begin with study, series and SOP; without evidence they mean their document's own study."""
    return is_erased(study, (item[0] or home, item[1], item[2]), stamp.occurred_at_us)


def _erased_items(study: StudyState, document: Document, stamp: Stamp) -> list[DocumentPath]:
    home = document.path.study_instance_uid
    named: list[tuple[Any, ...]] = [item for group in document.groups for item in group.items]
    named += [
        tuple(focus.value.split("|"))
        for group in document.groups
        for focus in group.focus
        if _is_state(focus)
    ]
    return [DocumentPath(*each[:3]) for each in named if _gone(study, each, home, stamp)]


def _is_state(focus: Focus) -> bool:
    return focus.kind is FocusKind.PRESENTATION_STATE
