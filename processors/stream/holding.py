"""After a move of the state no clock runs until the group has read what came while nobody ran.

Rules of this file: a topology around the pipeline, and the question that lets it go. A home's clock knows the
partitions of its own number; after a move, what waits for it may lie in any partition of the inputs, and a
series would close before its last images. Each home is told so by an entry of its state, which goes with the
first transaction after that backlog is read; so it holds through restarts, and costs nothing afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from processors.errors import Unavailable
from processors.pipeline.entries import HELD, HELD_KEY
from processors.pipeline.ports import StateStore
from processors.pipeline.records import Record, StateEntry, Step
from processors.stream.offsets import Partition
from processors.stream.wiring import Topology

_BACKLOG = "the inputs of all homes"
"""In place of a topic's name: what a held home waits for."""


class Group(Protocol):
    """How far the whole group has read the inputs; both raise Unavailable."""

    def ends(self) -> dict[Partition, int]:
        """Where the inputs end now."""
        ...

    def has_read(self, goal: dict[Partition, int]) -> bool:
        """Whether the group has committed all up to there."""
        ...


def held(home: int) -> StateEntry:
    """The entry that holds a home's clock."""
    return StateEntry(home, HELD_KEY, HELD)


class Holding:
    """See `wiring.Topology`. `group` is only asked for where a home is held."""

    def __init__(self, topology: Topology, group: Callable[[], Group]) -> None:
        self._topology = topology
        self._group = group
        self._stores: dict[int, StateStore] = {}
        """Of homes that were held when they were assigned."""
        self._asked: Group | None = None
        self._goal: dict[Partition, int] | None = None
        self._is_read = False
        self.process: Callable[[Iterable[Record], int], Step] = topology.process
        self.next_due_ms = topology.next_due_ms
        self.committed = topology.committed
        self.rolled_back = topology.rolled_back
        self.frontier = topology.frontier

    def assign(self, home: int, store: StateStore) -> None:
        self._topology.assign(home, store)
        if store.get(HELD_KEY) is not None:
            self._stores[home] = store
            self._topology.frontier(_BACKLOG, home, caught_up=False)

    def revoke(self, home: int) -> None:
        self._stores.pop(home, None)
        self._topology.revoke(home)

    def tick(self, now_ms: int) -> Step:
        """What lets go counts from the next tick on: what was forwarded of the backlog is then seen, too."""
        is_read = self._is_read
        for home in self._stores if is_read else ():
            self._topology.frontier(_BACKLOG, home, caught_up=True)
        step = self._topology.tick(now_ms)
        if is_read:
            for home, store in self._stores.items():
                if store.get(HELD_KEY) is not None:
                    step.entries.append(StateEntry(home, HELD_KEY, None))
                    store.put(step.entries[-1:])
        elif self._stores:
            self._is_read = self._ask()
        return step

    def _ask(self) -> bool:
        try:
            if self._asked is None:
                self._asked = self._group()
            if self._goal is None:
                self._goal = self._asked.ends()
            return self._asked.has_read(self._goal)
        except Unavailable:  # the loop meets the broker's silence itself
            return False
