"""How far a topic goes: the broker's word on offsets, asked in one request for many partitions.

Rules of this file: questions to the broker, no state. Raises KafkaException when it does not answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from processors.stream.client import LOGGER, admin_config

Partition = tuple[str, int]
"""(topic, partition)."""

_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]

ANSWER_S = 5.0
"""A broker that needs longer is taken for down; the caller asks again later."""


class Offsets:
    """Asks over a connection of its own, so that an answer never waits behind a fetch."""

    def __init__(self, kafka: Mapping[str, str | int | float | bool]) -> None:
        self._config = admin_config(kafka)
        self._admin = AdminClient(self._config, logger=LOGGER)

    def first(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Log start: the first offset that retention has left."""
        return self._ask(partitions, _EARLIEST, IsolationLevel.READ_UNCOMMITTED)

    def end(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """High watermark: also beyond records of transactions that are not decided yet."""
        return self._ask(partitions, _LATEST, IsolationLevel.READ_UNCOMMITTED)

    def stable(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Last stable offset: all that a read_committed reader can have read by now (KIP-98)."""
        return self._ask(partitions, _LATEST, IsolationLevel.READ_COMMITTED)

    def _ask(
        self, partitions: Iterable[Partition], which: OffsetSpec, isolation: IsolationLevel
    ) -> dict[Partition, int]:
        wanted = {TopicPartition(topic, partition): which for topic, partition in partitions}
        if not wanted:
            return {}
        futures = self._admin.list_offsets(wanted, isolation_level=isolation, request_timeout=ANSWER_S)
        try:
            return known(
                {(key.topic, key.partition): int(each.result().offset) for key, each in futures.items()}
            )
        except KafkaException:
            # An admin client asks with the leader epoch it first saw, and a restarted broker has a later one;
            # nor does it soon look for who leads after a broker that is gone.
            self._admin = AdminClient(self._config, logger=LOGGER)
            raise


def known(offsets: dict[Partition, int]) -> dict[Partition, int]:
    """Raises KafkaException if one is none: of a partition whose leader is gone librdkafka (2.16) says -1001
    instead of an error. Taken for an offset it would mean that nothing is there, or that all of it is read.
    """
    for (topic, partition), offset in offsets.items():
        if offset < 0:
            raise KafkaException(
                KafkaError(KafkaError.LEADER_NOT_AVAILABLE, f"{topic} [{partition}]: no offset was told")
            )
    return offsets


def told(places: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
    """What a consumer was told of each. Raises KafkaException if of one it was told an error: its offset then
    looks as if there were none.
    """
    for each in places:
        if each.error is not None:
            raise KafkaException(each.error)
    return places
