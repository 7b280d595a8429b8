"""Following topics from their first record: what a read_committed reader outside the product sees.

Rules of this file: reading without a group; nothing is committed, nothing is produced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from processors.errors import Unavailable
from processors.pipeline.records import Record
from processors.stream.broker import ANSWER_S
from processors.stream.client import LOGGER, changelog_config
from processors.stream.offsets import told
from processors.stream.rights import is_of_no_group, is_refusal, refused


class Tail:
    """Used by one thread. Raises Unavailable when no broker answers or a topic is missing.

    `since_ms`: of these topics only the records from that time on.
    """

    def __init__(
        self,
        kafka: Mapping[str, str | int | float | bool],
        topics: Iterable[str],
        since_ms: Mapping[str, int] | None = None,
    ) -> None:
        self._consumer = Consumer(changelog_config(kafka, "imaging-reference-tail"), logger=LOGGER)
        partitions = [TopicPartition(topic, number, 0) for topic in topics for number in self._numbers(topic)]
        self._consumer.assign(self._from(partitions, since_ms or {}))

    def _from(self, partitions: list[TopicPartition], since_ms: Mapping[str, int]) -> list[TopicPartition]:
        timed = [
            TopicPartition(p.topic, p.partition, since_ms[p.topic]) for p in partitions if p.topic in since_ms
        ]
        if not timed:
            return partitions
        try:
            found = told(self._consumer.offsets_for_times(timed, ANSWER_S))  # -1: nothing so late, its end
        except KafkaException as failed:
            raise Unavailable(f"the broker does not answer ({failed.args[0].name()})") from failed
        return [each for each in partitions if each.topic not in since_ms] + [*found]

    def _numbers(self, topic: str) -> list[int]:
        try:
            found = self._consumer.list_topics(topic, ANSWER_S).topics[topic]
        except KafkaException as failed:
            raise Unavailable(f"topic {topic}: {failed.args[0].name()}") from failed
        if found.error is not None:
            if is_refusal(found.error):
                raise refused(found.error, f"topic {topic}")
            raise Unavailable(f"topic {topic}: {found.error.name()}")
        return sorted(found.partitions)

    def poll(self, most: int, patience_s: float) -> list[Record]:
        """At most `most` records, of a partition in order; waits at most `patience_s` for them.

        Raises Forbidden where a topic may not be read.
        """
        messages = self._consumer.consume(most, patience_s)
        for message in messages:
            error = message.error()
            if error is not None and is_refusal(error) and not is_of_no_group(error):
                raise refused(error, f"topic {message.topic()}")
        return [record_of(message) for message in messages if message.error() is None]

    def close(self) -> None:
        self._consumer.close()


def record_of(message: Message) -> Record:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    headers = message.headers() or []
    assert isinstance(headers, list)
    said = [(name, value if isinstance(value, bytes) else b"") for name, value in headers]
    return Record(topic, partition, offset, message.timestamp()[1], message.key(), message.value(), said)
