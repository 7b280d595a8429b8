"""Changed UIDs in a step: which studies are to be looked at again, and what is told to other homes.

Rules of this file: the part of the topology that concerns them. A change is told to every home and folded
there; whoever has a study that it concerns looks at it again, and the home of the old name tells what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet

from processors.core.completeness import move_clock
from processors.core.corrections import ErasuresTold, StudyTold, UidChanged
from processors.core.erased_names import sweep
from processors.core.events import Stamp
from processors.core.policy import Completeness
from processors.core.study import APPLIED, DUPLICATE, Disposition
from processors.pipeline.batch import Batch
from processors.pipeline.dispositions import PURGED
from processors.pipeline.evaluation import Work
from processors.pipeline.forwarding import NOWHERE
from processors.pipeline.homes import Home
from processors.pipeline.records import StateEntry
from processors.wire.state import kind_of

HomeOf = Callable[[str], int]
"""A study's home partition."""


class Moving:
    """One record's news of changed UIDs, in the home that read it."""

    def __init__(
        self, batch: Batch, home: Home, home_of: HomeOf, at_ms: int, completeness: Completeness
    ) -> None:
        self._batch = batch
        self._home = home
        self._home_of = home_of
        self._at_ms = at_ms
        self._completeness = completeness

    def change(self, event: UidChanged) -> Disposition:
        """Fold a change, `look_again` follows. PURGED: what was purged stays as it is."""
        entries = self._home.moves.fold(event)
        if not entries:
            return DUPLICATE
        self._batch.step.entries += entries
        prior, present = event.prior.study_instance_uid, event.present.study_instance_uid
        changes = self._batch.changes.setdefault(self._home, {})
        stamp, at_ms = changes.get(prior, (event.stamp, self._at_ms))
        changes[prior] = max(stamp, event.stamp), max(at_ms, self._at_ms)
        purged = False
        for work in self._works({prior, present}):
            work.study.names = self._home.moves.names
            purged = purged or work.study.purged is not None
        return PURGED if purged else APPLIED

    def look_again(self, priors: Iterable[str], kindred: AbstractSet[str], stamp: Stamp) -> None:
        """Every study here that changes of what lay in `priors` concern; `kindred` of all of them."""
        moves = self._home.moves
        upstream = moves.upstream(priors)
        for work in self._works(upstream | moves.downstream(priors)):
            work.everything = True
            work.tell_whole |= work.study.study_instance_uid in upstream
            self._open(work, moves.seen(work.study).series)
        for work in self._works(kindred):
            self._erase(work, kindred, stamp)

    def _erase(self, work: Work, kindred: AbstractSet[str], stamp: Stamp) -> None:
        """What was erased under one name must go under the others that are known only now."""
        study = work.study
        study.names = self._home.moves.names
        if study.erased:
            work.note(sweep(study, stamp), NOWHERE)
            erased = tuple(study.erased.items())
            others = sorted(kindred - {study.study_instance_uid})
            work.messages += [(ErasuresTold(other, erased, stamp), NOWHERE) for other in others]

    def keep(self, event: StudyTold) -> Disposition:
        """Keep what another home, or this one, told of a study."""
        moves, origin = self._home.moves, event.origin
        entries, changed = moves.keep(event)
        self._batch.step.entries += entries
        if not changed:
            return DUPLICATE
        parts = [key.split("|")[1:] for key in changed]
        gone = {key for key, value in event.entries if value is None}
        # A document goes by erasure only, which may have been in a third study.
        is_erasure = event.partly_erased or any(kind_of(key) == "d" for key in gone.intersection(changed))
        is_more = is_erasure or any(kind not in _OF_SERIES for kind, *_ in parts)
        touched = {rest[0] for kind, *rest in parts if kind in _OF_SERIES}
        if any(kind == "c" for kind, *_ in parts):
            touched |= moves.series_of_documents(origin)
        reached: dict[str, set[str]] = {}
        for uid in touched:
            for study, series in moves.series_reached(origin, uid).items():
                reached.setdefault(study, set()).update(series)
        for work in self._works(moves.downstream([origin]) - {origin}):
            self._open(work, sorted(reached.get(work.study.study_instance_uid, ())))
            work.everything |= is_more
            if is_erasure:
                work.partly_erased = True
                work.erased |= work.study.ledgers.keys()
                work.documents |= work.study.ledgers.keys()
        return APPLIED

    def _works(self, studies: Iterable[str]) -> Iterator[Work]:
        """Those of these studies that are at home here."""
        for study in sorted(studies):
            if self._home_of(study) == self._home.number:
                work = self._batch.works.get(study)
                if work is None:
                    work = self._batch.works[study] = Work(self._home, self._home.study(study))
                work.at_ms = self._at_ms
                yield work

    def _open(self, work: Work, series: Iterable[str]) -> None:
        """What came into these series is published at the pace of arrivals."""
        for uid in series:
            opened = work.study.open_series(uid)
            move_clock(opened, self._at_ms, True, self._completeness)
            work.study.wait_until(opened.due_at_ms)


def told(
    work: Work, written: Iterable[StateEntry], home_of: HomeOf, now_ms: int
) -> Iterator[tuple[int, StudyTold]]:
    """(home, what to tell it) now that the study was written."""
    study, moves = work.study, work.home.moves
    if not moves.concern(study.study_instance_uid):
        return
    others = moves.downstream([study.study_instance_uid]) - {study.study_instance_uid}
    homes = sorted({home_of(other) for other in others})
    if homes:
        for event in moves.telling(study, written, work.tell_whole, now_ms):
            for home in homes:
                yield home, event


def look_again(batch: Batch, home_of: HomeOf, completeness: Completeness) -> None:
    """What the changes of a step concern, once however many they are: a split of a study is one an image."""
    for home, changes in batch.changes.items():
        while changes:
            kindred = home.moves.kindred(next(iter(changes)))
            those = {prior: changes.pop(prior) for prior in kindred & changes.keys()}
            stamp, at_ms = (max(each) for each in zip(*those.values(), strict=True))
            Moving(batch, home, home_of, at_ms, completeness).look_again(those, kindred, stamp)


_OF_SERIES = ("c", "h", "x")
