"""The loop that binds the pipeline to Kafka: poll, fold, produce, commit; then the store.

Rules of this file: order and error handling of one member's life; no study, no partition bookkeeping.

    poll → topology.process → outputs, forwards, dead letters, changelog → offsets → commit → store commit

The store is committed last: a crash before it leaves the store behind its changelog, and the next start tops
it up. A clock is only trusted when the broker says that nothing older is unread (`_tick`).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors import telemetry
from processors.errors import Delayed, Forbidden, Unavailable
from processors.pipeline.entries import LAYOUT_KEY
from processors.pipeline.records import Record, StateEntry, Step
from processors.stream import layout, rights
from processors.stream.assignment import Assignment
from processors.stream.batch import Batch
from processors.stream.broker import UNKNOWN, Cluster
from processors.stream.client import (
    MAX_POLL_INTERVAL_MS,
    SESSION_TIMEOUT_MS,
    consumer_config,
    producer_config,
)
from processors.stream.lag import consumer_telling_lag
from processors.stream.offsets import Offsets
from processors.stream.pacing import BACKOFF_S, SLICE_S, TURNS_A_POLL_INTERVAL, Appetite, Commits, Slice
from processors.stream.reading import PlaceLost, Reader
from processors.stream.transaction import PATIENCE_S, ProducerLost, Transaction, TransactionAborted
from processors.stream.wiring import Wiring

POLL_S = 0.05
"""While there is nothing to read yet."""

FENCED_S = 5.0
"""Beyond the session timeout, until a place that is still held is another process's."""

STUCK_S = 2 * PATIENCE_S
"""A turn that takes longer hangs for good."""

LEAVE_S = 5.0
DRAIN_S = 10.0
"""A broker that does not answer a last commit for so long is given up; the records are read again later."""


