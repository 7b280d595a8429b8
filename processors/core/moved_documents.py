"""The documents of a study as they are since UIDs changed: which lie in it now, and what they refer to.

Rules of this file: pure; contents under new names. What a document named under an old name it names under the
new one; what it names no longer stays as a former content, of which a withdrawn reference is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from processors.core.events import (
    Document,
    DocumentPath,
    Focus,
    FocusKind,
    ReportedGroup,
    ReportedItem,
    Stamp,
)
from processors.core.reference import WithdrawalReason
from processors.core.standing import earliest
from processors.core.study import CarriedState, DocumentState, StudyState
from processors.core.uid_changes import Routes


class _Copy(NamedTuple):
    """One document under one name, as it reads now."""

    standing: bool
    state: DocumentState
    present: Document
    former: tuple[tuple[Stamp, Document], ...]


def put_documents(view: StudyState, own: StudyState, raws: Sequence[StudyState], routes: Routes) -> None:
    """Put into `view` the documents of `own` and those of `raws`, of which it is the first, that came here.

    The series must be there.
    """
    lay: dict[str, set[str]] = {}
    for series_instance_uid, *names in view.moved:
        if len(names) == 1:  # else it is a selection's key
            lay.setdefault(names[0], set()).add(series_instance_uid)
    studies = frozenset(raw.study_instance_uid for raw in raws)
    readers = [_Reader(own, raw, studies, view, lay, routes) for raw in raws]
    found: dict[DocumentPath, list[_Copy]] = {}
    for reader in readers:
        for path, copy in reader.copies():
            found.setdefault(path, []).append(copy)
    for path, copies in found.items():
        _put(view, path, _document(own, path, copies))
    parts: dict[DocumentPath, list[_Copy]] = {}
    for reader in readers:
        for path, part in reader.parts():
            if path not in found and path.study_instance_uid != own.study_instance_uid:  # else it told them
                parts.setdefault(path, []).append(part)
    for path, copies in parts.items():
        _put(view, path, _fragment(copies))


def _put(view: StudyState, path: DocumentPath, state: DocumentState) -> None:
    view.documents[path] = state
    view.index_document(path, state)


class _Reader:
    """Reads contents that are known under the names of one study (`raw`) as `own` has them."""

    def __init__(
        self,
        own: StudyState,
        raw: StudyState,
        studies: frozenset[str],
        view: StudyState,
        lay: Mapping[str, set[str]],
        routes: Routes,
    ) -> None:
        self.own = own
        self.raw = raw
        self._studies = studies
        """Whose changes concern this study; what lies in others is mapped in their own homes."""
        self._places = view.places
        """SOP UID → series of `own` in which it lies, by whichever name it came."""
        self._lay = lay
        """SOP UID → series of `own` in which it lay on its way elsewhere."""
        self._routes = routes

    def copies(self) -> Iterator[tuple[DocumentPath, _Copy]]:
        """(path here, what it says) of the documents at home in `raw`."""
        for path, state in self.raw.documents.items():
            if state.at_home:
                yield from self._copies(path, state)

    def parts(self) -> Iterator[tuple[DocumentPath, _Copy]]:
        """What concerns `own` of the fragments that `raw` holds."""
        for path, state in self.raw.documents.items():
            if not state.at_home:
                part = self._part(state)
                if self.raw is self.own or part.present.groups or part.former:
                    yield path, part

    def _copies(self, path: DocumentPath, state: DocumentState) -> Iterator[tuple[DocumentPath, _Copy]]:
        present = state.content
        for there in self._routes.reach(path).get(self.own.study_instance_uid, ()):
            standing = there == self._routes.end(path)
            now = (
                self._read(present, there, gone=False)
                if standing
                else present._replace(path=there, groups=())
            )
            was = ((stamp, self._read(content, there, gone=True)) for stamp, content in state.said)
            former = tuple(said for said in was if said[1] != now)
            yield there, _Copy(standing, state, now, former)

    def _part(self, state: DocumentState) -> _Copy:
        path = state.content.path
        now = self._of_own(self._read(state.content, path, gone=False))
        was = ((stamp, self._of_own(self._read(content, path, gone=True))) for stamp, content in state.said)
        former = tuple(said for said in was if said[1].groups and said[1] != now)
        return _Copy(True, state, now, former)

    def _of_own(self, content: Document) -> Document:
        groups = []
        for group in content.groups:
            items = tuple(i for i in group.items if i.study_instance_uid == self.own.study_instance_uid)
            if items:
                groups.append(group._replace(items=items))
        return content._replace(groups=tuple(groups))

    def _read(self, content: Document, path: DocumentPath, gone: bool) -> Document:
        """Under names of now; `gone`: under every name that there was."""
        return content._replace(
            path=path,
            groups=tuple(
                group._replace(
                    items=tuple(
                        dict.fromkeys(each for item in group.items for each in self._items(item, gone))
                    ),
                    focus=tuple(dict.fromkeys(each for focus in group.focus for each in self._focus(focus))),
                )
                for group in content.groups
            ),
        )

    def _items(self, item: ReportedItem, gone: bool) -> list[ReportedItem]:
        paths = self._named(DocumentPath(*item[:3]))
        if not paths:
            return [item]
        found = {
            there
            for p in paths
            for there in (_everywhere(self._routes, p) if gone else (self._routes.end(p),))
        }
        return [
            item._replace(
                study_instance_uid=there.study_instance_uid,
                series_instance_uid=there.series_instance_uid,
                sop_instance_uid=there.sop_instance_uid,
            )
            for there in sorted(found)
        ]

    def _named(self, path: DocumentPath) -> list[DocumentPath]:
        """What an item of this path names, if it is to be named otherwise."""
        if path.study_instance_uid and path.series_instance_uid:
            return [path] if path.study_instance_uid in self._studies else []
        sop = path.sop_instance_uid
        own, raw = self.own.study_instance_uid, self.raw.study_instance_uid
        places = {(raw, uid) for uid in self.raw.places(sop) | self._routes.places_named(raw, sop)}
        lay = self._lay.get(sop, set())
        places |= {(own, uid) for uid in self._places(sop) | lay}
        paths = [DocumentPath(study, series, sop) for study, series in sorted(places)]
        is_changed = any([*_everywhere(self._routes, p)] != [p] for p in paths)
        return paths if is_changed or lay or self.raw is not self.own else []

    def _focus(self, focus: Focus) -> list[Focus]:
        if focus.kind not in (FocusKind.SERIES, FocusKind.PRESENTATION_STATE):
            return [focus]
        names = focus.value.split("|")
        paths = self._named(DocumentPath(*names, *[""] * (3 - len(names))))
        ends = sorted({self._routes.end(path) for path in paths})
        return [focus._replace(value="|".join(end[: len(names)])) for end in ends] or [focus]


def _everywhere(routes: Routes, path: DocumentPath) -> Iterator[DocumentPath]:
    return chain.from_iterable(routes.reach(path).values())


def _stamp_of(said: tuple[Stamp, Document]) -> Stamp:
    return said[0]


def _holds(copy: _Copy) -> tuple[bool, Stamp]:
    return copy.standing, copy.state.stamp


def _document(own: StudyState, path: DocumentPath, copies: Sequence[_Copy]) -> DocumentState:
    """One document of copies that came under several names: the one said last holds (CONTRACT 4); what those
    said that went on from here is of former contents.
    """
    state = _state_of(sorted(copies, key=_holds, reverse=True))
    held: CarriedState | DocumentState | None = own.carried.get(path) or own.documents.get(path)
    if held is not None:
        state.sent, state.due_at_ms, state.given_up = held.sent, held.due_at_ms, held.given_up
    return state


def _fragment(parts: Sequence[_Copy]) -> DocumentState:
    """Parts of one document that came to several studies, each told by its home."""
    merged = parts[0].present
    for part in parts[1:]:
        merged = merged._replace(groups=_united((*merged.groups, *part.present.groups)))
    state = _state_of([parts[0]._replace(present=merged), *parts[1:]])
    state.fragment_sequence = max(part.state.fragment_sequence for part in parts)
    reasons = [WithdrawalReason(w) for part in parts if (w := part.state.fragment_withdrawn)]
    state.fragment_withdrawn = earliest(reasons) or ""
    return state


def _united(groups: Iterable[ReportedGroup]) -> tuple[ReportedGroup, ...]:
    """Groups of the same kind and suffix as one."""
    found: dict[tuple[str, str], ReportedGroup] = {}
    for group in groups:
        known = found.setdefault((group.kind, group.suffix), group)
        if known is not group:
            items = tuple(dict.fromkeys((*known.items, *group.items)))
            found[group.kind, group.suffix] = known._replace(items=items)
    return tuple(found.values())


def _state_of(copies: Sequence[_Copy]) -> DocumentState:
    """The first one's present content, and all others as former ones."""
    first, *others = copies
    state = DocumentState(first.present, first.state.stamp, first.state.origin)
    former = [*first.former]
    for other in others:
        former += [(other.state.stamp, other.present), *other.former]
    former.sort(key=_stamp_of, reverse=True)
    state.former = {bytes([n % 256, n // 256]): said for n, said in enumerate(former) if said[1].groups}
    state.warnings = {warning for copy in copies for warning in copy.state.warnings}
    state.duplicates = sum(copy.state.duplicates for copy in copies)
    return state
