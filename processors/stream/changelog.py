"""Restore: bring the local stores up to their changelog partitions, in steps, ended by position.

Rules of this file: the form of a changelog record, and reading them back. Writing is part of a transaction
(`transaction`). The value is the store's own, brought up to the format of today; a clock travels in a header.

Where a restore ends is the high watermark as asked *after* the group's committed offsets were known to be
stable: a predecessor whose offsets are visible has written its entries below that mark, decided or not, and a
read_committed reader passes it only when they are decided. Never a count: control records and compaction
leave gaps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from processors.pipeline.records import StateEntry
from processors.stream.client import LOGGER, PARTITION_EOF, Config
from processors.stream.offsets import Offsets
from processors.stream.rights import is_of_no_group
from processors.stream.store import SqliteStore

STEP_RECORDS = 5_000
"""A step stays far below max.poll.interval.ms, so that the member keeps its place in the group."""

STEP_S = 0.05

TOP_UP_WITHIN_MS = 12 * 3600 * 1000
"""A file older than this is read anew: the broker forgets tombstones after delete.retention.ms (a day by
default), and a file that slept through one would keep what is gone."""

DUE = "due_at_ms"
"""Header of a changelog record whose entry has a clock: decimal text."""


def to_record(entry: StateEntry) -> tuple[bytes, bytes | None, list[tuple[str, bytes]] | None]:
    """Key, value and headers of an entry's changelog record."""
    due = entry.due_at_ms
    return entry.key.encode(), entry.value, None if due is None else [(DUE, b"%d" % due)]


def from_record(message: Message) -> StateEntry:
    home, key, headers = message.partition(), message.key(), message.headers()
    assert home is not None
    assert key is not None
    clocks = [value for name, value in headers if name == DUE] if isinstance(headers, list) else []
    return StateEntry(home, key.decode(), message.value(), int(clocks[0] or 0) if clocks else None)


class Restored(NamedTuple):
    """A home that is up to date; `topped_up`: the local file served."""

    home: int
    records: int
    seconds: float
    topped_up: bool


class Restore:
    """Reads several changelog partitions into their stores; call `step` until nothing is `behind`, `close`.

    `upgrade` makes an entry one of today's format. Raises KafkaException when the broker does not answer
    (what was read by then is kept), Unavailable for an entry that nothing can be made of.
    """

    def __init__(
        self,
        config: Config,
        offsets: Offsets,
        topic: str,
        stores: Mapping[int, SqliteStore],
        upgrade: Callable[[StateEntry], StateEntry],
    ) -> None:
        self._topic = topic
        self._upgrade = upgrade
        self._stores = stores
        self._started = time.monotonic()
        self._began_ms = time.time_ns() // 1_000_000
        partitions = [(topic, home) for home in stores]
        first, end = offsets.first(partitions), offsets.end(partitions)
        self._goal = {home: end[topic, home] for home in stores}
        self._reached: dict[int, int] = {}
        self._topped_up: dict[int, bool] = {}
        self._records = dict.fromkeys(stores, 0)
        for home, store in stores.items():
            self._topped_up[home] = _fits(store, first[topic, home], self._goal[home])
            if not self._topped_up[home]:
                store.clear()
            self._reached[home] = max(store.position(), first[topic, home])
        self._behind = {home for home in stores if self._reached[home] < self._goal[home]}
        self._finished = [self._done(home) for home in stores if home not in self._behind]
        self._consumer = Consumer(config, logger=LOGGER) if self._behind else None
        if self._consumer is not None:
            self._consumer.assign([TopicPartition(topic, h, self._reached[h]) for h in sorted(self._behind)])

    def step(self) -> list[Restored]:
        """Read for at most about STEP_S; the homes that became up to date since the last call."""
        if self._consumer is not None and self._behind:
            batches: dict[int, list[StateEntry]] = {}
            for message in self._consumer.consume(STEP_RECORDS, STEP_S):
                self._read(message, batches)
            for home, entries in batches.items():
                self._stores[home].put(entries)
                self._stores[home].commit(self._reached[home], self._began_ms)
                self._records[home] += len(entries)
            for home in sorted(h for h in self._behind if self._reached[h] >= self._goal[h]):
                self._behind.remove(home)
                self._finished.append(self._done(home))
        finished, self._finished = self._finished, []
        return finished

    @property
    def behind(self) -> dict[int, tuple[int, int]]:
        """Home → (next changelog offset, where its restore ends), for those not up to date."""
        return {home: (self._reached[home], self._goal[home]) for home in self._behind}

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _read(self, message: Message, batches: dict[int, list[StateEntry]]) -> None:
        error = message.error()
        if error is not None and error.code() != PARTITION_EOF:
            if not error.retriable() and not is_of_no_group(error):
                raise KafkaException(error)
            return
        home, offset = message.partition(), message.offset()
        assert home is not None
        assert offset is not None
        if error is None:
            batches.setdefault(home, []).append(self._upgrade(from_record(message)))
            self._reached[home] = offset + 1
        else:
            self._reached[home] = max(self._reached[home], offset)

    def _done(self, home: int) -> Restored:
        self._stores[home].commit(self._reached[home])
        seconds = time.monotonic() - self._started
        return Restored(home, self._records[home], seconds, self._topped_up[home])


def _fits(store: SqliteStore, first: int, end: int) -> bool:
    """Whether the file may be topped up: its position is in the log and no tombstone can have been missed."""
    position = store.position()
    if not position or not first <= position <= end:
        return False
    return position == end or time.time_ns() // 1_000_000 - store.as_of_ms() < TOP_UP_WITHIN_MS
