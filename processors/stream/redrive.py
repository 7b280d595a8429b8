"""Putting records back, once: they and the mark that they were put back are one transaction.

Rules of this file: the marks, and that they go with the records; which records, and where they belong, is the
caller's.

A mark is the committed offset of a consumer group that has no members, one for each dead letter code:
letters of that code below it were put back. It lives as long as a group's offsets do
(`offsets.retention.minutes` of the broker, a week by default); after that a letter may be put back again,
which the processor takes as a duplicate. Only one redrive of a group runs at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.errors import Unavailable
from processors.stream.broker import ANSWER_S, is_embedded
from processors.stream.client import LOGGER, Config, changelog_config, producer_config
from processors.stream.offsets import told
from processors.stream.portions import Outgoing, Portions


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
            found = told(self._consumer(code).committed(asked, ANSWER_S))
        except KafkaException as failed:
            raise Unavailable(f"the broker does not answer ({failed.args[0].name()}): try again") from failed
        return {each.partition: max(each.offset, 0) for each in found}

    def group_of(self, code: str) -> Any:
        """What a transaction is told that sets the mark."""
        return self._consumer(code).consumer_group_metadata()

    def keep(self, code: str, offsets: list[TopicPartition]) -> None:
        """By a commit of its own, where the cluster has forgotten the transaction's: the demo's."""
        consumer = self._consumer(code)
        try:
            if is_embedded(consumer.list_topics(timeout=ANSWER_S).cluster_id or ""):
                consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as failed:
            raise Unavailable(f"the broker does not answer ({failed.args[0].name()}): try again") from failed

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
        self._portions = Portions(
            producer_config(kafka, f"{group}-redrive"),
            "nothing of this portion was put back; run it again, and only one at a time",
        )

    def put_back(self, records: Iterable[Outgoing], done: Mapping[tuple[str, int], int]) -> None:
        """All or nothing. `done`: (code, partition of the dead letters) → next offset.

        Raises Unavailable when nothing of it was put back.
        """
        offsets = {
            code: [TopicPartition(self._topic, p, n) for (c, p), n in done.items() if c == code]
            for code in sorted({code for code, _ in done})
        }
        marked = [(places, self._marks.group_of(code)) for code, places in offsets.items()]
        self._portions.send(records, marked)
        for code, places in offsets.items():
            self._marks.keep(code, places)
