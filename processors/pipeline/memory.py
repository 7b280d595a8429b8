"""The topology over memory: one member that owns every home, with the intake topic as a list.

Rules of this file: the ports in memory bound together, for `assemble`, `replay-diff` and tests; time comes
in. It does what `stream.runner` does with Kafka: a step, its forwards fed back, a commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from processors.pipeline.ports import MemoryStore, StateStore
from processors.pipeline.records import OutputRecord, OutputTopic, Record, Step
from processors.pipeline.topology import Pipeline


class MemoryMember:
    """`build` makes the pipeline (again at every restart); stores outlive it, caches do not.

    `stores`: one for each home, in place of some in memory, which are for small states.
    """

    def __init__(
        self,
        build: Callable[[], Pipeline],
        partitions: int,
        intake_topic: str,
        stores: Sequence[StateStore] = (),
    ) -> None:
        self._build = build
        self._intake_topic = intake_topic
        self.stores: Sequence[StateStore] = stores or [MemoryStore() for _ in range(partitions)]
        self._intake_offsets = [0] * partitions
        self.dispositions: Counter[tuple[str, str]] = Counter()
        self.events: Counter[tuple[str, ...]] = Counter()
        self.consumed = 0
        self.pipeline = self.restart()

    def restart(self) -> Pipeline:
        """As after a crash: a new pipeline over what was committed."""
        self.pipeline = self._build()
        for home, store in enumerate(self.stores):
            store.rollback()
            self.pipeline.assign(home, store)
        return self.pipeline

    def feed(self, records: Sequence[Record], now_ms: int) -> list[OutputRecord]:
        """Process a batch and commit it, then what it forwarded; returns what left on the output topics."""
        outputs: list[OutputRecord] = []
        while records:
            self.consumed += len(records)
            step = self.pipeline.process(records, now_ms)
            records = self._commit(step, outputs, now_ms)
        return outputs

    def abort(self, records: Sequence[Record], now_ms: int) -> None:
        """Process a batch whose transaction then fails: nothing of it may remain."""
        self.pipeline.process(records, now_ms)
        for store in self.stores:
            store.rollback()
        self.pipeline.rolled_back()

    def tick(self, now_ms: int) -> list[OutputRecord]:
        outputs: list[OutputRecord] = []
        outputs += self.feed(self._commit(self.pipeline.tick(now_ms), outputs, now_ms), now_ms)
        return outputs

    def run_out(self, now_ms: int) -> list[OutputRecord]:
        """End of input: every clock runs out, until nothing waits any more."""
        return [output for outputs in self.running_out(now_ms) for output in outputs]

    def running_out(self, now_ms: int) -> Iterator[list[OutputRecord]]:
        """As `run_out`, a step at a time, so that what leaves need not all be held."""
        while self.pipeline.next_due_ms() is not None:
            outputs: list[OutputRecord] = []
            forwarded = self._commit(self.pipeline.run_out(now_ms), outputs, now_ms)
            yield outputs + self.feed(forwarded, now_ms)

    def _commit(self, step: Step, outputs: list[OutputRecord], now_ms: int) -> list[Record]:
        self.dispositions += step.dispositions
        self.events += step.events
        for store in self.stores:
            store.commit(0)
        self.pipeline.committed()
        outputs += [output for output in step.outputs if output.topic is not OutputTopic.INTAKE]
        return [
            self._forwarded(output, now_ms) for output in step.outputs if output.topic is OutputTopic.INTAKE
        ]

    def _forwarded(self, output: OutputRecord, now_ms: int) -> Record:
        offset = self._intake_offsets[output.partition]
        self._intake_offsets[output.partition] += 1
        return Record(
            self._intake_topic, output.partition, offset, now_ms, output.key, output.value, output.headers
        )
