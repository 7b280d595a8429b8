"""What a `read_committed` reader sees of a job's output, checked against the load.

Rules of this file: reading and checking; nothing of how a job works.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import Consumer

from tests.bench.jobs import Job
from tests.bench.load import Load, series_uid
from tests.bench.processes import Processes
from tests.integration.site import Site


class Outlasted(Exception):
    """A job did not end within the patience; the text says how far it came."""


class Seen:
    """What a reader of a job's output has seen of a load, for at most `patience_s`."""

    def __init__(self, site: Site, job: Job, load: Load, patience_s: float) -> None:
        self._patience_s = patience_s
        own = {
            "group.id": f"{site.suffix}-reader",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
        }
        self._consumer = Consumer(site.kafka | own)
        self._consumer.subscribe([job.output(site)])
        self._job, self._load = job, load
        self._wanted = {series_uid(load.first + number) for number in range(load.series)}
        self.whole_at: dict[str, float] = {}
        """Series UID → Unix time."""
        self.early = 0
        self.at = 0.0
        """Monotonic time of the last one."""

    def wait(self, processes: Processes, beat: Callable[[], None] = lambda: None) -> None:
        """Until every series was seen whole. Raises AssertionError if one has too many or a process ends,
        Outlasted.
        """
        until = time.monotonic() + self._patience_s
        while len(self.whole_at) < len(self._wanted):
            processes.check()
            beat()
            if time.monotonic() >= until:
                done = f"{len(self.whole_at)} of {len(self._wanted)} series"
                raise Outlasted(f"given up after {self._patience_s:.0f} s at {done}")
            for message in self._consumer.consume(1_000, 0.02):
                assert message.error() is None
                self._take(message.key() or b"", message.value() or b"")
        self.at = time.monotonic()
        self._consumer.close()

    def _take(self, key: bytes, value: bytes) -> None:
        uid, images = self._job.emitted(key, value)
        if uid not in self._wanted:
            return
        assert images <= self._load.instances, f"{self._job.name}: {uid} has {images}"
        assert uid not in self.whole_at, f"{self._job.name}: {uid} was emitted whole twice"
        if images == self._load.instances:
            self.whole_at[uid] = time.time()
        else:
            self.early += 1
