"""Records written beside the loop, a portion a transaction: all of it or nothing.

Rules of this file: one transactional producer and what its errors mean to the one who called it; which
records is the caller's. Only one process writes under a transactional id: a second one fences the first,
whose open transaction is then gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from processors.errors import Unavailable
from processors.pipeline.records import Headers
from processors.stream.client import LOGGER, Config
from processors.stream.rights import is_refusal, refused
from processors.stream.transaction import CALL_S, Verdict, verdict

PATIENCE_S = 60.0
"""How long a call is repeated while the broker says that repeating is right."""


class Outgoing(NamedTuple):
    """`partition` -1: as the key decides."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Portions:
    """From construction on no earlier process with the same transactional id can commit.

    `not_done`: what a person is told to do where the broker takes nothing.
    """

    def __init__(self, config: Config, not_done: str) -> None:
        self._not_done = not_done
        self._refused = ""
        self._producer = Producer(config, logger=LOGGER)
        self._call(self._producer.init_transactions, CALL_S)

    def send(
        self, records: Iterable[Outgoing], offsets: Iterable[tuple[list[TopicPartition], Any]] = ()
    ) -> None:
        """`offsets`: (next offsets, consumer group metadata) to commit with the records. Blocks.

        Raises Unavailable when nothing of it was written.
        """
        self._call(self._producer.begin_transaction)
        try:
            for record in records:
                self._produce(record)
            for each, group in offsets:
                self._call(self._producer.send_offsets_to_transaction, each, group, CALL_S)
            self._call(self._producer.commit_transaction, CALL_S)
        except Unavailable:
            self._give_up()
            raise

    def _produce(self, record: Outgoing) -> None:
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    record.partition,
                    on_delivery=self._delivered,
                    headers=list(record.headers),
                )
            except BufferError:
                self._producer.poll(0.1)  # the queue is full: the network is the slower one
            except KafkaException as failed:
                raise self._not_taken(failed.args[0]) from failed
            else:
                return

    def _delivered(self, error: KafkaError | None, _: object) -> None:
        if error is not None:
            self._refused = error.name()

    def _call(self, call: Callable[..., Any], *arguments: Any) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                call(*arguments)
            except KafkaException as failed:
                if verdict(failed.args[0]) is not Verdict.RETRY or time.monotonic() > until:
                    raise self._not_taken(failed.args[0]) from failed
                self._producer.poll(0.1)
            else:
                return

    def _give_up(self) -> None:
        try:
            self._producer.abort_transaction(CALL_S)
        except KafkaException as failed:
            LOGGER.warning("left an open transaction: %s", failed.args[0].name())

    def _not_taken(self, error: KafkaError) -> Unavailable:
        if is_refusal(error):
            return refused(error, self._not_done)
        return Unavailable(
            f"the broker did not take the records ({self._refused or error.name()}): {self._not_done}"
        )
