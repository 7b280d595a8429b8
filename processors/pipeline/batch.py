"""What one step gathers while its records are folded.

Rules of this file: bookkeeping of a step. The reading clock is noted once a run of records of one partition,
and outcomes are counted in a plain dictionary: both are on the way of every record.
"""

from __future__ import annotations

from processors.core.events import Document
from processors.core.series import NEVER
from processors.core.study import Disposition, Place
from processors.pipeline.evaluation import Work
from processors.pipeline.homes import Home
from processors.pipeline.records import Record, Step

_NOWHERE: Place = ("", -1)


class Batch:
    __slots__ = ("arrived", "ended", "high_ms", "now_ms", "place", "reader", "step", "works")

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.step = Step()
        self.works: dict[str, Work] = {}
        """By study UID."""
        self.arrived: list[tuple[Record, Work, Document, Disposition]] = []
        """Documents, whose disposition evaluation decides."""
        self.ended: dict[Disposition, int] = {}
        self.place = _NOWHERE
        self.reader: Home | None = None
        """The home that the partition being read feeds."""
        self.high_ms = NEVER
        """Highest usable timestamp of the run of records being read."""

    def turn(self, place: Place, reader: Home | None) -> None:
        """Records of another partition follow."""
        self._note_reading()
        self.place, self.reader, self.high_ms = place, reader, NEVER

    def end(self) -> None:
        """No records follow."""
        self.turn(_NOWHERE, None)
        self.step.dispositions.update(self.ended)

    def time_of(self, timestamp_ms: int, occurred_at_us: int) -> int:
        """The record's time; -1, 0 and the future count as the event's own, at most now (CONTRACT 4)."""
        if not 0 < timestamp_ms <= self.now_ms:
            timestamp_ms = min(occurred_at_us // 1000, self.now_ms)
        self.high_ms = max(self.high_ms, timestamp_ms)
        return timestamp_ms

    def clock_ms(self) -> int:
        """The reading home's clock, this partition's last record included."""
        self._note_reading()
        return self.reader.clock.now_ms(self.now_ms) if self.reader else NEVER

    def _note_reading(self) -> None:
        if self.reader is not None and self.high_ms != NEVER:
            self.reader.clock.read(self.place, self.high_ms)
