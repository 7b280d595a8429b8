"""All state to topics of another partition count, with every member stopped.

Rules of this file: the order of things and what stands in their way. Where an entry belongs is
`pipeline.regrouping`'s; the marks that keep members away are `layout`'s.

    nobody in the group → new topics → intake read to its end → sealed → copied → handed over

The group keeps its place in the inputs, so nothing of them is read twice or left out. Sealing marks the old
and the new state in one transaction, handing over does so again: at every moment members can use the old
state, or neither, or the new. Killed before the last transaction, it begins again: what a former try left
in the new changelog is deleted first.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from processors.errors import Unavailable, UsageError
from processors.pipeline.entries import LAYOUT_KEY
from processors.pipeline.records import StateEntry
from processors.pipeline.regrouping import regrouped
from processors.schema_files import topic_specs
from processors.settings import Settings
from processors.stream import layout
from processors.stream.broker import Cluster
from processors.stream.changelog import to_record
from processors.stream.client import group_of, producer_config
from processors.stream.draining import drain, unread
from processors.stream.holding import held
from processors.stream.mirror import Mirror
from processors.stream.offsets import Offsets
from processors.stream.portions import Outgoing, Portions
from processors.stream.scan import answer
from processors.stream.store import SqliteStore
from processors.stream.topics import TOPICS, Topics, Wanted
from processors.stream.wiring import no_steps

PORTION = 5_000
PORTION_BYTES = 32 * 1024 * 1024
"""In one transaction at most, if it has more than one entry: seconds, where a minute is allowed."""

PROGRESS_S = 5.0
"""Between two lines on how far it is."""


class Target(NamedTuple):
    """Where the state is to go."""

    partitions: int
    intake: str
    changelog: str


class Growth:
    """`told`: a line for a person. `steps`: named points, for tests that end the process there."""

    def __init__(
        self, settings: Settings, told: Callable[[str], None], steps: Callable[[str], None] = no_steps
    ) -> None:
        """Raises Unavailable while the group has members."""
        self._settings = settings
        self._told = told
        self._steps = steps
        self._group = group_of(settings.kafka)
        self._folder = Path(settings.state.dir) / "grow"
        self._cluster = Cluster(settings.kafka)
        self._cluster.refuse_members(self._group)
        topics = settings.topics
        self._old = self._mirror(topics.intake, topics.changelog, "old")

    def to(self, target: Target) -> int | None:
        """Number of entries that are there now; None: it was done before.

        Raises UsageError for names and numbers that cannot be, Unavailable for everything else.
        """
        self._check(target)
        self._make(target)
        new = self._mirror(target.intake, target.changelog, "new")
        if self._is_done(target, new):
            return None
        portions = self._portions()
        self._drain(portions)
        self._seal(target, portions)
        with self._old.current() as old, new.current() as former:
            count = self._copy(target, old, former, portions)
        self._steps("copied")
        moved = layout.moved_to(target.intake, target.changelog)
        whole = layout.placed_by(target.partitions)
        waiting = [_record(target.changelog, held(home)) for home in range(target.partitions)]
        new_marks = _marks(target.changelog, target.partitions, whole)
        portions.send([*self._marks(moved), *new_marks, *waiting])
        self._steps("moved")
        shutil.rmtree(self._folder, ignore_errors=True)
        return count

    def cancel(self) -> None:
        """Members may use the old state again. Raises Unavailable if it was moved, UsageError if no move
        was begun.
        """
        with self._old.current() as old:
            marks = {store.get(LAYOUT_KEY) for store in old}
        intake = self._settings.topics.intake
        if not all(map(layout.is_moving, marks)):
            plain = marks <= {None, layout.placed_by(self._old.partitions)}
            if plain:
                raise UsageError(f"the state of {intake} is not being moved: nothing to cancel")
            raise Unavailable(layout.refusal(_odd(marks), intake, self._old.partitions))
        self._unseal(self._portions())

    # ---- before -----------------------------------------------------------------------------------------

    def _check(self, target: Target) -> None:
        if target.partitions == self._old.partitions:
            raise UsageError(f"{self._settings.topics.intake} has {target.partitions} partitions already")
        names = {getattr(self._settings.topics, role) for role in TOPICS}
        for name in {target.intake, target.changelog} & names:
            raise UsageError(f"{name} is one of this site's topics: the state needs two new ones")
        if target.intake == target.changelog:
            raise UsageError("intake and changelog are two topics: give them two names")

    def _make(self, target: Target) -> None:
        default, specs = Settings().topics, topic_specs()
        wanted = (
            Wanted(target.intake, specs[default.intake]),
            Wanted(target.changelog, specs[default.changelog]),
        )
        Topics(self._settings.kafka, wanted).create(target.partitions)
        counts = Cluster(self._settings.kafka).partitions
        for each in wanted:
            if counts[each.name] != target.partitions:
                raise Unavailable(
                    f"{each.name} is there already, with {counts[each.name]} partitions: name another topic"
                )

    def _is_done(self, target: Target, new: Mirror) -> bool:
        topics = self._settings.topics
        with self._old.current() as old:
            marks = {store.get(LAYOUT_KEY) for store in old}
        if marks == {layout.moved_to(target.intake, target.changelog)}:
            return True
        plain, sealed = layout.placed_by(self._old.partitions), layout.moving_to(*target[1:])
        if odd := marks - {None, plain, sealed}:
            raise Unavailable(layout.refusal(_odd(odd), topics.intake, self._old.partitions))
        with new.current() as stores:
            begun = layout.moving_from(topics.intake, topics.changelog)
            used = [s for s in stores if s.get(LAYOUT_KEY) != begun and any(True for _ in s.entries(""))]
        places = [(target.intake, number) for number in range(target.partitions)]
        offsets = Offsets(self._settings.kafka)
        first, end = answer(lambda: (offsets.first(places), offsets.end(places)))
        if used or first != end:
            raise Unavailable(
                f"{target.intake} or {target.changelog} has been used: name topics that are new"
            )
        return False

    # ---- the way ----------------------------------------------------------------------------------------

    def _drain(self, portions: Portions) -> None:
        count = unread(self._settings)
        if not count:
            return
        with self._old.current() as old:
            sealed = any(layout.is_moving(store.get(LAYOUT_KEY)) for store in old)
        if sealed:
            self._unseal(portions)
        self._told(f"reading the intake to its end: {count} records or marks")
        drain(self._settings, self._folder / "old")
        self._steps("drained")

    def _seal(self, target: Target, portions: Portions) -> None:
        """No member can begin from now on, and none has begun since the intake was read to its end."""
        topics = self._settings.topics
        to = layout.moving_to(target.intake, target.changelog)
        begun = layout.moving_from(topics.intake, topics.changelog)
        portions.send([*self._marks(to), *_marks(target.changelog, target.partitions, begun)])
        self._steps("sealed")
        self._cluster.refuse_members(self._group)
        if unread(self._settings):
            raise Unavailable("a member has run meanwhile: stop it, and run this again")

    def _unseal(self, portions: Portions) -> None:
        portions.send(self._marks(layout.placed_by(self._old.partitions)))

    def _copy(
        self, target: Target, old: list[SqliteStore], former: list[SqliteStore], portions: Portions
    ) -> int:
        left = (
            StateEntry(home, key, None)
            for home, store in enumerate(former)
            for key, *_ in store.entries("")
            if key != LAYOUT_KEY
        )
        count, told_at = 0, time.monotonic()
        for entries in _portions_of(chain(left, regrouped(old, target.partitions))):
            portions.send(_record(target.changelog, entry) for entry in entries)
            count += sum(entry.value is not None for entry in entries)
            self._steps("copying")
            if time.monotonic() - told_at > PROGRESS_S:
                told_at = time.monotonic()
                self._told(f"{count} entries copied")
        return count

    # ---- names and marks --------------------------------------------------------------------------------

    def _mirror(self, intake: str, changelog: str, name: str) -> Mirror:
        return Mirror(self._settings.kafka, self._group, intake, changelog, self._folder / name)

    def _portions(self) -> Portions:
        config = producer_config(self._settings.kafka, f"{self._group}-grow-copy")
        return Portions(config, "run this again, and only one at a time; it begins anew and nothing is lost")

    def _marks(self, mark: bytes) -> list[Outgoing]:
        """Of the old state."""
        return _marks(self._settings.topics.changelog, self._old.partitions, mark)


def _marks(changelog: str, partitions: int, mark: bytes) -> list[Outgoing]:
    return [_record(changelog, StateEntry(home, LAYOUT_KEY, mark)) for home in range(partitions)]


def _record(changelog: str, entry: StateEntry) -> Outgoing:
    key, value, headers = to_record(entry)
    return Outgoing(changelog, entry.home, key, value, headers or [])


def _portions_of(entries: Iterable[StateEntry]) -> Iterator[list[StateEntry]]:
    portion: list[StateEntry] = []
    size = 0
    for entry in entries:
        portion.append(entry)
        size += len(entry.value or b"")
        if len(portion) == PORTION or size >= PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _odd(marks: Iterable[bytes | None]) -> bytes:
    """The first one that says something."""
    return min(mark for mark in marks if mark is not None)
