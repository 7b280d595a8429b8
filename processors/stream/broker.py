"""What the broker says of topics: are they there, how many partitions, which ones.

Rules of this file: questions on metadata, answered or Unavailable in one line.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ClusterMetadata

from processors import telemetry
from processors.errors import Forbidden, SettingsError, Unavailable
from processors.stream.client import LOGGER, admin_config
from processors.stream.rights import Needs, demand

ANSWER_S = 10.0
"""A broker that is up answers in milliseconds; the time is for name lookup and TLS."""

TRY_S = 1.0

DOOR = {
    KafkaError._AUTHENTICATION: "the broker does not let this user in: check kafka.sasl.username, "  # noqa: SLF001
    "kafka.sasl.password and kafka.sasl.mechanism",
    KafkaError._SSL: "no TLS connection: check kafka.ssl.ca.location and that the broker's certificate "  # noqa: SLF001
    "is for this name",
}
"""What librdkafka reports of a broker that answers and does not let us in, and what to do."""

UNKNOWN = "?"
"""In place of an answer that did not come."""


def is_embedded(cluster_id: str) -> bool:
    """Whether it is librdkafka's in-process cluster, of this process or another: it has no topic ids and no
    DescribeTopics, looks for no times, and forgets the offsets that a transaction commits.
    """
    return cluster_id.startswith("mockCluster")


def admin_of(
    kafka: Mapping[str, str | int | float | bool], own: Mapping[str, Any] | None = None
) -> AdminClient:
    """A client that has asked nobody yet; `own`: where the site says nothing else. Raises SettingsError
    without a broker's name, or for a property librdkafka does not know.
    """
    if not kafka.get("bootstrap.servers"):
        raise SettingsError("kafka.bootstrap.servers is not set: name a broker, as `localhost:9092`")
    try:
        return AdminClient({**(own or {}), **admin_config(kafka)}, logger=LOGGER)
    except KafkaException as failed:
        raise SettingsError(f"[kafka]: {failed.args[0].str()}") from failed


class Cluster:
    """Raises SettingsError for a property librdkafka does not know, Unavailable if no broker answers."""

    def __init__(self, kafka: Mapping[str, str | int | float | bool]) -> None:
        self._heard: list[KafkaError] = []
        self.admin = admin_of(kafka, {"log_level": 0, "error_cb": self._heard.append})  # told by `_reached`
        self._where = str(kafka["bootstrap.servers"])
        self._config = admin_config(kafka)
        metadata = self._reached()
        self.id = str(metadata.cluster_id)
        self.partitions = _counts(metadata)
        """Topic → partition count, of every topic that is there."""

    def _reached(self) -> ClusterMetadata:
        """What a broker answers. A wrong password or certificate is told at once: it stays wrong."""
        until = time.monotonic() + ANSWER_S
        while True:
            try:
                return self.admin.list_topics(timeout=min(TRY_S, ANSWER_S))
            except KafkaException as failed:
                self.admin.poll(0)  # librdkafka tells of each broker's trouble only now
                refusal = next((each for each in self._heard if each.code() in DOOR), None)
                if refusal is not None:
                    raise Forbidden(f"{self._where}: {DOOR[refusal.code()]} ({_reason(refusal)})") from failed
                if time.monotonic() > until:
                    raise Unavailable(
                        f"no broker answers at {self._where} ({failed.args[0].name()}): "
                        "check kafka.bootstrap.servers and kafka.security.protocol"
                    ) from failed

    def demand(self, topics: Needs, group: str = "") -> None:
        """As `rights.demand`; librdkafka's in-process cluster knows no rights."""
        if not is_embedded(self.id):
            # By a client of its own: one that knows a coordinator asks it on after the broker was restarted.
            demand(AdminClient(self._config, logger=LOGGER), topics, group)

    def await_topics(self, names: Iterable[str]) -> None:
        """Wait until the broker shows what its controller has made, which is a moment later."""
        wanted, until = set(names), time.monotonic() + ANSWER_S
        while not wanted <= self.partitions.keys():
            if time.monotonic() > until:
                raise Unavailable("the broker does not show the topics it was told to make")
            self.partitions = _counts(self.admin.list_topics(timeout=ANSWER_S))

    def holder(self, group: str, member: str) -> str:
        """Id of the join that has a static member's place in the group now; empty: nobody has; UNKNOWN while
        the coordinator does not answer.
        """
        asked = self.admin.describe_consumer_groups([group], request_timeout=ANSWER_S)
        try:
            members = asked[group].result().members
        except KafkaException as failed:
            telemetry.broker_unreachable(failed.args[0].name())
            # For five minutes this one asks the coordinator that it knows, also when another one took over.
            self.admin = AdminClient({"log_level": 0, **self._config}, logger=LOGGER)
            return UNKNOWN
        return next((str(each.member_id) for each in members if each.group_instance_id == member), "")

    def refuse_members(self, group: str) -> None:
        """Raises Unavailable while anybody is in the group, or may be."""
        asked = self.admin.describe_consumer_groups([group], request_timeout=ANSWER_S)
        try:
            members = len(asked[group].result().members)
        except KafkaException as failed:
            if failed.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return
            raise Unavailable(f"group {group} cannot be described: {failed.args[0].name()}") from failed
        if members:
            raise Unavailable(
                f"group {group} has {members} members: stop them all first; one that was killed or has just "
                "stopped may count until its session.timeout.ms is over"
            )

    def layout(self, inputs: Iterable[str], intake: str, changelog: str) -> tuple[int, str]:
        """Partition count of the intake, and the changelog's identity: cluster, topic, topic id, count.

        Inputs may have other counts; the changelog must have the intake's: a home is a partition of both.
        """
        counts = self.partitions
        for name in (*inputs, intake, changelog):
            if name not in counts:
                raise Unavailable(f"topic {name} does not exist: run `imaging-reference topics create`")
        if counts[intake] != counts[changelog]:
            raise Unavailable(
                f"{changelog} has {counts[changelog]} partitions, {intake} {counts[intake]}: "
                "they must have the same count"
            )
        return counts[intake], f"{self.id}/{changelog}/{self._topic_id(changelog)}/{counts[intake]}"

    def _topic_id(self, name: str) -> str:
        """Tells a topic from one of the same name made after it was deleted (KIP-516)."""
        if is_embedded(self.id):
            return ""
        try:
            asked = self.admin.describe_topics(TopicCollection([name]), request_timeout=ANSWER_S)
            return str(asked[name].result().topic_id)
        except KafkaException as failed:
            raise Unavailable(f"topic {name} cannot be described: {failed.args[0].str()}") from failed


def _counts(metadata: ClusterMetadata) -> dict[str, int]:
    return {name: len(topic.partitions) for name, topic in metadata.topics.items() if topic.partitions}


def _reason(error: KafkaError) -> str:
    """Of `broker: what: why (how long it took)` the what and the why."""
    return re.sub(r"^\S+: | \(after .*?\)$", "", error.str())
