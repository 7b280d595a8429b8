"""What an instance costs without Kafka: the whole topology over the real store, in CPU time.

Rules of this file: no broker, hence less noise than `rounds`; the same load.
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path

from processors.pipeline.building import pipeline_of
from processors.pipeline.records import OutputTopic, Record, Step
from processors.settings import Settings
from processors.stream.store import SqliteStore
from tests.bench.load import EVENTS_A_SECOND, Load, events

START_MS = 1_710_148_500_000
BATCH = 5_000


def cost_us(load: Load) -> float:
    """CPU microseconds an instance, from its record to the published reference and the committed store."""
    records = [
        Record("instances", 0, number, START_MS + number * 1000 // EVENTS_A_SECOND, None, value)
        for number, (_, value) in enumerate(events(load))
    ]
    end_ms = records[-1].timestamp_ms
    pipeline, published = pipeline_of(Settings(), 1), 0
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "home.sqlite", "bench")
        pipeline.assign(0, store)
        gc.collect()
        began = time.process_time()
        for start in range(0, len(records), BATCH):
            published += _published(pipeline.process(records[start : start + BATCH], end_ms))
            published += _published(pipeline.tick(end_ms))
            store.commit(start)
            pipeline.committed()
        while pipeline.next_due_ms() is not None:
            published += _published(pipeline.run_out(end_ms))
            store.commit(load.events)
            pipeline.committed()
        took = time.process_time() - began
        store.close()
    assert published == load.series
    return took / load.events * 1e6


def _published(step: Step) -> int:
    return sum(output.topic is OutputTopic.FHIR for output in step.outputs)