class Loop:
    """One member of the consumer group. `run` blocks until `stop` (which any thread or signal may call).

    Raises Unavailable (one line for the operator) when it cannot go on: no broker, no topic, another
    partition count, or another process under the same member name.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._stopping = threading.Event()
        self._consumer: Consumer
        self._offsets: Offsets
        self._assignment: Assignment
        self._transaction: Transaction
        self._reader: Reader
        self._batch = Batch(wiring.tracer)
        self._slice_s = SLICE_S
        interval_ms = int(wiring.kafka.get("max.poll.interval.ms", MAX_POLL_INTERVAL_MS))
        self._turn_s = interval_ms / 1000 / TURNS_A_POLL_INTERVAL
        self._appetite = Appetite(wiring.poll_records, wiring.poll_bytes)
        self._commits = Commits(wiring.commit_interval_ms / 1000, wiring.poll_ms / 1000)
        self._tick_at = 0.0
        self._aborted_in_a_row = 0
        self._started = False
        self.records = 0
        """Committed since the start."""
        self.turned_at = time.monotonic()
        self._lost: str | None = None
        """Why the producer is at its end; None while it works."""

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        self._start()
        try:
            while not self._stopping.is_set():
                self.turned_at = time.monotonic()
                self._turn()
            self._leave()
        except Forbidden:
            self._cluster.demand(rights.needs_of(self._wiring), self._wiring.group)  # names what is missing
            raise
        finally:
            self._assignment.close()
            self._transaction.close()
            self._consumer.close()

    def live(self) -> bool:
        """The loop turns (http.Health); a turn may wait for a broker as long as a call is repeated."""
        return time.monotonic() - self.turned_at < STUCK_S

    def ready(self) -> bool:
        """Partitions are assigned and their state is restored (http.Health)."""
        return self._started and self._assignment.ready

    def homes(self) -> list[int]:
        return list(self._assignment.stores) if self.ready() else []

    # ---- life -------------------------------------------------------------------------------------------

    def _start(self) -> None:
        wiring = self._wiring
        self._cluster = Cluster(wiring.kafka)
        self._cluster.demand(rights.needs_of(wiring), wiring.group)
        topics = wiring.inputs, wiring.intake, wiring.changelog
        self._partitions, self._identity = self._cluster.layout(*topics)
        self._topology = wiring.build(self._partitions)
        self._layout = layout.placed_by(self._partitions)
        self._offsets = Offsets(wiring.kafka)
        config = producer_config(wiring.kafka, wiring.transactional_id)
        self._transaction = Transaction(config, wiring.outputs, wiring.changelog)
        self._rebuild()
        self._join()

    def _join(self) -> None:
        wiring = self._wiring
        config = consumer_config(wiring.kafka, wiring.group, wiring.member)
        self._consumer = consumer_telling_lag(config, lambda: self._reader.read)
        self._assignment = Assignment(
            wiring, self._consumer, self._offsets, self._topology, self._identity, self._settle
        )
        self._reader = Reader(self._consumer, self._assignment)
        self._assignment.subscribe()
        self._started = True

    def _turn(self) -> None:
        try:
            if self._lost is not None:
                self._recover(self._lost)
            elif self._assignment.ready:
                self._work()
            else:
                self._reader.poll(1, 0.0 if self._assignment.owns else POLL_S)
                self._prepare()
        except (TransactionAborted, Delayed) as failed:
            self._roll_back(str(failed))
        except ProducerLost as failed:
            self._lost = str(failed)
        except PlaceLost as failed:
            self._join_anew(str(failed))
        except sqlite3.DatabaseError as failed:
            self._abandon("state file")
            self._assignment.without_state(failed)
            self._stopping.wait(BACKOFF_S[2])

    def _work(self) -> None:
        asked = self._appetite.records
        records = self._reader.poll(asked, self._commits.patience_s())
        self._commits.polled(len(records), asked)
        if records:
            self._wiring.steps("after_poll")
            self._fold(records)
        if self._assignment.ready:
            if self._transaction.opened_at is None or self._due():
                self._tick()  # what closes now is seen with this commit, not with the next
            if not records:
                self._pass_marks()
            if self._due():
                self._commit()

    def _prepare(self) -> None:
        if self._assignment.is_foreign:
            self._depart()
            self._renew("was given what a predecessor with other topics had")
            return
        try:
            self._assignment.prepare()
        except KafkaException as failed:
            rights.unanswered(failed)
            self._stopping.wait(BACKOFF_S[1])
            return
        if self._assignment.ready:
            self._reader.read = dict(self._assignment.positions)
            self._check_layout()
            # Before the first record: an idle partition must not hold up the clock of a backlog beside it.
            self._close(_now_ms())

    def _leave(self) -> None:
        """What was folded is committed, and the group told, so that others take over at once."""
        self._settle(commit=True)
        self._wiring.steps("leaving")
        self._depart()

    def _depart(self) -> None:
        """A static member stays in the group when it only closes (KIP-345); unsubscribing leaves it."""
        generation = self._assignment.generation
        with suppress(KafkaException):  # a consumer that was fenced has left already
            self._consumer.unsubscribe()
        until = time.monotonic() + LEAVE_S
        while self._assignment.owns and self._assignment.generation == generation:
            self._consumer.poll(POLL_S)
            if time.monotonic() > until:
                break

    # ---- folding ----------------------------------------------------------------------------------------

    def _fold(self, records: Sequence[Record]) -> None:
        """In slices, so that slow records (big reports) cannot hold a transaction open for minutes. What is
        left when the turn's time is over is fetched again, so that the group hears of this member.
        """
        until, start = time.monotonic() + self._turn_s, 0
        while start < len(records) and not self._stopping.is_set():
            part = Slice(records, start, self._slice_s)
            self._transaction.begin()
            step = self._topology.process(self._batch.read(part), _now_ms())
            self._write(step, part.end - start)
            start = part.end
            if start < len(records):
                over = time.monotonic() >= until
                if over or self._due():
                    self._commit()
                if over:
                    self._reader.rewind()
                    break
        self._appetite.note(start, records)

    def _write(self, step: Step, records: int) -> None:
        self._wiring.steps("before_produce")
        self._transaction.write(self._batch.traced(step.outputs), step.entries)
        self._batch.add(step, records)

    def _tick(self) -> None:
        """Let the clock close what is due."""
        due = self._topology.next_due_ms()
        now = _now_ms()
        if due is not None and due <= now and time.monotonic() >= self._tick_at:
            self._tick_at = time.monotonic() + self._wiring.commit_interval_ms / 1000
            self._close(now)

    def _close(self, now: int) -> None:
        """Close what is due at `now`, knowing how far each partition is read at this very moment.

        The wall clock was taken first, now the broker is asked for the last stable offsets: a partition read
        up to there has been read up to that time, however long this process or the network stood still.
        """
        try:
            stable = self._offsets.stable(self._assignment.positions)
        except KafkaException as failed:
            rights.unanswered(failed)
            return
        for (topic, partition), end in stable.items():
            caught_up = self._reader.read.get((topic, partition), -1) >= end
            self._topology.frontier(topic, partition, caught_up)
        step = self._topology.tick(now)
        if step.outputs or step.entries:
            self._transaction.begin()
            self._write(step, 0)

    def _pass_marks(self) -> None:
        """A transaction ends with a mark: it is committed as read, too, or the group keeps a lag of one."""
        ahead = self._reader.ahead()
        if ahead and self._transaction.opened_at is None:
            self._transaction.begin()
            self._batch.moved.update(ahead)

    def _check_layout(self) -> None:
        """Homes are murmur2 mod N: state made for another N would be looked for in the wrong place."""
        entries = []
        for home, store in self._assignment.stores.items():
            found = store.get(LAYOUT_KEY)
            if found is None:
                entries.append(StateEntry(home, LAYOUT_KEY, self._layout))
                store.put(entries[-1:])
            elif found != self._layout:
                self._depart()  # or the group would wait for it
                raise Unavailable(layout.refusal(found, self._wiring.intake, self._partitions))
        if entries:
            self._transaction.begin()
            self._transaction.write((), entries)

    # ---- committing -------------------------------------------------------------------------------------

    def _due(self) -> bool:
        return self._transaction.opened_at is not None and not self._commits.left_s()

    def _commit(self, patience_s: float | None = None) -> None:
        if self._transaction.opened_at is None:
            return
        steps, assignment = self._wiring.steps, self._assignment
        steps("before_commit")
        moved = self._batch.moved or dict(list(assignment.positions.items())[:1])
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in moved.items()]
        group = self._consumer.consumer_group_metadata()
        began = time.monotonic()
        positions = self._transaction.commit(offsets, group, patience_s)
        self._commits.committed()
        self._batch.tell(time.monotonic() - began)
        self.records += self._batch.records
        self._aborted_in_a_row = 0
        self._batch = Batch(self._wiring.tracer)
        steps("after_commit")
        for home, position in positions.items():
            assignment.stores[home].commit(position)
            steps("after_store_commit")
        self._topology.committed()
        assignment.positions.update(moved)

    def _settle(self, commit: bool) -> None:
        """End the open transaction before partitions go; never raises, what fails is done over by others."""
        try:
            if commit:
                self._commit(DRAIN_S)
        except TransactionAborted as failed:
            telemetry.transaction_aborted(str(failed))
        except ProducerLost as failed:
            self._lost = str(failed)
        self._abandon("partitions revoked")

    def _abandon(self, reason: str) -> None:
        """Abort and forget; stores and caches are as of the last commit."""
        if self._transaction.opened_at is not None:
            telemetry.transaction_aborted(reason)
            try:
                self._transaction.abort()
            except ProducerLost as failed:
                self._lost = str(failed)
        for store in self._assignment.stores.values():
            store.rollback()
        self._topology.rolled_back()
        self._batch = self._batch.dropped(reason)

    def _roll_back(self, reason: str) -> None:
        self._abandon(reason)
        pause = BACKOFF_S[min(self._aborted_in_a_row, len(BACKOFF_S) - 1)]
        self._aborted_in_a_row += 1
        self._stopping.wait(pause)
        if self._lost is None and self._assignment.ready:
            self._reader.rewind()
            self._check_layout()

    def _recover(self, reason: str) -> None:
        """After a fatal error nobody knows whether the last transaction holds: ask the broker anew.

        Not while another join has our place: rebuilding would fence the process that took over.
        """
        self._abandon(reason)
        self._assignment.restart()
        self._reader.poll(1, POLL_S)
        if self._holder() in ("", self._consumer.memberid()):
            telemetry.transaction_aborted(f"producer rebuilt: {reason}")
            self._rebuild()
            self._lost = None

    def _join_anew(self, reason: str) -> None:
        """The group has fenced this consumer: leave the place to the other process, if there is one.

        A join of ours that timed out and was repeated does the same; nobody keeps that one's session alive.
        """
        self._abandon(reason)
        self._assignment.restart()
        session_s = int(self._wiring.kafka.get("session.timeout.ms", SESSION_TIMEOUT_MS)) / 1000
        until = time.monotonic() + session_s + FENCED_S
        while (holder := self._holder()) and not self._stopping.wait(BACKOFF_S[1]):
            if holder == UNKNOWN:
                until = time.monotonic() + session_s + FENCED_S
            elif time.monotonic() > until:
                raise Unavailable(
                    f"another process runs as member {self._wiring.member} of group {self._wiring.group}: "
                    "give each its own kafka.group.instance.id"
                )
        if not self._stopping.is_set():
            self._renew(reason)

    def _renew(self, reason: str) -> None:
        telemetry.transaction_aborted(f"consumer rebuilt: {reason}")
        self._assignment.close()
        self._consumer.close()
        self._join()

    def _holder(self) -> str:
        return self._cluster.holder(self._wiring.group, self._wiring.member)

    def _rebuild(self) -> None:
        try:
            self._transaction.rebuild()
        except KafkaException as failed:
            raise rights.without_coordinator(failed, self._wiring.transactional_id) from failed


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
