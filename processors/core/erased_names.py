"""Erasure of an instance that had several names: what was said under any of them goes.

Rules of this file: as `core.erasure`. A name that was erased is known by its hash only; so what a study knows
is compared with what was erased under its other names, once these or the erasure are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from processors.core.corrections import ErasuresTold, InstanceErased, ItemErased
from processors.core.erasure import erase, erase_items, erased_until
from processors.core.events import Document, DocumentPath, FocusKind, Stamp
from processors.core.identity import name_hash
from processors.core.instances import NEVER
from processors.core.study import APPLIED, DUPLICATE, Effect, StudyState


def erase_by_all_names(study: StudyState, event: InstanceErased) -> Effect:
    """Erase an instance here, and tell it where it has other names."""
    effect = erase(study, event)
    if effect.disposition is DUPLICATE:
        return effect
    if study.purged is not None:
        _erase_purged(study, event.path, effect)
    if study.names is None:
        return effect
    _join(effect, sweep(study, event.stamp))
    effect.erased_documents |= study.ledgers.keys()  # a document may be published under a name not known here
    paths = event.path, event.path._replace(series_instance_uid="")  # which is what has no evidence
    named = {name.study_instance_uid for path in paths for name in study.names(path)}
    others = named - {study.study_instance_uid}
    hashes = tuple((name_hash(*path), event.stamp.occurred_at_us) for path in paths)
    effect.messages += [ErasuresTold(other, hashes, event.stamp) for other in sorted(others)]
    return effect


def erase_item(study: StudyState, event: ItemErased) -> Effect:
    """An instance of another study is gone; by a name of this one, if that was told of a document of here."""
    if event.path.study_instance_uid == study.study_instance_uid:
        return erase_by_all_names(study, InstanceErased(*event.path, event.stamp))
    effect = erase_items(study, event)
    if study.names is not None and effect.disposition is not DUPLICATE:
        _join(effect, sweep(study, event.stamp))  # it may have other names here
    return effect


def erase_told(study: StudyState, event: ErasuresTold) -> Effect:
    """Something was erased of a study in which the same instances have other names."""
    news = {name: at for name, at in event.erased if at > study.erased.get(name, NEVER)}
    if not news:
        return Effect(DUPLICATE)
    effect = Effect(APPLIED)
    for path in sorted(set(_known(study))):
        until_us = news.get(name_hash(*path))
        if until_us is not None:
            _join(effect, _erase_known(study, path, until_us, event.stamp))
    for name, until_us in news.items():
        study.erased[name] = until_us
        study.touched_erasures.add(f"p{name}")
    _join(effect, sweep(study, event.stamp))
    effect.erased_documents |= study.ledgers.keys()
    if study.purged is not None and study.purged.let_all_go():
        effect.now_all = True
    return effect


def _erase_purged(study: StudyState, path: DocumentPath, effect: Effect) -> None:
    """Which of the references that were purged list the instance is not known: all that may go."""
    assert study.purged is not None
    names = {path} if study.names is None else {path, *study.names(path)}
    here = [name for name in names if name.study_instance_uid == study.study_instance_uid]
    if study.purged.let_go({n.series_instance_uid for n in here}, {n.sop_instance_uid for n in here}):
        effect.disposition, effect.now_all = APPLIED, True


def sweep(study: StudyState, stamp: Stamp) -> Effect:
    """Erase what is known here and was erased under another name; cost: all that the study knows."""
    effect = Effect(APPLIED)
    for path in sorted(set(_known(study))):
        until_us = erased_until(study, path)
        if until_us <= study.erased.get(name_hash(*path), NEVER):
            continue
        _join(effect, _erase_known(study, path, until_us, stamp))
    return effect


def _erase_known(study: StudyState, path: DocumentPath, until_us: int, stamp: Stamp) -> Effect:
    said = Stamp(until_us, True, stamp.source, stamp.event_id, stamp.digest)
    if path.study_instance_uid == study.study_instance_uid:
        return erase(study, InstanceErased(*path, said))
    return erase_items(study, ItemErased(study.study_instance_uid, path, said))


def _known(study: StudyState) -> Iterator[DocumentPath]:
    """Every path that the study knows or that something in it names."""
    own = study.study_instance_uid
    for uid, series in study.series.items():
        yield from (DocumentPath(own, uid, sop) for sop in series.instances)
    for path, state in study.documents.items():
        home = path.study_instance_uid
        for content in state.contents:
            named: Iterable[tuple[object, ...]] = (
                *(item for group in content.groups for item in group.items),
                *content.predecessors,
                *(content.rejection.instances if content.rejection else ()),
            )
            yield from (DocumentPath(str(each[0] or home), str(each[1]), str(each[2])) for each in named)
            yield from _focused(content)
    for (uid, _, _), selection in study.selections.items():
        for item in selection.content.items if selection.content else ():
            yield DocumentPath(own, uid, item.sop_instance_uid)
    yield from (DocumentPath(own, uid, sop) for uid, sop in study.rejections)
    yield from (DocumentPath(own, "", sop) for sop in study.superseded)


def _focused(content: Document) -> Iterator[DocumentPath]:
    """Presentation states that what the document refers to is meant to be seen with."""
    for group in content.groups:
        for focus in group.focus:
            if focus.kind is FocusKind.PRESENTATION_STATE:
                study, series, sop = focus.value.split("|")
                yield DocumentPath(study or content.path.study_instance_uid, series, sop)


def _join(effect: Effect, other: Effect) -> None:
    effect.now_series |= other.now_series
    effect.now_documents |= other.now_documents
    effect.erased_documents |= other.erased_documents
    effect.now_selections |= other.now_selections
    effect.messages += other.messages
