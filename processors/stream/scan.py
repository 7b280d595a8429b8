"""Reading topics as far as they go now: for questions that are answered once.

Rules of this file: assigned partitions, no group, nothing produced; ended by position, never by a count or a
silence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Self, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.errors import Unavailable
from processors.pipeline.records import Record
from processors.stream.broker import ANSWER_S, Cluster, is_embedded
from processors.stream.client import LOGGER, PARTITION_EOF, READ_AHEAD, changelog_config
from processors.stream.offsets import Offsets, Partition, told
from processors.stream.rights import READ, is_of_no_group, is_refusal, refused
from processors.stream.tail import record_of

Span = tuple[int, int]
"""First offset, and the one after the last."""

_Answer = TypeVar("_Answer")

BATCH = 5_000
PAUSE_S = 0.1
"""Between two tries, so that a broker in trouble is not hammered."""

SILENCE_S = 30.0
"""A broker that sends nothing for so long, though there is more, is taken for down."""


class Scan:
    """Used by one thread; a context manager. Raises Unavailable when no broker answers or a topic is
    missing, Forbidden where it may not be read.
    """

    def __init__(self, kafka: Mapping[str, str | int | float | bool]) -> None:
        self._cluster = cluster = Cluster(kafka)
        self._knows_times = not is_embedded(cluster.id)
        self.partitions = cluster.partitions
        """Topic → partition count."""
        self._offsets = Offsets(kafka)
        config = changelog_config(kafka, "imaging-reference-scan") | {"queued.min.messages": READ_AHEAD}
        self._consumer = Consumer(config, logger=LOGGER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def extent(self, topics: Iterable[str], since_ms: int | None = None) -> dict[Partition, Span]:
        """What a read_committed reader can see by now; `since_ms`: of records from that time on."""
        topics = list(topics)
        self._cluster.demand(dict.fromkeys(topics, frozenset({READ})))
        wanted = [(topic, number) for topic in topics for number in range(self._count(topic))]
        first, end = answer(lambda: (self._offsets.first(wanted), self._offsets.stable(wanted)))
        if since_ms is not None and self._knows_times:
            asked = [TopicPartition(*partition, since_ms) for partition in wanted]
            for found in answer(lambda: told(self._consumer.offsets_for_times(asked, ANSWER_S))):
                place = (found.topic, found.partition)
                first[place] = found.offset if found.offset >= 0 else end[place]
        return {partition: (first[partition], end[partition]) for partition in wanted}

    def read(self, spans: Mapping[Partition, Span]) -> Iterator[Record]:
        """The records of these spans, of a partition in order; offsets may have gaps."""
        left = {partition: end for partition, (first, end) in spans.items() if first < end}
        places = [TopicPartition(*partition, spans[partition][0]) for partition in left]
        self._consumer.assign(places)
        self._consumer.resume(places)  # those that were read before are still paused
        heard_at = time.monotonic()
        while left:
            messages = self._consumer.consume(BATCH, 0.2)
            for message in messages:
                topic, number, offset, error = (
                    message.topic(),
                    message.partition(),
                    message.offset(),
                    message.error(),
                )
                if is_of_no_group(error):
                    continue
                if topic is None or number is None or offset is None:
                    raise _unavailable(KafkaException(error))
                place = (topic, number)
                end = left.get(place)
                if end is None or (error is not None and error.retriable()):
                    continue
                if error is not None and error.code() != PARTITION_EOF:
                    raise _unavailable(KafkaException(error))
                if error is None and offset < end:
                    yield record_of(message)
                if offset >= end - 1 or error is not None:
                    del left[place]
                    self._consumer.pause([TopicPartition(topic, number)])
            # What whoever iterates did meanwhile is no silence.
            heard_at = time.monotonic() if messages else heard_at
            if left and time.monotonic() - heard_at > SILENCE_S:
                raise Unavailable(f"the broker sent nothing for {SILENCE_S:.0f} s: try again")

    def _count(self, topic: str) -> int:
        if topic not in self.partitions:
            raise Unavailable(f"topic {topic} does not exist: run `imaging-reference topics create`")
        return self.partitions[topic]


def answer(question: Callable[[], _Answer]) -> _Answer:
    """Asked again for a while, unless this user may not ask: a topic just made has no leader yet, nor
    has a group whose coordinator moves. (librdkafka says `retriable` of transactions only.)
    """
    until = time.monotonic() + ANSWER_S
    while True:
        try:
            return question()
        except KafkaException as failed:
            if is_refusal(failed.args[0]) or time.monotonic() > until:
                raise _unavailable(failed) from failed
            time.sleep(PAUSE_S)


def _unavailable(failed: KafkaException) -> Unavailable:
    if is_refusal(failed.args[0]):
        return refused(failed.args[0])
    return Unavailable(f"the broker does not answer ({failed.args[0].name()}): try again")
