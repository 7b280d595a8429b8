"""From librdkafka's messages to records, and how far each partition has been read.

Rules of this file: the hot path of reading, some microseconds a record; no transaction, no topology.
"""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any

from confluent_kafka import Message

from processors import telemetry
from processors.pipeline.records import Headers, Record
from processors.stream.assignment import Assignment
from processors.stream.client import FATAL, OUT_OF_RANGE, PARTITION_EOF
from processors.stream.offsets import Partition
from processors.stream.rights import is_refusal, refused

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError


class PlaceLost(Exception):
    """The consumer is at its end: its static member id was given to another join (KIP-345).

    Mostly that is another process, but a join that timed out and was repeated does the same to itself.
    """


class Reader:
    """Polls the member's consumer; rebalance callbacks run inside `poll`."""

    def __init__(self, consumer: Consumer, assignment: Assignment) -> None:
        self._consumer = consumer
        self._assignment = assignment
        self._gone = False
        """Retention took what would be read next."""
        self.read: dict[Partition, int] = {}
        """Next offset to read, control records passed included; ahead of the committed ones."""

    def poll(self, most: int, patience_s: float) -> list[Record]:
        """At most `most` records, waiting at most `patience_s` for them.

        None of those that came with a rebalance: their partitions may be gone, and if they are not, they are
        read again from the committed offsets. Raises PlaceLost when the group has fenced this consumer,
        Forbidden when the broker refuses this user.
        """
        generation = self._assignment.generation
        messages = self._consumer.consume(most, patience_s)
        if self._assignment.generation != generation:
            for message in messages:
                if (error := message.error()) is not None:
                    self._note(error, None, None, None)
            return []
        good = [message for message in messages if message.error() is None]
        topics, partitions = list(map(Message.topic, good)), list(map(Message.partition, good))
        offsets = list(map(Message.offset, good))
        columns = zip(
            topics,
            partitions,
            offsets,
            [message.timestamp()[1] for message in good],
            map(Message.key, good),
            map(Message.value, good),
            [_headers(said) if (said := message.headers()) else None for message in good],
            strict=True,
        )
        records: list[Record] = list(
            map(tuple.__new__, repeat(Record), columns)
        )  # skips Record's constructor
        last: Any = zip(zip(topics, partitions, strict=True), offsets, strict=True)
        self.read |= {place: offset + 1 for place, offset in dict(last).items()}
        if len(good) < len(messages):
            for message in messages:
                if (error := message.error()) is not None:
                    self._note(error, message.topic(), message.partition(), message.offset())
        if self._gone:
            self._gone = False
            self._assignment.relocate()
            return []  # read again from the committed offsets
        return records

    def ahead(self) -> dict[Partition, int]:
        """Where more was read than is committed; while nothing is being folded, none of that is a record."""
        committed = self._assignment.positions
        return {key: offset for key, offset in self.read.items() if offset > committed.get(key, offset)}

    def rewind(self) -> None:
        """What was read beyond the committed offsets is read again."""
        self._assignment.reread()
        self.read = dict(self._assignment.positions)

    def _note(self, error: KafkaError, topic: str | None, partition: int | None, offset: int | None) -> None:
        code = error.code()
        if code == PARTITION_EOF:
            if topic is not None and partition is not None and offset is not None:
                self.read[topic, partition] = max(offset, self.read.get((topic, partition), offset))
        elif code == OUT_OF_RANGE:
            self._gone = True
        elif error.fatal() or code == FATAL:
            raise PlaceLost(error.name())
        elif is_refusal(error):
            raise refused(error, f"topic {topic}" if topic else "")
        else:
            telemetry.broker_unreachable(error.name())


def _headers(headers: object) -> Headers:
    """A header's value may be null in Kafka; here it is empty then."""
    assert isinstance(headers, list)
    return [(name, value or b"") for name, value in headers]
