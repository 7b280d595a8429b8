"""What librdkafka is told: one place for every client property the guarantees rest on.

Rules of this file: configuration dictionaries only, no clients. The operator's `[kafka]` section is passed
through as it is (TLS, SASL, brokers); what correctness depends on is set after it and cannot be overridden.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from confluent_kafka import KafkaError

Config = dict[str, str | int | float | bool]

LOGGER = logging.getLogger("librdkafka")
"""librdkafka's own log lines: brokers, sockets and groups, never records."""

PARTITION_EOF: int = KafkaError._PARTITION_EOF  # noqa: SLF001 (librdkafka's local codes are public names)
OUT_OF_RANGE: int = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001
FATAL: int = KafkaError._FATAL  # noqa: SLF001
FENCED: int = KafkaError._FENCED  # noqa: SLF001

GROUP = "imaging-reference"
"""Consumer group where `kafka.group.id` is not set."""

CLIENT_BYTES = 18 * 1024 * 1024
"""Above the dead-letter topic's 17 MiB, so that the broker and not the client refuses first."""

TRANSACTION_TIMEOUT_MS = 60_000
"""Longer than any batch takes; shorter, and a slow disk fences us; longer, and a dead member's open
transaction hides later records from readers for that time."""

SESSION_TIMEOUT_MS = 20_000
"""How long a dead member keeps its partitions; a restart in this time gets them back without a rebalance."""

MAX_POLL_INTERVAL_MS = 300_000
"""librdkafka's default: without a poll for so long, the group takes a member's partitions away."""

FETCH_WAIT_MS = 100
"""The end of a partition is reported at most so late, and with it the wall clock may close a series."""

READ_AHEAD = 10_000
"""Records of a partition to have at hand: some batches. More only takes memory."""

READ_AHEAD_KIB = 32 * 1024
"""At hand of all partitions together, and beyond it whatever was on its way: half a second's work."""

READ_AHEAD_PAUSE_MS = 10
"""Until a partition that has enough at hand is asked for more. What is at hand does not last for a second,
librdkafka's default."""


METADATA_REFRESH_MS = 30_000
"""How soon partitions that are added to the inputs are noticed: until then nobody reads what is put there,
and no clock waits for it. librdkafka's default is five minutes."""


def group_of(kafka: Mapping[str, str | int | float | bool]) -> str:
    """The consumer group of the members; what belongs to it is named after it."""
    return str(kafka.get("group.id") or GROUP)


def consumer_config(kafka: Mapping[str, str | int | float | bool], group: str, member: str) -> Config:
    """A group member with static membership (KIP-345), offsets in our own transactions (KIP-447)."""
    defaults: Config = {
        "session.timeout.ms": SESSION_TIMEOUT_MS,
        "max.poll.interval.ms": MAX_POLL_INTERVAL_MS,
        "fetch.wait.max.ms": FETCH_WAIT_MS,
        "queued.min.messages": READ_AHEAD,
        "queued.max.messages.kbytes": READ_AHEAD_KIB,
        "fetch.queue.backoff.ms": READ_AHEAD_PAUSE_MS,
        "topic.metadata.refresh.interval.ms": METADATA_REFRESH_MS,
    }
    fixed: Config = {
        "group.id": group,
        "group.instance.id": member,
        "partition.assignment.strategy": "range",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",  # places are always given; one that is gone is lost input, and is told
        "isolation.level": "read_committed",
    }
    return defaults | _without(_PRODUCER_ONLY, kafka) | fixed


def changelog_config(kafka: Mapping[str, str | int | float | bool], group: str) -> Config:
    """A reader of assigned partitions that never joins a group; `group` only names it to the broker."""
    own: Config = {
        "group.id": f"{group}-restore",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 10,  # a top-up ends with the word that nothing follows: do not wait for it
        "fetch.queue.backoff.ms": READ_AHEAD_PAUSE_MS,
    }
    return _without((*_CONSUMER_ONLY, *_PRODUCER_ONLY), kafka) | own


def producer_config(kafka: Mapping[str, str | int | float | bool], transactional_id: str = "") -> Config:
    """Murmur2 partitioning, as every Java producer does: the home of a study depends on it (DESIGN 6)."""
    defaults: Config = {
        "compression.type": "lz4",
        "linger.ms": 20,
        "queue.buffering.max.messages": 500_000,
    }
    fixed: Config = {
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "message.max.bytes": CLIENT_BYTES,
    }
    if transactional_id:
        fixed["transactional.id"] = transactional_id
        defaults["transaction.timeout.ms"] = TRANSACTION_TIMEOUT_MS
    return defaults | _without(_CONSUMER_ONLY, kafka) | fixed


def admin_config(kafka: Mapping[str, str | int | float | bool]) -> Config:
    return _without((*_CONSUMER_ONLY, *_PRODUCER_ONLY), kafka)


STATISTICS_MS = 5_000
"""Between two readings of the lag, which Prometheus asks for every 15 s or so."""

_CONSUMER_ONLY = ("group.", "session.", "heartbeat.", "max.poll.", "fetch.", "queued.", "auto.offset.")
_PRODUCER_ONLY = ("transaction", "linger.", "batch.", "compression.", "queue.buffering.", "delivery.")


def _without(prefixes: tuple[str, ...], kafka: Mapping[str, str | int | float | bool]) -> Config:
    """Without what the other kind of client understands, so that librdkafka does not warn of it."""
    return {name: value for name, value in kafka.items() if not name.startswith(prefixes)}
