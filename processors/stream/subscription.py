"""Reading one output topic as a member of a group of its own: for sinks, which commit what they have brought.

Rules of this file: the consumer of a sink; no meaning of records.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.errors import Unavailable
from processors.pipeline.records import Record
from processors.stream.broker import Cluster
from processors.stream.client import LOGGER, consumer_config
from processors.stream.rights import READ, is_refusal, refused
from processors.stream.tail import record_of

_STATIC = "group.instance.id"


class Subscription:
    """Used by one thread. Records of aborted transactions are not seen.

    Raises Unavailable without broker or topic, Forbidden without the rights to read.
    """

    def __init__(self, kafka: Mapping[str, str | int | float | bool], group: str, topic: str) -> None:
        Cluster(kafka).demand({topic: frozenset({READ})}, group)
        config = consumer_config(kafka, group, "sink")
        del config[_STATIC]  # several sinks may share the work, and none has state to come back to
        config |= {"enable.partition.eof": False, "auto.offset.reset": "earliest"}
        self._consumer = Consumer(config, logger=LOGGER)
        self._next: dict[int, int] = {}
        self._moved = False
        moved = self._rebalanced
        self._consumer.subscribe([topic], on_assign=moved, on_revoke=moved, on_lost=moved)
        self._topic = topic

    def poll(self, most: int, patience_s: float) -> list[Record]:
        """Of a partition in order; those of the poll before count as done with."""
        self._next.clear()
        records: list[Record] = []
        for message in self._consumer.consume(most, patience_s):
            if (error := message.error()) is not None:
                if is_refusal(error):
                    raise refused(error, f"topic {self._topic}")
                if error.fatal() or error.name() == "UNKNOWN_TOPIC_OR_PART":
                    raise Unavailable(f"topic {self._topic}: {error.name()}")
                continue
            record = record_of(message)
            records.append(record)
            self._next[record.partition] = record.offset + 1
        return records

    def commit(self) -> None:
        """What was polled last; a member that lost its partitions commits nothing: others read them."""
        with suppress(KafkaException):
            self._consumer.commit(offsets=self._places(), asynchronous=False)

    def still_held(self) -> bool:
        """Tell the group that this member lives, without reading on; False: partitions came or went, and what
        was polled last is polled again by whoever holds them now.
        """
        held = self._consumer.assignment()
        self._moved = False
        self._consumer.pause(held)
        if any(message.error() is None for message in self._consumer.consume(1, 0.1)):
            raise Unavailable(f"topic {self._topic}: a paused partition was read; start anew")
        if not self._moved:
            self._consumer.resume(held)
        return not self._moved

    def _rebalanced(self, *_: object) -> None:
        self._moved = True

    def _places(self) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition, offset) for partition, offset in self._next.items()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()
