"""What the open transaction holds, for the moment it is committed.

Rules of this file: sums, positions and its trace, and telling them; a new value a transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from processors import telemetry
from processors.pipeline.dead_letters import Told, told_by
from processors.pipeline.records import OutputRecord, OutputTopic, Record, Step
from processors.stream.offsets import Partition

if TYPE_CHECKING:
    from processors.stream.tracing import Tracer


class Batch:
    """`tracer`: None where nothing is traced, which then costs nothing."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self._trace = tracer.batch() if tracer is not None else None
        self.moved: dict[Partition, int] = {}
        """Next offset of every partition folded from: what the group commits."""
        self.records = 0
        self.dispositions: Counter[tuple[str, str]] = Counter()
        self.events: Counter[tuple[str, ...]] = Counter()
        self.settled: list[tuple[str, int]] = []
        """(rule, ms) of each series that was closed."""
        self.dead_letters: list[Told] = []

    def read(self, records: Iterable[Record]) -> Iterable[Record]:
        """The same records, which are folded now."""
        return records if self._trace is None else self._trace.read(records)

    def traced(self, outputs: Iterable[OutputRecord]) -> Iterable[OutputRecord]:
        """The same records; where this site traces, those of references carry their own trace context."""
        return outputs if self._trace is None else self._trace.traced(outputs)

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
        if self._trace is not None:
            self._trace.end(self.records)

    def dropped(self, reason: str) -> Batch:
        """It is rolled back: nothing is told but its trace. Returns the next one."""
        if self._trace is not None:
            self._trace.end(self.records, reason)
        return Batch(self._tracer)
