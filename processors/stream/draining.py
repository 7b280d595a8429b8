"""A member that reads the intake to its end and nothing else, so that all homes know the same.

Rules of this file: an ordinary member of the group, exactly once as any other; what it leaves out is the
inputs and the clocks. No clock runs where the inputs are not read: a series would close before what waits.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from processors.errors import Unavailable
from processors.pipeline.ports import StateStore
from processors.pipeline.records import Record, Step
from processors.settings import Settings
from processors.stream.client import group_of
from processors.stream.group_lag import GroupLag
from processors.stream.loop import Loop
from processors.stream.runner import wiring_of
from processors.stream.wiring import Topology

MEMBER = "grow"
ASK_S = 0.5
"""Between two questions whether all is read."""


def unread(settings: Settings) -> int:
    """Offsets of the intake from the group's committed ones to the end."""
    with closing(GroupLag(settings.kafka, group_of(settings.kafka), (settings.topics.intake,))) as lag:
        return lag.whole()


def drain(settings: Settings, state_dir: Path) -> None:
    """Blocks until the intake is read to its end. Raises as `Loop` does."""
    wiring = wiring_of(settings, 0)
    loop = Loop(
        replace(
            wiring,
            member=MEMBER,
            inputs=(),
            state_dir=state_dir,
            build=lambda partitions: WithoutClocks(wiring.build(partitions)),
        )
    )
    ended = threading.Event()
    watch = threading.Thread(target=_stop_at_the_end, args=(settings, loop, ended), daemon=True)
    watch.start()
    try:
        loop.run()
    finally:
        ended.set()
        watch.join()


def _stop_at_the_end(settings: Settings, loop: Loop, ended: threading.Event) -> None:
    while not ended.wait(ASK_S):
        try:
            if loop.ready() and not unread(settings):
                loop.stop()
        except Unavailable:  # the loop itself says what is wrong
            continue


class WithoutClocks:
    """A topology whose homes wait for an input that is never read; see `wiring.Topology`."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self.revoke = topology.revoke
        self.frontier = topology.frontier
        self.committed = topology.committed
        self.rolled_back = topology.rolled_back

    def assign(self, home: int, store: StateStore) -> None:
        self._topology.assign(home, store)
        self._topology.frontier("an input", home, caught_up=False)

    def process(self, records: Iterable[Record], now_ms: int) -> Step:
        return self._topology.process(records, now_ms)

    def tick(self, now_ms: int) -> Step:  # noqa: ARG002 (as the protocol has it)
        return Step()

    def next_due_ms(self) -> int | None:
        return None
