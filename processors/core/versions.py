"""Versions of one report: which of them prevails (PS3.3 C.17.2, MAPPING 3.3).

Rules of this file: pure. A successor withdraws what it names as its predecessor whatever the flags say
(`core.folding`). Of versions that do not know each other but have a predecessor in common, the prevailing
final one is the one verified last, in whatever order they arrive; those that were verified before give way.
Versions are looked for within a study.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from processors.core.events import Document
from processors.core.study import DocumentState, StudyState


def rivals(study: StudyState, content: Document) -> list[DocumentState]:
    """Documents verified later that have a predecessor in common with this one, and are none of its own."""
    if content.verified_at_us is None or not content.predecessors:
        return []
    before = _predecessors(study, content)
    found = []
    for state in _of(study, kin(study, {content.path.sop_instance_uid, *before})):
        other = state.content
        if other.verified_at_us is None or other.verified_at_us <= content.verified_at_us:
            continue
        if other.path.sop_instance_uid not in before and not before.isdisjoint(_predecessors(study, other)):
            found.append(state)
    return found


def versions_of(study: StudyState, canonicals: Iterable[str]) -> set[str]:
    """Canonical UIDs of other versions of these documents: which of them prevails may have changed."""
    return kin(study, _names(study, canonicals))


def kin(study: StudyState, sop_instance_uids: Iterable[str]) -> set[str]:
    """Canonical UIDs of documents that are or name any of these, and of those that versions name in turn."""
    found: set[str] = set()
    met, unread = set[str](), list(sop_instance_uids)
    while unread:
        uid = unread.pop()
        if uid in met:
            continue
        met.add(uid)
        canonicals = study.dependents.get(uid, set()) - found
        found |= canonicals
        unread += _names(study, canonicals)
    return found


def _names(study: StudyState, canonicals: Iterable[str]) -> Iterator[str]:
    """SOP UIDs that versions among these documents have or name as their predecessors'."""
    for state in _of(study, canonicals):
        for content in state.contents:
            if content.predecessors:
                yield content.path.sop_instance_uid
                yield from (predecessor.sop_instance_uid for predecessor in content.predecessors)


def _of(study: StudyState, canonicals: Iterable[str]) -> list[DocumentState]:
    paths = sorted({path for canonical in canonicals for path in study.families.get(canonical, ())})
    return [study.documents[path] for path in paths if study.documents[path].at_home]


def _predecessors(study: StudyState, content: Document) -> set[str]:
    """SOP UIDs of all versions that it replaces, as far as they tell."""
    met: set[str] = set()
    unread = [predecessor.sop_instance_uid for predecessor in content.predecessors]
    while unread:
        uid = unread.pop()
        if uid not in met:
            met.add(uid)
            for state in _of(study, study.dependents.get(uid, ())):
                if state.content.path.sop_instance_uid == uid:
                    unread += [p.sop_instance_uid for p in state.content.predecessors]
    return met - {content.path.sop_instance_uid}
