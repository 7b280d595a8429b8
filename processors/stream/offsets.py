"""How far a topic goes: the broker's word on offsets, asked in one request for many partitions.

Rules of this file: questions to the broker, no state. Raises KafkaException when it does not answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
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
            return {(key.topic, key.partition): int(each.result().offset) for key, each in futures.items()}
        except KafkaException:
            # An admin client asks with the leader epoch it first saw, and a restarted broker has a later one.
            self._admin = AdminClient(self._config, logger=LOGGER)
            raise
