"""What the loop is given: names, folders and the parts it binds, as one value.

Rules of this file: protocols and a frozen value, no behaviour. `runner` fills it from the settings; tests
fill it with a stub topology, a folder of their own and steps that kill the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from processors.pipeline.ports import StateStore
from processors.pipeline.records import OutputTopic, Record, StateEntry, Step

if TYPE_CHECKING:
    from processors.stream.tracing import Tracer


class Topology(Protocol):
    """The pipeline as the loop sees it: a step without I/O. It writes a home's store, never commits it."""

    def assign(self, home: int, store: StateStore) -> None:
        """The home is ours and its state up to date."""
        ...

    def revoke(self, home: int) -> None:
        """Forget what is cached of that home; its store is gone."""
        ...

    def frontier(self, topic: str, partition: int, caught_up: bool) -> None:
        """Whether the partition is read to its last stable offset, as of the `now_ms` of the next `tick`."""
        ...

    def process(self, records: Iterable[Record], now_ms: int) -> Step:
        """Fold them; the step says how far that moved each partition, which is what will be committed."""
        ...

    def tick(self, now_ms: int) -> Step:
        """Close what is due by each home's clock."""
        ...

    def next_due_ms(self) -> int | None:
        """The earliest clock of all homes, or None."""
        ...

    def committed(self) -> None:
        """What was put since the last call is now the truth."""
        ...

    def rolled_back(self) -> None:
        """Forget what is cached of uncommitted changes; the stores are rolled back already."""
        ...


def no_steps(step: str) -> None:
    """The default of `Wiring.steps`: nothing happens."""


def as_it_is(entry: StateEntry) -> StateEntry:
    """The default of `Wiring.upgrade`: there is one format."""
    return entry


STEPS_OF_A_BATCH = ("after_poll", "before_produce", "before_commit", "after_commit", "after_store_commit")
"""Named points of a batch, in order, the last once for each home; crash tests end the process there."""

STEPS_OF_A_LIFE = ("assigned", "restoring", "ready", "revoked", "leaving")
"""Named points between batches: partitions given, after each part of a restore, its end, before a rebalance
takes them, before the group is told on a clean stop."""


@dataclass(frozen=True, slots=True)
class Wiring:
    kafka: Mapping[str, str | int | float | bool]
    """The operator's `[kafka]` section: librdkafka's names."""
    group: str
    member: str
    """Stable over restarts, unique in the group: group.instance.id, and with `group` the transactional id."""
    inputs: tuple[str, ...]
    intake: str
    changelog: str
    outputs: Mapping[OutputTopic, str]
    state_dir: Path
    """This member's own folder."""
    build: Callable[[int], Topology]
    """Partition count of the intake → the topology."""
    commit_interval_ms: int = 100
    poll_records: int = 5_000
    poll_bytes: int = 33_554_432
    poll_ms: int = 50
    steps: Callable[[str], None] = no_steps
    tracer: Tracer | None = None
    """None where this site does not trace."""
    state_format: int = 0
    """Of what the topology keeps; a local file in another one is read anew from the changelog."""
    upgrade: Callable[[StateEntry], StateEntry] = as_it_is
    """An entry of the changelog in that format. Raises Unavailable if it can't be."""

    @property
    def transactional_id(self) -> str:
        return f"{self.group}-{self.member}"
