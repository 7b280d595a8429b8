"""The fold of selections: registers by stamp; a withdrawal of its own stamp beside.

Rules of this file: as `core.folding`, of which it is the part for `selection.made` and `selection.withdrawn`.
"""

from __future__ import annotations

from processors.core.events import SelectionMade, SelectionWithdrawn
from processors.core.study import (
    APPLIED,
    DUPLICATE,
    Effect,
    Origin,
    SelectionKey,
    SelectionState,
    StudyState,
)


def fold_selection(study: StudyState, event: SelectionMade, origin: Origin, _: bool) -> Effect:
    key = _key(event)
    state = study.selections.setdefault(key, SelectionState())
    if state.stamp is not None and event.stamp <= state.stamp:
        return Effect(DUPLICATE)
    state.content, state.stamp = event, event.stamp
    return _touched(study, key, state, origin, event.warnings)


def fold_emptied_selection(study: StudyState, event: SelectionMade, origin: Origin) -> Effect:
    """All it named was erased: it still replaces what its sender selected before under this id."""
    effect = fold_selection(study, event, origin, False)
    state = study.selections[_key(event)]
    if state.content is event:
        state.content = None
    return effect


def fold_selection_withdrawal(
    study: StudyState, event: SelectionWithdrawn, origin: Origin, _: bool
) -> Effect:
    key = _key(event)
    state = study.selections.setdefault(key, SelectionState())
    if state.withdrawn is not None and event.stamp <= state.withdrawn:
        return Effect(DUPLICATE)
    state.withdrawn = event.stamp
    return _touched(study, key, state, origin)


def _key(event: SelectionMade | SelectionWithdrawn) -> SelectionKey:
    return event.series_instance_uid, event.stamp.source, event.selection_id


def _touched(
    study: StudyState,
    key: SelectionKey,
    state: SelectionState,
    origin: Origin,
    warnings: tuple[str, ...] = (),
) -> Effect:
    place, offset = origin
    first, last = state.inputs.get(place, (offset, offset))
    state.inputs[place] = (min(first, offset), max(last, offset))
    study.touched_selections.add(key)
    return Effect(APPLIED, now_selections={key}, warnings=warnings)
