"""Putting records back, once: they and the mark that they were put back are one transaction.

Rules of this file: one transactional producer and the marks; which records, and where they belong, is the
caller's.

A mark is the committed offset of a consumer group that has no members, one for each dead letter code:
letters of that code below it were put back. It lives as long as a group's offsets do
(`offsets.retention.minutes` of the broker, a week by default); after that a letter may be put back again,
which the processor takes as a duplicate. Only one redrive of a group runs at a time: a second one fences
the first, whose open transaction is then gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from processors.errors import Unavailable
from processors.pipeline.records import Headers
from processors.stream.broker import ANSWER_S
from processors.stream.client import LOGGER, Config, changelog_config, producer_config
from processors.stream.transaction import CALL_S, Verdict, verdict

PATIENCE_S = 60.0
"""How long a call is repeated while the broker says that repeating is right."""


class PutBack(NamedTuple):
    """A record for an input topic. `partition` -1: as the key decides."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Marks:
    """Up to where the letters of a code were put back; reads only. `group`: the processor's."""

    def __init__(
        self, kafka: Mapping[str, str | int | float | bool], group: str, topic: str, partitions: int
    ) -> None:
        self._config = dict(kafka)
        self._group = group
        self._asked = [(topic, number) for number in range(partitions)]
        self._consumers: dict[str, Consumer] = {}

    def of(self, code: str) -> dict[int, int]:
        """Partition of the dead letters → next offset; 0 where none was put back."""
        asked = [TopicPartition(*each) for each in self._asked]
        try:
            found = self._consumer(code).committed(asked, ANSWER_S)
        except KafkaException as failed:
            raise Unavailable(f"the broker does not answer ({failed.args[0].name()}): try again") from failed
        return {each.partition: max(each.offset, 0) for each in found}

    def group_of(self, code: str) -> Any:
        """What a transaction is told that sets the mark."""
        return self._consumer(code).consumer_group_metadata()

    def close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    def _consumer(self, code: str) -> Consumer:
        if code not in self._consumers:
            config: Config = {
                **changelog_config(self._config, self._group),
                "group.id": f"{self._group}-redrive-{code}",
            }
            self._consumers[code] = Consumer(config, logger=LOGGER)
        return self._consumers[code]


class Redrive:
    """From construction on no other redrive of the group can commit, so that marks read now stay true."""

    def __init__(
        self, kafka: Mapping[str, str | int | float | bool], group: str, topic: str, marks: Marks
    ) -> None:
        self._topic = topic
        self._marks = marks
        self._refused = ""
        self._producer = Producer(producer_config(kafka, f"{group}-redrive"), logger=LOGGER)
        self._call(self._producer.init_transactions, CALL_S)

    def put_back(self, records: Iterable[PutBack], done: Mapping[tuple[str, int], int]) -> None:
        """All or nothing. `done`: (code, partition of the dead letters) → next offset.

        Raises Unavailable when nothing of it was put back.
        """
        self._call(self._producer.begin_transaction)
        try:
            for record in records:
                self._produce(record)
            for code in sorted({code for code, _ in done}):
                offsets = [TopicPartition(self._topic, p, n) for (c, p), n in done.items() if c == code]
                self._call(
                    self._producer.send_offsets_to_transaction, offsets, self._marks.group_of(code), CALL_S
                )
            self._call(self._producer.commit_transaction, CALL_S)
        except Unavailable:
            self._give_up()
            raise

    def _produce(self, record: PutBack) -> None:
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
                raise _not_taken(failed.args[0]) from failed
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
                    raise _not_taken(failed.args[0], self._refused) from failed
                self._producer.poll(0.1)
            else:
                return

    def _give_up(self) -> None:
        try:
            self._producer.abort_transaction(CALL_S)
        except KafkaException as failed:
            LOGGER.warning("left an open transaction: %s", failed.args[0].name())


def _not_taken(error: KafkaError, refused: str = "") -> Unavailable:
    return Unavailable(
        f"the broker did not take the records ({refused or error.name()}): nothing of this portion was put "
        "back; run it again, and only one at a time"
    )
