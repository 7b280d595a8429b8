"""What the open transaction holds, for the moment it is committed.

Rules of this file: sums and positions, and telling them; a new value a transaction.
"""

from __future__ import annotations

from collections import Counter

from processors import telemetry
from processors.pipeline.dead_letters import Told, told_by
from processors.pipeline.records import OutputTopic, Step
from processors.stream.offsets import Partition


class Batch:
    def __init__(self) -> None:
        self.moved: dict[Partition, int] = {}
        """Next offset of every partition folded from: what the group commits."""
        self.records = 0
        self.dispositions: Counter[tuple[str, str]] = Counter()
        self.events: Counter[tuple[str, ...]] = Counter()
        self.settled: list[tuple[str, int]] = []
        """(rule, ms) of each series that was closed."""
        self.dead_letters: list[Told] = []

    def add(self, step: Step, records: int) -> None:
        """A step that folded so many records."""
        self.moved |= step.moved
        self.records += records
        self.dispositions.update(step.dispositions)
        self.events.update(step.events)
        self.settled += step.settled
        self.dead_letters += [
            told_by(output.headers) for output in step.outputs if output.topic is OutputTopic.DEAD_LETTERS
        ]

    def tell(self, commit_s: float) -> None:
        """Once it is committed, never before: what is rolled back is told by the next try."""
        telemetry.transaction_committed(self.records, commit_s)
        telemetry.step_committed(self.dispositions, self.events)
        for rule, settle_ms in self.settled:
            telemetry.series_settled(rule, settle_ms / 1000)
        for told in self.dead_letters:
            telemetry.dead_lettered(*told)
