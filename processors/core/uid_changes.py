"""Changed UIDs: where what was said under old names lies now (MAPPING 3.5, CONTRACT 4).

Rules of this file: pure; who lies where follows from the changes alone, so the order of events does not show.
  The old name stays a name of the same thing (PS3.5 9: a UID is never used again for another one), and files
  keep their old headers (IHE PIR), so a change concerns whatever bears the old name, whenever it was said.
  Of the changes that concern a path the narrowest holds (an instance's, then its series', then its study's),
  of equally narrow ones the latest; then the next, from where it led to.
  Where that ends in a circle, the earliest change of the circle is ignored: the later ones undid it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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


class Routes:
    """The changes of a site, as far as they are asked for. A path may have an empty SOP UID (a series), or an
    empty series UID, too (a study).
    """

    def __init__(self, lookup: Lookup, priors: Callable[[str], Iterable[str]]) -> None:
        """`priors`: the studies from which something came directly into this one."""
        self._lookup = lookup
        self._priors = priors
        self._into: dict[str, list[UidChanged]] = {}
        self._by_study: dict[str, dict[Scope, list[UidChanged]]] = {}
        self._ways: dict[DocumentPath, Way] = {}

    def way(self, path: DocumentPath) -> Way:
        """Where it lies; without changes, there itself."""
        found = self._ways.get(path)
        if found is None:
            found = self._ways[path] = self._walk(path)
        return found

    def end(self, path: DocumentPath) -> DocumentPath:
        return self.way(path).end

    def reach(self, path: DocumentPath) -> set[DocumentPath]:
        """Everywhere it lies or ever lay by any change, itself included: where readers may have it from."""
        found, unread = {path}, [path]
        while unread:
            at = unread.pop()
            for change in self._concerning(at):
                there = applied(change, at)
                if there not in found:
                    found.add(there)
                    unread.append(there)
        return found

    def names(self, path: DocumentPath) -> set[DocumentPath]:
        """Every name that this instance has or ever had, itself included; without a series UID: in any."""
        found, unread = {path}, [path]
        while unread:
            at = unread.pop()
            for there in (*self._onward(at), *self._back(at)):
                if there not in found:
                    found.add(there)
                    unread.append(there)
        return found

    def into(self, study_instance_uid: str) -> list[UidChanged]:
        """The changes by which something came into this study."""
        found = self._into.get(study_instance_uid)
        if found is None:
            found = self._into[study_instance_uid] = [
                change
                for prior in self._priors(study_instance_uid)
                for changes in self.of_study(prior).values()
                for change in changes
                if change.present.study_instance_uid == study_instance_uid
            ]
        return found

    def kindred(self, study_instance_uid: str) -> set[str]:
        """Every study whose instances may have names in this one, or those have names in, itself included."""
        found, unread = {study_instance_uid}, [study_instance_uid]
        while unread:
            uid = unread.pop()
            onward = (each.present for changes in self.of_study(uid).values() for each in changes)
            back = (change.prior for change in self.into(uid))
            for there in {scope.study_instance_uid for scope in (*onward, *back)} - found:
                found.add(there)
                unread.append(there)
        return found

    def _onward(self, path: DocumentPath) -> Iterator[DocumentPath]:
        for changes in self.of_study(path.study_instance_uid).values():
            for change in changes:
                if _lies_in(path, change.prior):
                    yield _renamed(path, change.present)

    def _back(self, path: DocumentPath) -> Iterator[DocumentPath]:
        for change in self.into(path.study_instance_uid):
            if _lies_in(path, change.present):
                yield _renamed(path, change.prior)

    def of_study(self, study_instance_uid: str) -> dict[Scope, list[UidChanged]]:
        """The changes whose prior study this is, by their prior scope."""
        found = self._by_study.get(study_instance_uid)
        if found is None:
            found = self._by_study[study_instance_uid] = {}
            for change in self._lookup(study_instance_uid):
                found.setdefault(change.prior, []).append(change)
        return found

    def places_named(self, study_instance_uid: str, sop_instance_uid: str) -> set[str]:
        """Series in which changes of this study's instances say that this one lay."""
        return {
            scope.series_instance_uid
            for scope in self.of_study(study_instance_uid)
            if scope.sop_instance_uid == sop_instance_uid
        }

    def series_reached(self, study_instance_uid: str, series_instance_uid: str) -> set[tuple[str, str]]:
        """Every (study, series) in which anything of this series may lie."""
        found, unread = (
            {(study_instance_uid, series_instance_uid)},
            [(study_instance_uid, series_instance_uid)],
        )
        while unread:
            study, series = unread.pop()
            for scope, changes in self.of_study(study).items():
                if scope.series_instance_uid not in ("", series):
                    continue
                for change in changes:
                    there = change.present.study_instance_uid, change.present.series_instance_uid or series
                    if there not in found:
                        found.add(there)
                        unread.append(there)
        return found

    def touches(self, study_instance_uid: str, series_instance_uid: str) -> bool:
        """Whether a change concerns anything of this series."""
        return any(
            scope.series_instance_uid in ("", series_instance_uid)
            for scope in self.of_study(study_instance_uid)
        )

    def studies_reached(self, study_instance_uid: str) -> set[str]:
        """Every study in which anything of this one may lie, itself included."""
        found, unread = {study_instance_uid}, [study_instance_uid]
        while unread:
            for changes in self.of_study(unread.pop()).values():
                for there in {change.present.study_instance_uid for change in changes} - found:
                    found.add(there)
                    unread.append(there)
        return found

    def _walk(self, path: DocumentPath) -> Way:
        ignored: set[UidChanged] = set()
        while True:
            at, passed, changes = path, [path], list[UidChanged]()
            while (change := self._holding(at, ignored)) is not None:
                changes.append(change)
                at = applied(change, at)
                if at in passed:
                    break
                passed.append(at)
            else:
                return Way(at, tuple(changes))
            ignored.add(min(changes[passed.index(at) :], key=lambda each: each.stamp))

    def _holding(self, path: DocumentPath, ignored: set[UidChanged]) -> UidChanged | None:
        by_scope = self.of_study(path.study_instance_uid)
        if not by_scope:
            return None
        for scope in _scopes(path):
            standing = [change for change in by_scope.get(scope, ()) if change not in ignored]
            if standing:
                return max(standing, key=lambda each: each.stamp)
        return None

    def _concerning(self, path: DocumentPath) -> Iterable[UidChanged]:
        by_scope = self.of_study(path.study_instance_uid)
        if by_scope:
            for scope in _scopes(path):
                yield from by_scope.get(scope, ())


def applied(change: UidChanged, path: DocumentPath) -> DocumentPath:
    """Where a change puts a path that it concerns."""
    study, series, sop = change.present
    return DocumentPath(study, series or path.series_instance_uid, sop or path.sop_instance_uid)


def _lies_in(path: DocumentPath, scope: Scope) -> bool:
    """An unknown series may be any."""
    if scope.sop_instance_uid not in ("", path.sop_instance_uid):
        return False
    return not path.series_instance_uid or scope.series_instance_uid in ("", path.series_instance_uid)


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
