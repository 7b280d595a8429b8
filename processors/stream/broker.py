"""What the broker says of topics: are they there, how many partitions, which ones.

Rules of this file: questions on metadata, answered or Unavailable in one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, TopicDescription  # type: ignore[attr-defined]  # no re-export

from processors.errors import Unavailable
from processors.stream.client import LOGGER, admin_config

ANSWER_S = 10.0
"""A broker that is up answers in milliseconds; the time is for name lookup and TLS."""


class Cluster:
    """Raises Unavailable at once if no broker answers."""

    def __init__(self, kafka: Mapping[str, str | int | float | bool]) -> None:
        self._admin = AdminClient(admin_config(kafka), logger=LOGGER)
        try:
            self.id = str(self._admin.list_topics(timeout=ANSWER_S).cluster_id)
        except KafkaException as failed:
            where = kafka.get("bootstrap.servers", "(kafka.bootstrap.servers is not set)")
            raise Unavailable(f"no broker answers at {where}: {failed.args[0].name()}") from failed

    def layout(self, inputs: Iterable[str], intake: str, changelog: str) -> tuple[int, str]:
        """Partition count of the intake, and the changelog's identity: cluster, topic, topic id, count.

        Inputs may have other counts; the changelog must have the intake's: a home is a partition of both.
        """
        topics = self.describe([*inputs, intake, changelog])
        for name, topic in topics.items():
            if topic is None:
                raise Unavailable(f"topic {name} does not exist: run `imaging-reference topics create`")
        counts = {name: len(topic.partitions) for name, topic in topics.items() if topic is not None}
        if counts[intake] != counts[changelog]:
            raise Unavailable(
                f"{changelog} has {counts[changelog]} partitions, {intake} {counts[intake]}: "
                "they must have the same count"
            )
        description = topics[changelog]
        assert description is not None
        return counts[intake], f"{self.id}/{changelog}/{description.topic_id}/{counts[intake]}"

    def describe(self, names: Iterable[str]) -> dict[str, TopicDescription | None]:
        """Topic name → description, None where there is no such topic."""
        futures = self._admin.describe_topics(TopicCollection(list(names)), request_timeout=ANSWER_S)
        found: dict[str, TopicDescription | None] = {}
        for name, future in futures.items():
            try:
                found[name] = future.result()
            except KafkaException as failed:
                if failed.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise Unavailable(f"topic {name}: {failed.args[0].name()}") from failed
                found[name] = None
        return found
