"""What an instance costs to keep: bytes of state while its series is open and once it is closed; on topics.

*store* is the file of `stream.store`; *live* what compaction leaves of the changelog (keys and values,
without Kafka's framing and compression); *written* all that went to it until then.

UIDs decide: counted ones are compressed to almost nothing, random ones hardly; real ones lie between.

Rules of this file: sizes, no times; the load is that of the other benches.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from processors.pipeline.building import pipeline_of
from processors.pipeline.records import Record, Step
from processors.pipeline.topology import Pipeline
from processors.settings import Settings
from processors.stream.store import SqliteStore
from tests.bench.in_process import BATCH, START_MS
from tests.bench.load import Load, events


class Kept(NamedTuple):
    """Bytes an instance."""

    store: float
    live: float
    written: float


class _Home:
    """One home over a real store, and the changelog as it would be."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "home.sqlite"
        self._pipeline: Pipeline = pipeline_of(Settings(), 1)
        self._live: dict[str, int] = {}
        self._written = 0
        self._open()

    def take(self, records: list[Record]) -> None:
        for start in range(0, len(records), BATCH):
            self._keep(self._pipeline.process(records[start : start + BATCH], START_MS))

    def run_out(self) -> None:
        while self._pipeline.next_due_ms() is not None:
            self._keep(self._pipeline.run_out(START_MS))

    def kept(self, instances: int) -> Kept:
        """By now; the file is closed for it, and opened again."""
        self._pipeline.revoke(0)
        self._store.close()
        size = self._path.stat().st_size
        self._open()
        return Kept(size / instances, sum(self._live.values()) / instances, self._written / instances)

    def close(self) -> None:
        self._store.close()

    def _open(self) -> None:
        self._store = SqliteStore(self._path, "bench")
        self._pipeline.assign(0, self._store)

    def _keep(self, step: Step) -> None:
        for entry in step.entries:
            size = len(entry.key) + len(entry.value or b"")
            self._written += size
            if entry.value is None:
                self._live.pop(entry.key, None)
            else:
                self._live[entry.key] = size
        self._store.commit(self._written)
        self._pipeline.committed()


def kept(load: Load) -> tuple[Kept, Kept]:
    """While all series are open, and once all are closed; all come at the same time, so that none closes."""
    records = [
        Record("instances", 0, number, START_MS, None, value)
        for number, (_, value) in enumerate(events(load))
    ]
    with tempfile.TemporaryDirectory() as folder:
        home = _Home(Path(folder))
        home.take(records)
        while_open = home.kept(load.events)
        home.run_out()
        closed = home.kept(load.events)
        home.close()
    return while_open, closed


def cost_lines(total: int) -> Iterator[str]:
    """A Markdown table by the size of a series; `total`: instances of each row."""
    yield f"bytes an instance, {total} instances a row"
    yield "| UIDs | instances a series | open: store | live | written | closed: store | live | written |"
    yield "|---|---|---|---|---|---|---|---|"
    for uids, is_random in (("counted", False), ("random", True)):
        for size in (10, 100, 1_000, 10_000):
            rows = kept(Load(max(1, total // size), size, random_uids=is_random))
            yield f"| {uids} | {size} | " + " | ".join(f"{each:.0f}" for row in rows for each in row) + " |"


def topic_line(logs: Path, what: str, topic: str, instances: int) -> str:
    """What a broker's folder holds of a topic, compressed, before compaction."""
    size = sum(path.stat().st_size for path in logs.glob(f"{topic}-*/*.log"))
    return f"{what}: {size / instances:.0f} bytes an instance on the broker's disk"
