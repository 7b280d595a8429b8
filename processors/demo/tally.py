"""What the processor did, as it says itself: each committed step's dispositions, events and outputs, summed.

Rules of this file: a topology around the real one that only counts; nothing is changed on the way. Written by
the processor's thread, read by the one that shows.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from processors.pipeline.ports import StateStore
from processors.pipeline.records import OutputTopic, Record, Step
from processors.stream.wiring import Topology


@dataclass(slots=True)
class Totals:
    """Sums over committed transactions."""

    dispositions: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: Counter[tuple[str, ...]] = field(default_factory=Counter)
    written: Counter[OutputTopic] = field(default_factory=Counter)
    waiting: bool = False
    """A clock runs: something will be published without a further record."""

    @property
    def consumed(self) -> int:
        return sum(self.dispositions.values())

    def add(self, step: Step) -> None:
        self.dispositions.update(
            {(str(end), str(detail)): n for (end, detail), n in step.dispositions.items()}
        )
        self.events.update({tuple(map(str, event)): n for event, n in step.events.items()})
        self.written.update(output.topic for output in step.outputs)


class Tally:
    """A Topology; `Wiring.build` is this object's `around`."""

    def __init__(self, build: Callable[[int], Topology]) -> None:
        self._build = build
        self._inner: Topology
        self._lock = threading.Lock()
        self._totals = Totals()
        self._steps: list[Step] = []

    def around(self, partitions: int) -> Tally:
        self._inner = self._build(partitions)
        return self

    def totals(self) -> Totals:
        """A copy, as of the last commit."""
        with self._lock:
            said = self._totals
            return Totals(said.dispositions.copy(), said.events.copy(), said.written.copy(), said.waiting)

    # ---- the topology ----------------------------------------------------------------------------------

    def assign(self, home: int, store: StateStore) -> None:
        self._inner.assign(home, store)

    def revoke(self, home: int) -> None:
        self._inner.revoke(home)

    def frontier(self, topic: str, partition: int, caught_up: bool) -> None:
        self._inner.frontier(topic, partition, caught_up)

    def process(self, records: Iterable[Record], now_ms: int) -> Step:
        return self._noted(self._inner.process(records, now_ms))

    def tick(self, now_ms: int) -> Step:
        return self._noted(self._inner.tick(now_ms))

    def next_due_ms(self) -> int | None:
        return self._inner.next_due_ms()

    def committed(self) -> None:
        self._inner.committed()
        with self._lock:
            for step in self._steps:
                self._totals.add(step)
            self._totals.waiting = self._inner.next_due_ms() is not None
        self._steps.clear()

    def rolled_back(self) -> None:
        self._steps.clear()
        self._inner.rolled_back()

    def _noted(self, step: Step) -> Step:
        self._steps.append(step)
        return step
