"""One batch, all or nothing: outputs, changelog, forwards, dead letters and offsets in one Kafka transaction.

Rules of this file: the producer and what its errors mean; no consumer, no store. An error says one of three
things (KIP-98, and the three flags of librdkafka's KafkaError):

    retriable   the same call again: the broker may have done it already, and then says yes
    abortable   give up this transaction, roll back, read again from the last committed offsets
    fatal       this producer is at its end (fenced, or its transaction timed out): build a new one

Beside them, the broker may refuse this user (Forbidden): then nothing helps but a right that is granted.

What is unknown is abortable. A failed `send_offsets` is never followed by a commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from processors import telemetry
from processors.pipeline.records import OutputRecord, OutputTopic, StateEntry
from processors.stream.changelog import to_record
from processors.stream.client import FATAL, FENCED, LOGGER, Config
from processors.stream.rights import is_refusal, refused
from processors.stream.watchdog import Stuck, Watchdog

CALL_S = 5.0
"""One try of a transactional call; then the caller may look whether it should stop."""

HANG_S = 2 * CALL_S
"""After so long a call has ignored its own timeout and will not come back."""

PATIENCE_S = 120.0
"""How long the same call is repeated. Past the transaction timeout the coordinator has aborted anyway, so
more would only keep the member from polling."""

PAUSE_S = 0.1
"""Between two tries, so that a broker in trouble is not hammered."""


class Verdict(Enum):
    RETRY = "retry"
    ABORT = "abort"
    REBUILD = "rebuild"


def verdict(error: KafkaError) -> Verdict:
    """What to do next; the order of the questions matters, since an error can carry several flags."""
    if error.fatal() or error.code() in (FENCED, FATAL):
        return Verdict.REBUILD
    if error.txn_requires_abort():
        return Verdict.ABORT
    return Verdict.RETRY if error.retriable() else Verdict.ABORT


class TransactionAborted(Exception):
    """The transaction is gone; the caller rolls its stores back and reads again. The text names the error."""


class _Undecided(TransactionAborted):
    """The broker did not say in time; the call itself goes on inside librdkafka."""


class ProducerLost(Exception):
    """The producer is at its end; the caller rolls back and calls `rebuild`."""


class Transaction:
    """The member's transactional producer with at most one open transaction.

    `topics`: the names of the output topics. `changelog`: its name; a home is a partition.
    Used by one thread.
    """

    def __init__(
        self,
        config: Config,
        topics: Mapping[OutputTopic, str],
        changelog: str,
    ) -> None:
        self._config = config
        self._topics = {topic: topics[topic] for topic in OutputTopic}
        self._changelog = changelog
        self._entries: dict[tuple[int, str], StateEntry] = {}
        self._positions: dict[int, int] = {}
        self._producer: Producer | None = None
        self._watchdog = Watchdog()
        self.opened_at: float | None = None
        """time.monotonic() of the open transaction's start; None when none is open."""

    def rebuild(self) -> None:
        """A new producer under the same transactional id: fences our own zombie and ends its transaction.

        Raises KafkaException if no broker answers within PATIENCE_S.
        """
        self._forget()
        self._drop()
        self._producer = Producer(self._config, logger=LOGGER)
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._producer.init_transactions(CALL_S)
            except KafkaException as failed:
                if not failed.args[0].retriable() or time.monotonic() > until:
                    raise
            else:
                return

    def begin(self) -> None:
        if self.opened_at is None:
            self._call(self._live().begin_transaction)
            self.opened_at = time.monotonic()

    def write(self, outputs: Iterable[OutputRecord], entries: Iterable[StateEntry]) -> None:
        """Outputs are sent at once; of entries only the last of a key counts, so they wait for the commit."""
        produce, topics = self._live().produce, self._topics
        for role, key, value, headers, partition in outputs:
            try:
                if headers:
                    produce(topics[role], value, key, partition, headers=headers)  # type: ignore[arg-type]
                else:
                    produce(topics[role], value, key, partition)
            except (BufferError, KafkaException):
                self._produce(topics[role], value, key, partition, headers)
        for entry in entries:
            self._entries[entry.home, entry.key] = entry

    def commit(
        self, offsets: list[TopicPartition], group: Any, patience_s: float | None = None
    ) -> dict[int, int]:
        """Returns home → next changelog offset, for the homes written to.

        `offsets` must not be empty: they carry the group's generation, which is what keeps a member that lost
        its partitions from committing (KIP-447). Raises TransactionAborted or ProducerLost.
        """
        self._write_changelog()
        producer = self._live()
        patience_s = PATIENCE_S if patience_s is None else patience_s
        self._call(self._send_offsets, offsets, group, patience_s=patience_s)
        try:
            self._call(producer.commit_transaction, CALL_S, patience_s=patience_s)
        except _Undecided as failed:  # an abort would wait for this call to end, and for nothing else
            self._drop()
            raise ProducerLost(f"nobody knows whether the transaction was committed: {failed}") from failed
        producer.poll(0)
        positions = dict(self._positions)
        if positions.keys() != {home for home, _ in self._entries}:
            raise ProducerLost("committed without the changelog's delivery reports")
        self._forget()
        return positions

    def abort(self) -> None:
        """Ends the open transaction, if any. Raises ProducerLost if even that fails."""
        if self.opened_at is None or self._producer is None:
            self._forget()
            return
        try:
            self._call(self._producer.abort_transaction, CALL_S)
        except TransactionAborted as failed:
            raise ProducerLost(str(failed)) from failed
        finally:
            self._forget()

    def close(self) -> None:
        """Aborts what is open, as far as the broker answers."""
        if self._producer is not None:
            self._producer.purge()
            try:
                if self.opened_at is not None:
                    self._producer.abort_transaction(CALL_S)
            except KafkaException as failed:
                LOGGER.warning("left an open transaction: %s", failed.args[0].name())
            self._producer = None
        self._forget()

    # ---- inside -----------------------------------------------------------------------------------------

    def _live(self) -> Producer:
        if self._producer is None:
            raise ProducerLost("not built")
        return self._producer

    def _drop(self) -> None:
        if self._producer is not None:
            self._producer.purge()
            self._producer = None

    def _forget(self) -> None:
        self.opened_at = None
        self._entries.clear()
        self._positions.clear()

    def _write_changelog(self) -> None:
        last = dict(self._entries.keys())  # home → key of its last record, whose offset is awaited
        for (home, key), entry in self._entries.items():
            callback = self._delivered if last[home] == key else None
            name, value, headers = to_record(entry)
            self._produce(self._changelog, value, name, home, headers, callback)

    def _delivered(self, error: KafkaError | None, message: Any) -> None:
        if error is None:
            self._positions[message.partition()] = message.offset() + 1

    def _produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        headers: Any,
        callback: Callable[[KafkaError | None, Any], None] | None = None,
    ) -> None:
        produce = self._live().produce
        while True:
            try:
                if headers:
                    produce(topic, value, key, partition, callback, headers=headers)
                else:
                    produce(topic, value, key, partition, callback)
            except BufferError:
                self._live().poll(PAUSE_S)  # the queue is full: the network is the slower one
            except KafkaException as failed:
                raise self._raised(failed) from failed
            else:
                return

    def _send_offsets(self, offsets: list[TopicPartition], group: Any) -> None:
        send = self._live().send_offsets_to_transaction
        try:
            self._watchdog.call(send, offsets, group, CALL_S, within_s=HANG_S)
        except Stuck as stuck:
            self._producer = None  # it is left to the thread that is stuck with it
            raise ProducerLost("the group coordinator went away while offsets were sent") from stuck

    def _call(self, call: Callable[..., Any], *arguments: Any, patience_s: float = PATIENCE_S) -> None:
        """A transactional call, repeated while the broker says that repeating is right."""
        until = time.monotonic() + patience_s
        while True:
            try:
                call(*arguments)
            except KafkaException as failed:
                if verdict(failed.args[0]) is not Verdict.RETRY:
                    raise self._raised(failed) from failed
                if time.monotonic() > until:
                    raise _Undecided(failed.args[0].name()) from failed
                telemetry.broker_unreachable(f"{call.__name__}: {failed.args[0].str()}")
                self._live().poll(PAUSE_S)
            else:
                return

    def _raised(self, failed: KafkaException) -> Exception:
        """A producer at its end is dropped: an abort would wait for what it was doing, which never ends."""
        error = failed.args[0]
        if is_refusal(error):
            return refused(error)
        if verdict(error) is Verdict.REBUILD:
            self._drop()
            return ProducerLost(error.name())
        return TransactionAborted(error.name())
