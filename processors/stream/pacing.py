"""How much is folded at a time, by the clock: what a record costs is known only afterwards.

Rules of this file: time and counts; no Kafka. A record of an image takes microseconds, a report's up to
`documents.time_budget_s`, and one poll may bring thousands of either.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from operator import itemgetter

from processors.pipeline.records import Record

SLICE_S = 0.5
"""Of records folded in one step: neither a commit nor a stop waits much longer."""

BACKOFF_S = (0.1, 0.5, 2.0, 5.0)
"""Before the next try after so many aborted transactions in a row."""

TURNS_A_POLL_INTERVAL = 10
"""The group gives up a member that does not poll for `max.poll.interval.ms`; a turn takes at most one part in
so many, and what its last record and the commit take beyond it."""

_value = itemgetter(Record._fields.index("value"))

BEHIND_S = 0.5
"""A backlog is read in transactions of at least so long: for each the broker is waited for, some ten ms, and
what an entry of state was in between needs no record of the changelog."""


class Slice:
    """Records from `start` on until `slice_s` are over, at least one; `end` is the index after the last."""

    def __init__(self, records: Sequence[Record], start: int, slice_s: float) -> None:
        self._records = records
        self._start = start
        self._slice_s = slice_s
        self.end = start

    def __iter__(self) -> Iterator[Record]:
        now = time.monotonic
        until = now() + self._slice_s
        for end, record in enumerate(self._records[self._start :], self._start + 1):
            self.end = end
            yield record
            if now() >= until:  # each time: the very next one may take ten seconds
                return


class Appetite:
    """How many records to poll: those that a turn got through, of no more than about `most_bytes`, and
    cautiously more again.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self.records = most

    def note(self, folded: int, polled: Sequence[Record]) -> None:
        """Of these, so many were folded before the turn's time was over."""
        size = sum(map(len, filter(None, map(_value, polled))))
        if folded < len(polled):
            self.records = max(1, folded)
        elif size > self._most_bytes:
            self.records = max(1, len(polled) * self._most_bytes // size)
        else:
            self.records = min(self._most, self.records * 2)


class Commits:
    """When a transaction is due: `interval_s` after the last one, BEHIND_S while there is a backlog. So the
    first record after a silence is committed at once, and what comes meanwhile goes together.
    `poll_s`: how long to wait for records at most.
    """

    def __init__(self, interval_s: float, poll_s: float) -> None:
        self._usual_s = self._interval_s = interval_s
        self._poll_s = poll_s
        self._last_at = -math.inf

    def polled(self, records: int, asked: int) -> None:
        """As many as were asked for: more are waiting."""
        self._interval_s = max(self._usual_s, BEHIND_S) if records >= asked else self._usual_s

    def committed(self) -> None:
        self._last_at = time.monotonic()

    def left_s(self) -> float:
        """Until the next one is due, or 0."""
        return max(0.0, self._last_at + self._interval_s - time.monotonic())

    def patience_s(self) -> float:
        """How long to wait for records: not beyond the next transaction."""
        return min(self._poll_s, self.left_s() or self._poll_s)
