"""A study as it is since UIDs changed: what came into it, and what of it lies elsewhere now.

Rules of this file: pure; a study is folded under the names that were said, and seen under those of now. The
state that is seen is made anew for each evaluation; what evaluation noted in it goes back to the study's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from processors.core import erasure
from processors.core.events import (
    Document,
    DocumentPath,
    FragmentReported,
    InstanceHeader,
    SelectionMade,
    SeriesHeader,
    Stamp,
)
from processors.core.layers import winning_layers
from processors.core.moved_documents import put_documents
from processors.core.moved_series import put_series
from processors.core.study import CarriedState, SelectionKey, SelectionState, StudyState
from processors.core.uid_changes import Routes


def seen(own: StudyState, origins: Iterable[StudyState], routes: Routes) -> StudyState:
    """`own` with what lies in it now; `origins`: every study from which something ever came."""
    raws = [own, *origins]
    view = StudyState(own.study_instance_uid)
    view.ledgers, view.touched_ledgers = own.ledgers, own.touched_ledgers
    view.erased, view.last_revisions, view.dormant = own.erased, own.last_revisions, own.dormant
    view.touched_erasures, view.dropped_rows, view.purged = own.touched_erasures, own.dropped_rows, own.purged
    view.patients, view.evaluated_as, view.names = own.patients, own.evaluated_as, own.names
    put_series(view, own, raws, routes)
    _put_corrections(view, raws, routes)
    put_documents(view, own, raws, routes)
    _put_selections(view, own, raws, routes)
    return view


def forget_carried(own: StudyState, view: StudyState) -> list[FragmentReported]:
    """Documents that came from elsewhere and were erased there: for every study that has a part of one."""
    messages = []
    for path in sorted(own.carried.keys() - view.documents.keys()):
        bare = Document(path, "", "", InstanceHeader(), SeriesHeader())
        for target, (sequence, _) in own.carried.pop(path).sent.items():
            messages.append(FragmentReported(target, bare, _UNSAID, sequence + 1, erased=True))
        own.dropped_rows.append(("k", *path))
    return messages


_UNSAID = Stamp(0, True, "", "", b"")


def settle(own: StudyState, view: StudyState) -> None:
    """Note in the study itself what evaluation noted in what was seen of it."""
    own.patients, own.evaluated_as = view.patients, view.evaluated_as
    own.touched_study |= view.touched_study
    for uid, series in view.series.items():
        held = own.series.get(uid)
        if series is held or not series.touched:
            continue
        held = held or own.open_series(uid)
        held.published, held.published_upto = series.published, series.published_upto
        held.volumes = series.volumes
        held.hidden, held.warnings, held.touched = series.hidden, series.warnings, True
        held.changed.clear()
    for uid in own.series.keys() - view.series.keys():
        erasure.forget_series(own, uid)
    for path in view.touched_documents:
        state = view.documents[path]
        holder = own.carried.get(path) or own.documents.get(path)
        if holder is None:
            holder = own.carried[path] = CarriedState()
        holder.sent, holder.due_at_ms, holder.given_up = state.sent, state.due_at_ms, state.given_up
        own.touched_documents.add(path)
    for key in view.touched_selections:
        own.selections.setdefault(key, SelectionState()).published = view.selections[key].published
        own.touched_selections.add(key)
    own.wait_until(view.due_at_ms)


# ---- rejections, supersessions, corrected attributes -----------------------------------------------------


def _put_corrections(view: StudyState, raws: Sequence[StudyState], routes: Routes) -> None:
    for raw in raws:
        end = routes.end(DocumentPath(raw.study_instance_uid, "", ""))
        is_here = raw is raws[0] or end.study_instance_uid == view.study_instance_uid
        for header, stamp in raw.updates.items() if is_here else ():
            view.updates[header] = max(view.updates.get(header, stamp), stamp)
        _put_rejections(view, raw, raw is raws[0], is_here, routes)
        for sop, stamp in raw.superseded.items():
            places = raw.places(sop) | routes.places_named(raw.study_instance_uid, sop)
            sops = {end.sop_instance_uid for end in _ends(raw, places, sop, view, routes)}
            for uid in sops | ({sop} if is_here else set()):
                view.superseded[uid] = max(view.superseded.get(uid, stamp), stamp)
    if view.updates:
        view.updates = winning_layers(view.updates)


def _put_rejections(view: StudyState, raw: StudyState, is_own: bool, is_here: bool, routes: Routes) -> None:
    """A note means what it names under every name; a study's own notes go on meaning their own names, too."""
    for (series, sop), titles in raw.rejections.items():
        places = {series} if series else raw.places(sop) | routes.places_named(raw.study_instance_uid, sop)
        names = {end[1:] for end in _ends(raw, places, sop, view, routes)}
        if is_own or (is_here and not series):
            names.add((series, sop))
        for name in names:
            known = view.rejections.setdefault(name, {})
            for title, stamp in titles.items():
                known[title] = max(known.get(title, stamp), stamp)


