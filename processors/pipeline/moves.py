"""A home's changed UIDs: its alias table, what lies where, and the entries of studies of other homes.

Rules of this file: rows in and out of the store, and what is to be told; where a thing lies is
`core.uid_changes`. A study is folded in the home of the name that was said. If anything of it may lie
elsewhere, its entries are told to the homes of where, as they are written: as many as the changelog gets. A
study that no change concerns costs a look at a flag.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from processors.avro.envelope import decode_state
from processors.core.corrections import StudyTold, UidChanged
from processors.core.events import DocumentPath, Stamp
from processors.core.moved_study import seen
from processors.core.study import StudyState
from processors.core.uid_changes import Routes, spread
from processors.pipeline.entries import entry_of
from processors.pipeline.ports import StateStore
from processors.pipeline.records import StateEntry
from processors.wire import move_rows as rows
from processors.wire.state import Row, kind_of, prefix_of, same_but_operational, study_from

TOLD_BYTES = 1_000_000
"""Of one message at most, if it has more than one entry: brokers take 16 MiB."""


STUDIES_REMEMBERED = 50_000
"""Of which it is known whether a change concerns them; some 300 bytes each. More only cost memory, fewer two
looks into the store a study."""

_OWN = ("k", "l")
"""Kinds of entries that say what was published: nothing to others."""


class Moves:
    """Every method that returns entries has put them into the store."""

    def __init__(self, home: int, store: StateStore) -> None:
        self._home = home
        self._store = store
        self._routes = Routes(self._changes, self._priors)
        self._known_priors: dict[str, list[str]] = {}
        self._others: dict[str, StudyState] = {}
        """Studies as their homes told them; something of one may have come into many."""
        self._any: bool | None = None
        """Whether any UID was ever changed; None: not yet asked."""

    def concern(self, study_instance_uid: str) -> bool:
        """Whether anything of the study may lie elsewhere, or anything of another one in it."""
        if self._any is None:
            first = self._store.first_key(rows.CHANGES)
            self._any = first is not None and first.startswith(rows.CHANGES)
        return self._any and (
            self._routes.concern(study_instance_uid) or bool(self._priors(study_instance_uid))
        )

    def upstream(self, study_instance_uids: Iterable[str]) -> set[str]:
        """These studies and all from which anything ever came into one of them."""
        return spread(study_instance_uids, self._priors)

    def downstream(self, study_instance_uids: Iterable[str]) -> set[str]:
        """These studies and all in which anything of one of them may lie."""
        return self._routes.studies_reached(study_instance_uids)

    def kindred(self, study_instance_uid: str) -> set[str]:
        """Every study whose instances may have names in this one, or those have names in, itself included."""
        return self._routes.kindred(study_instance_uid)

    def names(self, path: DocumentPath) -> set[DocumentPath]:
        """Every name that an instance has or ever had."""
        return self._routes.names(path)

    def series_reached(
        self, study_instance_uid: str, series_instance_uid: str
    ) -> Mapping[str, AbstractSet[str]]:
        """Study → its series in which anything of this one may lie."""
        return self._routes.series_reached(study_instance_uid, series_instance_uid)

    def fold(self, event: UidChanged) -> list[StateEntry]:
        """Note a change; no entry: nothing new."""
        key = rows.change_key(event)
        known = self._store.get(key)
        if known is not None and rows.decode_change(decode_state(known).body).stamp >= event.stamp:
            return []
        entries = [
            self._entry(key, rows.encode_change(event)),
            self._entry(rows.upstream_key(event), rows.MARK),
        ]
        self._store.put(entries)
        self.forget()
        return entries

    def keep(self, event: StudyTold) -> tuple[list[StateEntry], list[str]]:
        """Keep what the home of a study told of it: (entries, keys there of those that say something new)."""
        prefix = rows.told_of(event.origin)
        entries, changed = [], []
        self._others.pop(event.origin, None)
        for key, value in event.entries:
            known = self._store.get(prefix + key)
            if known == value:
                continue
            entries.append(StateEntry(self._home, prefix + key, value, None))
            if known is None or value is None or not _alike(key, known, value):
                changed.append(key)
        self._store.put(entries)
        return entries, changed

    def series_of_documents(self, study_instance_uid: str) -> set[str]:
        """Of those that the home of a study told of: an image that is new there may be what one was looking
        for.
        """
        prefix = f"{rows.told_of(study_instance_uid)}{study_instance_uid}|d|{study_instance_uid}|"
        return {key[len(prefix) :].partition("|")[0] for key, _ in self._store.scan(prefix)}

    def seen(self, study: StudyState) -> StudyState:
        """The study with what lies in it now."""
        uid = study.study_instance_uid
        others = sorted(self.upstream([uid]) - {uid})
        return seen(study, [self._told(other) for other in others], self._routes)

    def telling(
        self, study: StudyState, written: Iterable[StateEntry], whole: bool, now_ms: int
    ) -> Iterator[StudyTold]:
        """What the homes of where the study's parts may lie are to be told; `whole`: for the first time."""
        prefix = prefix_of(study.study_instance_uid)
        found: dict[str, bytes | None] = {entry.key: entry.value for entry in written}
        if whole:
            found |= self._store.scan(prefix)
        stamp = Stamp(now_ms * 1000, False, "", "", b"")
        told: list[tuple[str, bytes | None]] = []
        size = 0
        for key, value in found.items():
            if not key.startswith(prefix) or kind_of(key) in _OWN:
                continue
            size += len(value or b"")
            if told and size > TOLD_BYTES:
                yield StudyTold(study.study_instance_uid, tuple(told), stamp, bool(study.erased))
                told, size = [], len(value or b"")
            told.append((key, value))
        if told:
            yield StudyTold(study.study_instance_uid, tuple(told), stamp, bool(study.erased))

    def forget(self) -> None:
        """What was looked up may have changed."""
        self._routes = Routes(self._changes, self._priors)
        self._known_priors.clear()
        self._any = None
        self.let_go()

    def let_go(self) -> None:
        """What was read or worked out for a step, until it is needed again."""
        if len(self._known_priors) > STUDIES_REMEMBERED:
            self._known_priors.clear()
            self._routes = Routes(self._changes, self._priors)
        self._others.clear()
        self._routes.let_go()

    def _told(self, study_instance_uid: str) -> StudyState:
        known = self._others.get(study_instance_uid)
        if known is None:
            prefix = rows.told_of(study_instance_uid)
            found = ((k[len(prefix) :], decode_state(v).body) for k, v in self._store.scan(prefix))
            known = self._others[study_instance_uid] = study_from(study_instance_uid, found)
        return known

    def _priors(self, study_instance_uid: str) -> list[str]:
        known = self._known_priors.get(study_instance_uid)
        if known is None:
            found = self._store.scan(rows.upstream_of(study_instance_uid))
            known = self._known_priors[study_instance_uid] = [rows.last_of(key) for key, _ in found]
        return known

    def _changes(self, study_instance_uid: str) -> list[UidChanged]:
        found = self._store.scan(rows.changes_of(study_instance_uid))
        return [rows.decode_change(decode_state(value).body) for _, value in found]

    def _entry(self, key: str, body: bytes) -> StateEntry:
        return entry_of(self._home, Row(key, body, None))


def _alike(key: str, one: bytes, other: bytes) -> bool:
    return same_but_operational(kind_of(key), decode_state(one).body, decode_state(other).body)
