"""How many records are waiting to be read, by partition, from librdkafka's own statistics.

Rules of this file: reading statistics; nothing is asked of the broker for it. What was told last is kept for
a page that is served by the same process.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer

from processors import telemetry
from processors.stream.client import LOGGER, STATISTICS_MS, Config
from processors.stream.offsets import Partition

_told: dict[Partition, int] = {}


def consumer_telling_lag(config: Config, read: Callable[[], Mapping[Partition, int]]) -> Consumer:
    """A consumer that tells telemetry its lag when polled; `read`: next offset of each partition."""

    def told(statistics: str) -> None:
        global _told  # noqa: PLW0603  replaced whole: another thread reads it
        _told = lag_of(statistics, read())
        telemetry.lag_read(_told)

    own = {"statistics.interval.ms": STATISTICS_MS, "stats_cb": told}
    return Consumer({**config, **own}, logger=LOGGER)


def lag_of_inputs() -> dict[str, int]:
    """Topic → records, of the partitions that this process reads; empty: nothing was told yet."""
    found: Counter[str] = Counter()
    for (topic, _), records in _told.items():
        found[topic] += records
    return dict(found)


def lag_of(statistics: str, read: Mapping[Partition, int]) -> dict[Partition, int]:
    """Records up to the last stable offset that are not read yet; control records count as one each."""
    topics = json.loads(statistics).get("topics", {})
    found: dict[Partition, int] = {}
    for (topic, partition), position in read.items():
        said = topics.get(topic, {}).get("partitions", {}).get(str(partition), {})
        stable = said.get("ls_offset", -1)
        if stable >= 0:  # librdkafka has heard of the partition
            found[topic, partition] = max(stable - position, 0)
    return found