def _ends(
    raw: StudyState, places: Iterable[str], sop: str, view: StudyState, routes: Routes
) -> list[DocumentPath]:
    """Where in this study an instance of `raw` lies, in whichever of these series it was."""
    ends = [routes.end(DocumentPath(raw.study_instance_uid, series, sop)) for series in places]
    return [end for end in ends if end.study_instance_uid == view.study_instance_uid]


# ---- selections ------------------------------------------------------------------------------------------


def _put_selections(view: StudyState, own: StudyState, raws: Sequence[StudyState], routes: Routes) -> None:
    parts: dict[SelectionKey, list[tuple[bool, SelectionState]]] = {}
    for raw in raws:
        for (series, source, selection_id), state in raw.selections.items():
            if state.stamp is None and state.withdrawn is None:  # only what was published of another's
                continue
            path = DocumentPath(raw.study_instance_uid, series, "")
            for there in routes.reach(path).get(view.study_instance_uid, ()):
                stands, read = _read(state, there, raw, routes)
                key = (there.series_instance_uid, source, selection_id)
                parts.setdefault(key, []).append((stands and there == routes.end(path), read))
    moved = set[tuple[str, ...]]()
    for key, found in parts.items():
        standing = [state for is_here, state in found if is_here]
        if not standing:
            moved.add(key)
        view.selections[key] = _joined(standing or [state for _, state in found])
        held = own.selections.get(key)
        view.selections[key].published = held.published if held else None
    view.moved = view.moved | moved


def _read(
    state: SelectionState, there: DocumentPath, raw: StudyState, routes: Routes
) -> tuple[bool, SelectionState]:
    """(whether anything of it lies there, the selection under names of there)."""
    read = SelectionState()
    read.stamp, read.withdrawn, read.inputs = state.stamp, state.withdrawn, state.inputs
    content = state.content
    if content is None:
        return True, read
    study, series, _ = there
    items = []
    for item in content.items:
        end = routes.end(
            DocumentPath(raw.study_instance_uid, item.series_instance_uid, item.sop_instance_uid)
        )
        if end[:2] == there[:2]:
            items.append(item._replace(**end._asdict()))
    standing = bool(items) or not content.items
    if not items:
        items = [
            item._replace(study_instance_uid=study, series_instance_uid=series) for item in content.items
        ]
    read.content = content._replace(study_instance_uid=study, series_instance_uid=series, items=tuple(items))
    return standing, read


def _joined(states: Sequence[SelectionState]) -> SelectionState:
    """Registers of one selection that came under several names."""
    joined = SelectionState()
    made: list[tuple[Stamp, SelectionMade | None]] = [(s.stamp, s.content) for s in states if s.stamp]
    if made:
        joined.stamp, joined.content = max(made, key=lambda each: each[0])
    joined.withdrawn = max((s.withdrawn for s in states if s.withdrawn), default=None)
    for state in states:
        joined.inputs.update(state.inputs)
    return joined
