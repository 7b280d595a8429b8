"""A home: one partition's studies, read from its store when needed and kept while they are warm.

Rules of this file: caching of StudyStates, and rows in and out of the store's envelopes; no folding.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import chain

from processors.avro.envelope import decode_state
from processors.core.study import StudyState
from processors.pipeline.clocks import HomeClock
from processors.pipeline.entries import entry_of
from processors.pipeline.moves import Moves
from processors.pipeline.patients import Patients
from processors.pipeline.ports import StateStore
from processors.pipeline.records import StateEntry
from processors.wire import state as rows
from processors.wire.erasure_rows import ERASURES, erasures_of

SERIES_REMEMBERED = 50_000
"""Some 250 bytes each. A series UID that comes again in another study after more than so many goes unnoticed,
as it does in another home: then there are two references all the same, without a warning."""


class Home:
    """Studies at home in one partition; what was folded since the last commit stays in memory."""

    def __init__(self, number: int, store: StateStore) -> None:
        self.number = number
        self.store = store
        self.clock = HomeClock()
        self.patients = Patients(number, store)
        self.moves = Moves(number, store)
        self._studies: OrderedDict[str, StudyState] = OrderedDict()
        """Coldest first."""
        self._sizes: dict[str, int] = {}
        self._weight = 0
        """Instances in memory, as of the last commit."""
        self._uncommitted: set[str] = set()
        self._series: dict[str, str] = {}
        """Series UID → the first study it was published in."""
        self._erasures: bool | None = None
        """Whether anything was ever erased here; None: not yet asked."""
        self.retention_checked = False
        """Whether the clocks of its studies are known to be those of the setting (`pipeline.retention`)."""

    def study(self, study_instance_uid: str) -> StudyState:
        """The study, to be changed: an empty one if nothing is known."""
        self._uncommitted.add(study_instance_uid)
        names = self.moves.names if self.moves.concern(study_instance_uid) else None
        study = self._studies.get(study_instance_uid)
        if study is not None:
            self._studies.move_to_end(study_instance_uid)
            study.names = names
            return study
        found = chain(self.store.scan(rows.prefix_of(study_instance_uid)), self._erased(study_instance_uid))
        study = rows.study_from(study_instance_uid, ((key, decode_state(value).body) for key, value in found))
        self._studies[study_instance_uid] = study
        study.names = names
        return study

    def replace(self, study: StudyState) -> None:
        """From now on this is the study of its UID."""
        self._studies[study.study_instance_uid] = study

    def _erased(self, study_instance_uid: str) -> Iterable[tuple[str, bytes]]:
        """What is remembered of erasures; nothing is asked for where there never was one."""
        if self._erasures is None:
            self._erasures = any(True for _ in self.store.scan(ERASURES))
        return self.store.scan(erasures_of(study_instance_uid)) if self._erasures else ()

    def conflicts(self, series_instance_uid: str, study_instance_uid: str) -> bool:
        """Whether the series UID was met in another study of this home, of late."""
        if len(self._series) >= SERIES_REMEMBERED:
            self._series.clear()
        return self._series.setdefault(series_instance_uid, study_instance_uid) != study_instance_uid

    def save(self, study: StudyState, now_ms: int) -> list[StateEntry]:
        """Put what was touched into the store; the entries are the changelog's records, too."""
        if study.touched_erasures:
            self._erasures = True
        entries = [entry_of(self.number, row, now_ms) for row in rows.touched_rows(study)]
        if entries:
            self.store.put(entries)
        return entries

    def commit(self, instances: int) -> None:
        """What was folded is lasting; the coldest studies go while more than so many instances are held."""
        for uid in self._uncommitted:
            size = self._studies[uid].instance_count
            self._weight += size - self._sizes.get(uid, 0)
            self._sizes[uid] = size
        self._uncommitted.clear()
        self.moves.let_go()
        self.clock.commit()
        while self._weight > instances and len(self._studies) > 1:
            uid, _ = self._studies.popitem(last=False)
            self._weight -= self._sizes.pop(uid)

    def roll_back(self) -> None:
        """Forget what was folded since the last commit; the store did the same."""
        for uid in self._uncommitted:
            self._studies.pop(uid, None)
            self._weight -= self._sizes.pop(uid, 0)
        self._uncommitted.clear()
        self.clock.roll_back()
        self.patients.forget()
        self.moves.forget()
        self._erasures = None
        self.retention_checked = False
