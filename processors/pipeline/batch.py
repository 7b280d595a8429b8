"""What one step gathers while its records are folded.

Rules of this file: bookkeeping of a step. Positions and the reading clock are noted once a run of records of
one partition, and the commonest outcome is one number: all are on the way of every record.
"""

from __future__ import annotations

from processors.core.events import Document, Stamp
from processors.core.instances import NEVER
from processors.core.study import APPLIED, Disposition, Effect, Place
from processors.pipeline.evaluation import Work
from processors.pipeline.homes import Home
from processors.pipeline.records import Record, Step

_NOWHERE: Place = ("", -1)

SKEW_MS = 60_000
"""A broker's clock may be ahead of this machine's by so much; a record further ahead has no usable time."""


class Batch:
    __slots__ = (
        "arrived",
        "changes",
        "high_ms",
        "now_ms",
        "offset",
        "place",
        "plain",
        "reader",
        "step",
        "waiting",
        "works",
    )

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.step = Step()
        self.works: dict[str, Work] = {}
        """By study UID."""
        self.arrived: list[tuple[Record, Work, Document, Disposition]] = []
        """Documents, whose disposition evaluation decides."""
        self.changes: dict[Home, dict[str, tuple[Stamp, int]]] = {}
        """Home → prior study of changed UIDs → the latest of their stamps and input times, ms."""
        self.waiting: list[Record] = []
        """Of arrivals that are not folded yet, all of this place."""
        self.plain = 0
        """Records that were applied and had nothing else to say."""
        self.place = _NOWHERE
        self.offset = 0
        """Of the record at hand."""
        self.reader: Home | None = None
        """The home that the partition being read feeds."""
        self.high_ms = NEVER
        """Highest usable timestamp of the run of records being read."""

    def turn(self, place: Place, reader: Home | None) -> None:
        """Records of another partition follow."""
        self._note_reading()
        if self.place is not _NOWHERE:
            self.step.moved[self.place] = self.offset + 1
        self.place, self.reader, self.high_ms = place, reader, NEVER

    def end(self) -> None:
        """No records follow."""
        self.turn(_NOWHERE, None)
        if self.plain:
            self.step.dispositions[APPLIED] += self.plain

    def end_as(self, effect: Effect) -> None:
        """A record ended so."""
        self.step.dispositions[effect.disposition] += 1
        self.warn(effect)

    def warn(self, effect: Effect) -> None:
        for warning in effect.warnings:
            self.step.events["warning", warning] += 1

    def time_of(self, timestamp_ms: int, occurred_at_us: int) -> int:
        """The record's time; -1, 0 and the future count as the event's own, at most now (CONTRACT 4)."""
        if 0 < timestamp_ms <= self.now_ms:
            return timestamp_ms
        return min(occurred_at_us // 1000, self.now_ms)

    def is_odd(self, timestamp_ms: int) -> bool:
        """Whether a record's time is none: a warning, unlike a few seconds ahead of this machine."""
        return timestamp_ms <= 0 or timestamp_ms > self.now_ms + SKEW_MS

    def clock_ms(self) -> int:
        """The reading home's clock, this partition's last record included."""
        self._note_reading()
        return self.reader.clock.now_ms(self.now_ms) if self.reader else NEVER

    def _note_reading(self) -> None:
        if self.reader is not None and self.high_ms != NEVER:
            self.reader.clock.read(self.place, self.high_ms)
