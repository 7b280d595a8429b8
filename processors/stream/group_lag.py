"""How far a group is behind its input topics, as anyone may ask who is not of the group.

Rules of this file: questions to the broker, no state; nothing is read, nothing is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.errors import Unavailable
from processors.stream.broker import ANSWER_S, Cluster, is_embedded
from processors.stream.client import LOGGER, changelog_config
from processors.stream.offsets import Offsets, Partition, told


class GroupLag:
    """Used by one thread. Raises Unavailable when no broker answers."""

    def __init__(
        self, kafka: Mapping[str, str | int | float | bool], group: str, topics: Iterable[str]
    ) -> None:
        cluster = Cluster(kafka)
        counts = cluster.partitions
        self._tells = not is_embedded(cluster.id)
        self._partitions = [(topic, number) for topic in topics for number in range(counts.get(topic, 0))]
        self._offsets = Offsets(kafka)
        self._consumer = Consumer({**changelog_config(kafka, group), "group.id": group}, logger=LOGGER)

    def ask(self) -> dict[str, int] | None:
        """Topic → offsets from the group's committed to the last stable one; control records count, too.

        None: librdkafka's in-process cluster does not keep what a transaction commits.
        """
        return self._behind(self._offsets.stable) if self._tells else None

    def whole(self) -> int:
        """As `ask`, of all topics, with what open transactions hold: 0 says that there is nothing unread."""
        return sum(self._behind(self._offsets.end).values())

    def ends(self) -> dict[Partition, int]:
        try:
            return self._offsets.end(self._partitions)
        except KafkaException as failed:
            raise _unanswered(failed) from failed

    def has_read(self, goal: dict[Partition, int]) -> bool:
        """Whether the group has committed all up to these ends of former times."""
        return not any(self._behind(lambda _: goal).values())

    def _behind(self, ends: Callable[[Iterable[Partition]], dict[Partition, int]]) -> dict[str, int]:
        asked = [TopicPartition(*partition) for partition in self._partitions]
        try:
            committed = told(self._consumer.committed(asked, ANSWER_S))
            first, end = self._offsets.first(self._partitions), ends(self._partitions)
        except KafkaException as failed:
            raise _unanswered(failed) from failed
        behind = {topic: 0 for topic, _ in self._partitions}
        for each in committed:
            place = (each.topic, each.partition)
            behind[each.topic] += max(0, end[place] - max(each.offset, first[place]))
        return behind

    def close(self) -> None:
        self._consumer.close()


def _unanswered(failed: KafkaException) -> Unavailable:
    return Unavailable(f"the broker does not answer ({failed.args[0].name()})")
