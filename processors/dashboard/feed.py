"""The topics, followed: facts, dead letters and the changelog into figures, in a thread of its own.

Rules of this file: reading and routing; what a figure means is `board`'s and `in_flight`'s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from processors.dashboard.board import Board
from processors.dashboard.in_flight import InFlight
from processors.errors import OperatorError
from processors.operations.dead_letters import letter_of
from processors.operations.facts import revision_of
from processors.pipeline.records import Record
from processors.settings import Settings
from processors.stream.client import group_of
from processors.stream.group_lag import GroupLag
from processors.stream.registries import writers_of
from processors.stream.tail import Tail

POLL_S = 0.2
POLL_RECORDS = 1_000
LAG_S = 5.0
"""Between two questions to the broker how far the group is behind."""

AGAIN_S = 5.0
"""Before the topics are followed anew after the broker went away."""


class Now(NamedTuple):
    """All there is to show; valid while `Feed.figures` holds it."""

    board: Board
    in_flight: InFlight
    lag: dict[str, int] | None
    problem: str


class Feed:
    """Runs from `start` until `close`. `since_ms`: where reading the facts and dead letters begins, None:
    at all.

    `changelog_since_ms`: a series that was last touched before is not seen to wait. `own_lag`: what the
    processor itself says, where it is of this process; asked if the broker does not know.
    """

    def __init__(
        self,
        settings: Settings,
        since_ms: int | None,
        changelog_since_ms: int | None,
        own_lag: Callable[[], dict[str, int]] | None = None,
    ) -> None:
        self._settings = settings
        self._own_lag = own_lag
        topics = settings.topics
        self._topics = (topics.analytics, topics.dead_letters, topics.changelog)
        starts = zip(self._topics, (since_ms, since_ms, changelog_since_ms), strict=True)
        self._since = {topic: at for topic, at in starts if at is not None}
        self._take: dict[str, Callable[[Record], None]] = {
            topics.analytics: self._fact,
            topics.dead_letters: self._letter,
            topics.changelog: self._entry,
        }
        self._board, self._in_flight = Board(), InFlight()
        self._writers = writers_of(settings)
        self._lag: dict[str, int] | None = None
        self._problem = ""
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self.version = 0
        """Grows whenever something is new."""

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def figures(self) -> Iterator[Now]:
        """Held still: the feed waits."""
        with self._lock:
            yield Now(self._board, self._in_flight, self._lag, self._problem)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except OperatorError as failed:
                self._told(str(failed))
                self._stopping.wait(AGAIN_S)

    def _follow(self) -> None:
        settings = self._settings
        inputs = (settings.topics.instances, settings.topics.reports, settings.topics.intake)
        with (
            closing(Tail(settings.kafka, self._topics, self._since)) as tail,
            closing(GroupLag(settings.kafka, group_of(settings.kafka), inputs)) as lag,
        ):
            with self._lock:
                self._board, self._in_flight = Board(), InFlight()
            self._told("")
            asked_at = 0.0
            while not self._stopping.is_set():
                self._read(tail.poll(POLL_RECORDS, POLL_S))
                if time.monotonic() - asked_at > LAG_S:
                    asked_at = time.monotonic()
                    self._ask(lag)

    def _read(self, records: list[Record]) -> None:
        with self._lock:
            for record in records:
                self._take[record.topic](record)
        self.version += bool(records)

    def _fact(self, record: Record) -> None:
        revision = revision_of(record, self._writers)
        if revision is not None:
            self._board.take(revision)

    def _letter(self, record: Record) -> None:
        self._board.put_aside(letter_of(record))

    def _entry(self, record: Record) -> None:
        self._in_flight.take(record)

    def _ask(self, lag: GroupLag) -> None:
        try:
            behind = lag.ask()
            if behind is None and self._own_lag is not None:
                behind = self._own_lag() or None
        except OperatorError as failed:
            behind, problem = None, str(failed)
        else:
            problem = ""
        if (behind, problem) != (self._lag, self._problem):
            self._lag = behind
            self._told(problem)

    def _told(self, problem: str) -> None:
        self._problem = problem
        self.version += 1
