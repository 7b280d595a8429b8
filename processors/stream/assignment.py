"""What this member owns: partitions to read, homes whose studies it folds, and the way there.

Rules of this file: group membership and restore; no transaction (the loop is called before a revocation), no
record. Between an assignment and `ready` nothing is fetched: the local assignment is empty, while polling
keeps the member in the group.

    assigned → located (committed offsets, stable; stores opened) → restored → ready

The assignor is `range` with the eager protocol: a rebalance takes everything away and gives anew. A home that
stays is only topped up, which costs one question to the broker.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from processors import telemetry
from processors.stream.changelog import Restore
from processors.stream.client import changelog_config
from processors.stream.offsets import ANSWER_S, Offsets, Partition, told
from processors.stream.store import SqliteStore, discard, disk_is_full, path_of
from processors.stream.wiring import Topology, Wiring

PROGRESS_S = 5.0
"""Between two lines on a restore."""


class Assignment:
    """Owned by the loop's thread; callbacks run inside its polls. `settle` ends the open transaction."""

    def __init__(
        self,
        wiring: Wiring,
        consumer: Consumer,
        offsets: Offsets,
        topology: Topology,
        identity: str,
        settle: Callable[[bool], None],
    ) -> None:
        self._wiring = wiring
        self._consumer = consumer
        self._offsets = offsets
        self._topology = topology
        self._identity = f"{identity}/{wiring.state_format}"
        self._settle = settle
        self._owned: list[Partition] = []
        self._restore: Restore | None = None
        self._told_at = 0.0
        self._pending = False
        self.generation = 0
        """Grows with every rebalance: records polled across one are not ours to process."""
        self.positions: dict[Partition, int] = {}
        """Committed: the next offset to read, for every owned partition."""
        self.stores: dict[int, SqliteStore] = {}
        self.ready = False

    @property
    def owns(self) -> bool:
        return bool(self._owned)

    @property
    def is_foreign(self) -> bool:
        """Of other topics: a static member that soon comes back gets what it had, whatever it now asks for
        (KIP-345).
        """
        return not {topic for topic, _ in self._owned} <= {*self._wiring.inputs, self._wiring.intake}

    def subscribe(self) -> None:
        topics = [*self._wiring.inputs, self._wiring.intake]
        self._consumer.subscribe(
            topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def prepare(self) -> None:
        """One step towards `ready`. Raises KafkaException when the broker does not answer; call again."""
        if not self._pending:
            return
        if not self.positions and self._owned:
            self._locate()
        if self.stores and self._restore is None:
            config = changelog_config(self._wiring.kafka, self._wiring.group)
            wiring = self._wiring
            self._restore = Restore(config, self._offsets, wiring.changelog, self.stores, wiring.upgrade)
        if self._restore is None or self._restored(self._restore):
            self._begin()

    def reread(self) -> None:
        """Fetch again from the committed offsets: after a rollback."""
        if self.ready:
            self._consumer.assign([TopicPartition(t, p, o) for (t, p), o in self.positions.items()])

    def relocate(self) -> None:
        """Ask the broker for everything again: what would be read next is gone."""
        self._settle(True)
        self.restart()

    def restart(self) -> None:
        """Ask the broker for everything again: after a transaction whose end is unknown."""
        owned = list(self._owned)
        self._release(current=False)
        self._consumer.assign([])
        self._owned, self._pending = owned, True

    def without_state(self, failed: sqlite3.DatabaseError) -> None:
        """As `restart`. Damaged files go; on a full disk they stay, to be topped up when there is space."""
        telemetry.state_unavailable(str(failed))
        homes = self._homes()
        self.restart()
        for home in homes if not disk_is_full(failed) else ():
            discard(self._path(home))

    def close(self) -> None:
        self._release(current=True)

    # ---- callbacks --------------------------------------------------------------------------------------

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.generation += 1
        self._release(current=True)
        consumer.assign([])
        self._owned = [(part.topic, part.partition) for part in partitions]
        self._pending = True
        telemetry.partitions_assigned(self._homes())
        self._wiring.steps("assigned")

    def _revoked(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self.generation += 1
        self._settle(True)
        self._wiring.steps("revoked")
        self._release(current=True)
        consumer.unassign()

    def _lost(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        """The group went on without us: whatever is open must not be committed."""
        self.generation += 1
        self._settle(False)
        self._release(current=False)
        consumer.unassign()

    # ---- inside -----------------------------------------------------------------------------------------

    def _homes(self) -> list[int]:
        return sorted(partition for topic, partition in self._owned if topic == self._wiring.intake)

    def _path(self, home: int) -> Path:
        return path_of(self._wiring.state_dir, home)

    def _locate(self) -> None:
        asked = [TopicPartition(topic, partition) for topic, partition in self._owned]
        committed = told(self._consumer.committed(asked, ANSWER_S))
        first, end = self._offsets.first(self._owned), self._offsets.end(self._owned)
        positions: dict[Partition, int] = {}
        for part in committed:
            key = (part.topic, part.partition)
            there = first[key] <= part.offset <= end[key]
            positions[key] = part.offset if there else first[key]
            if part.offset >= 0 and not there:
                telemetry.input_lost(part.topic, part.partition, part.offset, first[key])
        self.positions = positions
        self.stores = {h: SqliteStore(self._path(h), f"{self._identity}/{h}") for h in self._homes()}

    def _restored(self, restore: Restore) -> bool:
        for done in restore.step():
            telemetry.restored(done.home, done.seconds)
        self._wiring.steps("restoring")
        if not restore.behind:
            return True
        if time.monotonic() - self._told_at > PROGRESS_S:
            self._told_at = time.monotonic()
            for home, (position, end) in restore.behind.items():
                telemetry.restore_progressed(home, position, end)
        return False

    def _begin(self) -> None:
        if self._restore is not None:
            self._restore.close()
            self._restore = None
        for home, store in self.stores.items():
            self._topology.assign(home, store)
        for topic, partition in self._owned:
            self._topology.frontier(topic, partition, caught_up=False)
        self._pending, self.ready = False, True
        self.reread()
        self._wiring.steps("ready")

    def _release(self, current: bool) -> None:
        if self._restore is not None:
            self._restore.close()
            self._restore = None
            current = False
        for home, store in self.stores.items():
            if self.ready:
                self._topology.revoke(home)
            try:
                store.close(current)
            except sqlite3.DatabaseError as failed:
                if not disk_is_full(failed):
                    discard(self._path(home))
        if self.stores:
            telemetry.partitions_lost(list(self.stores))
        self.stores, self.positions, self._owned = {}, {}, []
        self.ready = self._pending = False
