"""Changed UIDs: where what was said under old names lies now (MAPPING 3.5, CONTRACT 4).

Rules of this file: pure; who lies where follows from the changes alone, so the order of events does not show.
  The old name stays a name of the same thing (PS3.5 9: a UID is never used again for another one), and files
  keep their old headers (IHE PIR), so a change concerns whatever bears the old name, whenever it was said.
  Of the changes that concern a path the narrowest holds (an instance's, then its series', then its study's),
  of equally narrow ones the latest; then the next, from where it led to.
  Where that ends in a circle, the earliest change of the circle is ignored: the later ones undid it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from processors.core.corrections import Scope, UidChanged
from processors.core.events import DocumentPath


class Way(NamedTuple):
    """The way of a path to where it lies now."""

    end: DocumentPath
    changes: tuple[UidChanged, ...]
    """Those that hold, in their order."""


Lookup = Callable[[str], Iterable[UidChanged]]
"""The changes whose prior study this is; the latest only of those between the same two scopes."""


class _Changes:
    """The changes of what lay in a study, or of what came into it, by the scope that they have there."""

    def __init__(self, scoped: Iterable[tuple[Scope, UidChanged]]) -> None:
        self.by_scope: dict[Scope, list[UidChanged]] = {}
        self.by_sop: dict[str, list[UidChanged]] = {}
        """SOP UID, empty for a series or a study, → changes."""
        self.by_present: dict[str, list[UidChanged]] = {}
        """Study into which something came → changes."""
        self.onward: dict[str, set[tuple[str, str]]] = {}
        """Series UID, empty for the study, → (study, series) where something of it came."""
        for scope, change in scoped:
            study, series, _ = change.present
            self.by_scope.setdefault(scope, []).append(change)
            self.by_sop.setdefault(scope.sop_instance_uid, []).append(change)
            self.by_present.setdefault(study, []).append(change)
            self.onward.setdefault(scope.series_instance_uid, set()).add((study, series))

    def concerning(self, path: DocumentPath) -> Iterator[UidChanged]:
        """Those of scopes that the path lies in, the narrowest first."""
        if self.by_scope:
            for scope in _scopes(path):
                yield from self.by_scope.get(scope, ())

    def naming(self, path: DocumentPath) -> Iterator[UidChanged]:
        """The same; an unknown series may be any."""
        if path.series_instance_uid:
            yield from self.concerning(path)
            return
        for sop in {"", path.sop_instance_uid}:
            yield from self.by_sop.get(sop, ())


_NO_CHANGES = _Changes(())
"""Of nearly every study."""


class Routes:
    """The changes of a site, as far as they are asked for. A path may have an empty SOP UID (a series), or an
    empty series UID, too (a study). Changes are found by what they concern: a study may have thousands.
    """

    def __init__(self, lookup: Lookup, priors: Callable[[str], Iterable[str]]) -> None:
        """`priors`: the studies from which something came directly into this one."""
        self._lookup = lookup
        self._priors = priors
        self._into: dict[str, _Changes] = {}
        self._by_study: dict[str, _Changes] = {}
        self._ways: dict[DocumentPath, Way] = {}
        self._reached: dict[DocumentPath, dict[str, list[DocumentPath]]] = {}
        self._series: dict[tuple[str, str], dict[str, set[str]]] = {}

    def way(self, path: DocumentPath) -> Way:
        """Where it lies; without changes, there itself."""
        found = self._ways.get(path)
        if found is None:
            found = self._ways[path] = self._walk(path)
        return found

    def let_go(self) -> None:
        """Of the ways of single paths, of which there may be many, until they are asked for again."""
        self._ways.clear()
        self._reached.clear()

    def end(self, path: DocumentPath) -> DocumentPath:
        return self.way(path).end

    def reach(self, path: DocumentPath) -> Mapping[str, Sequence[DocumentPath]]:
        """Everywhere it lies or ever lay by any change, itself included: where readers may have it from. By
        study, sorted.
        """
        known = self._reached.get(path)
        if known is not None:
            return known
        found, unread = {path}, [path]
        while unread:
            at = unread.pop()
            for change in self._of(at.study_instance_uid).concerning(at):
                there = applied(change, at)
                if there not in found:
                    found.add(there)
                    unread.append(there)
        known = self._reached[path] = {}
        for there in sorted(found):
            known.setdefault(there.study_instance_uid, []).append(there)
        return known

    def names(self, path: DocumentPath) -> set[DocumentPath]:
        """Every name that this instance has or ever had, itself included; without a series UID: in any."""
        found, unread = {path}, [path]
        while unread:
            at = unread.pop()
            study = at.study_instance_uid
            onward = (_renamed(at, change.present) for change in self._of(study).naming(at))
            back = (_renamed(at, change.prior) for change in self._in(study).naming(at))
            for there in (*onward, *back):
                if there not in found:
                    found.add(there)
                    unread.append(there)
        return found

    def concern(self, study_instance_uid: str) -> bool:
        """Whether anything that lay in this study may lie elsewhere."""
        return bool(self._of(study_instance_uid).by_scope)

    def places_named(self, study_instance_uid: str, sop_instance_uid: str) -> set[str]:
        """Series in which changes of this study's instances say that this one lay."""
        named = self._of(study_instance_uid).by_sop.get(sop_instance_uid, ())
        return {change.prior.series_instance_uid for change in named}

    def series_reached(
        self, study_instance_uid: str, series_instance_uid: str
    ) -> Mapping[str, AbstractSet[str]]:
        """Study → its series in which anything of this one may lie."""
        start = study_instance_uid, series_instance_uid
        known = self._series.get(start)
        if known is not None:
            return known
        known = self._series[start] = {study_instance_uid: {series_instance_uid}}
        unread = [start]
        while unread:
            study, series = unread.pop()
            onward = self._of(study).onward
            for scope in ("", series):
                for there, renamed in onward.get(scope, ()):
                    reached, name = known.setdefault(there, set()), renamed or series
                    if name not in reached:
                        reached.add(name)
                        unread.append((there, name))
        return known

    def touches(self, study_instance_uid: str, series_instance_uid: str) -> bool:
        """Whether a change concerns anything of this series."""
        onward = self._of(study_instance_uid).onward
        return "" in onward or series_instance_uid in onward

    def studies_reached(self, study_instance_uids: Iterable[str]) -> set[str]:
        """Every study in which anything of these may lie, themselves included."""
        return spread(study_instance_uids, lambda uid: self._of(uid).by_present)

    def kindred(self, study_instance_uid: str) -> set[str]:
        """Every study whose instances may have names in this one, or those have names in, itself included."""
        return spread([study_instance_uid], lambda uid: (*self._of(uid).by_present, *self._priors(uid)))

    def _of(self, study_instance_uid: str) -> _Changes:
        """The changes whose prior study this is."""
        found = self._by_study.get(study_instance_uid)
        if found is None:
            scoped = [(change.prior, change) for change in self._lookup(study_instance_uid)]
            found = self._by_study[study_instance_uid] = _Changes(scoped) if scoped else _NO_CHANGES
        return found

    def _in(self, study_instance_uid: str) -> _Changes:
        """The changes by which something came into this study."""
        found = self._into.get(study_instance_uid)
        if found is None:
            scoped = (
                (change.present, change)
                for prior in self._priors(study_instance_uid)
                for change in self._of(prior).by_present.get(study_instance_uid, ())
            )
            found = self._into[study_instance_uid] = _Changes(scoped)
        return found

    def _walk(self, path: DocumentPath) -> Way:
        ignored: set[UidChanged] = set()
        while True:
            at, passed, changes = path, {path: 0}, list[UidChanged]()
            while (change := self._holding(at, ignored)) is not None:
                changes.append(change)
                at = applied(change, at)
                if at in passed:
                    break
                passed[at] = len(changes)
            else:
                return Way(at, tuple(changes))
            ignored.add(min(changes[passed[at] :], key=lambda each: each.stamp))

    def _holding(self, path: DocumentPath, ignored: set[UidChanged]) -> UidChanged | None:
        by_scope = self._of(path.study_instance_uid).by_scope
        if not by_scope:
            return None
        for scope in _scopes(path):
            standing = [change for change in by_scope.get(scope, ()) if change not in ignored]
            if standing:
                return max(standing, key=lambda each: each.stamp)
        return None


def spread(start: Iterable[str], onward: Callable[[str], Iterable[str]]) -> set[str]:
    """All that is reached from these, themselves included."""
    found = set(start)
    unread = list(found)
    while unread:
        for there in set(onward(unread.pop())) - found:
            found.add(there)
            unread.append(there)
    return found


def applied(change: UidChanged, path: DocumentPath) -> DocumentPath:
    """Where a change puts a path that it concerns."""
    study, series, sop = change.present
    return DocumentPath(study, series or path.series_instance_uid, sop or path.sop_instance_uid)


def _renamed(path: DocumentPath, scope: Scope) -> DocumentPath:
    study, series, sop = scope
    if not path.series_instance_uid:
        return DocumentPath(study, "", sop or path.sop_instance_uid)
    return DocumentPath(study, series or path.series_instance_uid, sop or path.sop_instance_uid)


def _scopes(path: DocumentPath) -> list[Scope]:
    """Those that a path lies in, the narrowest first."""
    study, series, sop = path
    scopes = [Scope(study)]
    if series:
        scopes.insert(0, Scope(study, series))
        if sop:
            scopes.insert(0, Scope(study, series, sop))
    return scopes
