"""The whole topology as a step without I/O: (records, now) → outputs, state entries, dispositions; tick(now).

Rules of this file: what a step begins and ends with. Kafka is `stream`'s, encoding is `wire`'s and `avro`'s,
meaning is `core`'s. `assemble`, the tests and the demo run this same class over memory.

    record → decode → home or forward → due series of its study close → fold → (end of step) evaluate, publish
             └──────── record_folding, one by one; columns, many at a time ─────────┘
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from processors.avro.facts import SINGLE_OBJECT, FactFraming
from processors.core.policy import Policy
from processors.fhir.releases import release_of
from processors.pipeline.batch import Batch
from processors.pipeline.columns import Columns
from processors.pipeline.decode import Decoder
from processors.pipeline.dispositions import dispose
from processors.pipeline.evaluation import Evaluator, Work
from processors.pipeline.forwarding import NOWHERE, to_intake
from processors.pipeline.homes import Home
from processors.pipeline.moving import told
from processors.pipeline.partitioning import home_of
from processors.pipeline.ports import StateStore
from processors.pipeline.publishing import Publisher
from processors.pipeline.record_folding import RecordFold, close_due_series
from processors.pipeline.records import Record, StateEntry, Step
from processors.pipeline.retention import PURGES_AT_ONCE, Retention, is_purge
from processors.wire import state as rows
from processors.wire.patient_rows import WAITING
from processors.wire.remnant_rows import RETENTION

FOREVER = 2**62
"""A home's clock at the end of all input, ms."""


class Limits(NamedTuple):
    """What bounds a member's memory and its transactions; `settings.State` says each one's reason."""

    cached_instances: int
    closing_clocks: int
    closing_instances: int


class Pipeline:
    """One member's share of the topology. Not thread-safe; a step's entries are already `put` in the stores.

    `partitions` is the intake topic's count. Between two commits everything touched stays in memory; the
    runner calls `committed` or `rolled_back` once the transaction, and the stores, did the same. Of committed
    studies, as many stay as have `limits.cached_instances` in all.
    """

    def __init__(
        self,
        policy: Policy,
        decoder: Decoder,
        partitions: int,
        intake_topic: str,
        pseudonym_key: bytes,
        limits: Limits,
        fact_framing: FactFraming = SINGLE_OBJECT,
    ) -> None:
        self._policy = policy
        self._partitions = partitions
        self._intake_topic = intake_topic
        self._evaluator = Evaluator(policy, Publisher(pseudonym_key, release_of(policy), fact_framing))
        self._limits = limits
        self._homes: dict[int, Home] = {}
        self._retention = Retention(policy)
        one = RecordFold(
            policy, decoder, self._evaluator, self._retention, self._homes, partitions, intake_topic
        )
        self._columns = Columns(policy, one, intake_topic)

    # ---- assignment ------------------------------------------------------------------------------------

    def assign(self, home: int, store: StateStore) -> None:
        """This member owns intake partition `home`, whose restored state is `store`."""
        self._homes[home] = Home(home, store)

    def revoke(self, home: int) -> None:
        """Forget a home; its uncommitted changes were rolled back before."""
        self._homes.pop(home, None)

    def frontier(self, topic: str, partition: int, caught_up: bool) -> None:
        """A partition is assigned that feeds a home; `caught_up`: it is read to its last stable offset as of
        the `now_ms` of the next `tick`.
        """
        if partition in self._homes:
            self._homes[partition].clock.caught_up((topic, partition), caught_up)

    # ---- steps -----------------------------------------------------------------------------------------

    def process(self, records: Iterable[Record], now_ms: int) -> Step:
        """Fold records, in order; close what was due by their time; publish what need not wait."""
        batch = Batch(now_ms)
        for home in self._homes.values():
            batch.step.entries += self._retention.check(home, now_ms)
        self._columns.take_all(records, batch)
        batch.end()
        self._finish(batch.works.values(), batch.step, now_ms)
        for record, work, document, disposition in batch.arrived:
            is_told, manifests = record.topic == self._intake_topic, self._policy.publish_manifests
            dispose(batch.step, record, work, document, disposition, now_ms, manifests, is_told)
        return batch.step

    def tick(self, now_ms: int) -> Step:
        """Close what is due by each home's clock."""
        return self._close_due(now_ms, {h: home.clock.reach(now_ms) for h, home in self._homes.items()})

    def run_out(self, now_ms: int) -> Step:
        """All clocks count as run out: the end of a finite input."""
        return self._close_due(now_ms, dict.fromkeys(self._homes, FOREVER))

    def next_due_ms(self) -> int | None:
        """The earliest clock of all homes, in time of their inputs."""
        dues = (home.store.next_due_ms() for home in self._homes.values())
        return min((due for due in dues if due is not None), default=None)

    def committed(self) -> None:
        """What was folded is lasting; cold studies may leave the memory."""
        for home in self._homes.values():
            home.commit(self._limits.cached_instances // len(self._homes))

    def rolled_back(self) -> None:
        """Everything since the last commit will be read again."""
        for home in self._homes.values():
            home.roll_back()

    # ---- the end of a step -----------------------------------------------------------------------------

    def _close_due(self, now_ms: int, clocks: dict[int, int]) -> Step:
        step, most = Step(), self._limits
        instances = 0
        for number, clock_ms in clocks.items():
            home = self._homes[number]
            step.entries += self._retention.check(home, now_ms)
            works: dict[str, Work] = {}
            purges = 0
            for key, _ in home.store.due(clock_ms, most.closing_clocks):
                purges += is_purge(key)
                if instances < most.closing_instances and (not is_purge(key) or purges <= PURGES_AT_ONCE):
                    instances += self._close(key, home, works, clock_ms, step, now_ms)
            self._finish(works.values(), step, now_ms)
        return step

    def _close(
        self, key: str, home: Home, works: dict[str, Work], clock_ms: int, step: Step, now_ms: int
    ) -> int:
        """One clock that ran out: which studies are to be looked at because of it. Returns how many instances
        those have that are new to `works`.
        """
        is_merge = key.startswith(WAITING)
        uids: list[str] = [rows.study_of(key)]
        entries: list[StateEntry] = []
        if is_merge:
            uids, entries = home.patients.waiting_studies(key, self._limits.closing_clocks - len(works))
        elif key == RETENTION:
            uids, entries = self._retention.walk(home, now_ms)
        step.entries += entries
        instances = 0
        for uid in uids:
            if uid not in works:
                works[uid] = Work(home, home.study(uid))
                instances += works[uid].study.instance_count
                close_due_series(works[uid], clock_ms)
            works[uid].everything |= is_merge
            if is_merge:
                self._retention.hear(works[uid].study, min(clock_ms, now_ms))
                works[uid].outlived = False
        return instances

    def _finish(self, works: Iterable[Work], step: Step, now_ms: int) -> None:
        for work in works:
            self._evaluator.evaluate(work, step, now_ms)
            if work.outlived:
                self._retention.end(work, step)
            for message, origin in work.messages:
                target = home_of(message.study_instance_uid, self._partitions)
                step.outputs.append(to_intake(message, target, origin, now_ms, b""))
            written = work.home.save(work.study, now_ms)
            step.entries += written
            for home, message in told(work, written, self._home_of, now_ms):
                step.outputs.append(to_intake(message, home, NOWHERE, now_ms, b""))

    def _home_of(self, study_instance_uid: str) -> int:
        return home_of(study_instance_uid, self._partitions)
