"""The product's own member in this process, until all that was read is published and committed.

`python -m tests.bench.member '<json>'`: `config` (settings file), `events`, `profile` (a file, or empty).
"""

from __future__ import annotations

import cProfile
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from processors import settings, telemetry
from processors.pipeline.building import pipeline_of
from processors.pipeline.topology import Pipeline
from processors.stream import runner
from processors.stream.loop import Loop
from tests.bench.stopwatch import Stopwatch


def main() -> None:
    told: dict[str, Any] = json.loads(sys.argv[1])
    site = settings.load(Path(told["config"]), {})
    telemetry.configure("json", "warning")
    stopwatch, built = Stopwatch(), []

    def build(partitions: int) -> Pipeline:
        built.append(pipeline_of(site, partitions))
        return built[0]

    def steps(step: str) -> None:
        if step == "after_poll":
            stopwatch.start()
        elif step == "after_commit" and loop.records:
            stopwatch.lap()
        elif step == "after_store_commit" and all_read() and built[0].next_due_ms() is None:
            loop.stop()

    def all_read() -> bool:
        return bool(loop.records + loop._batch.records == told["events"])

    loop = Loop(replace(runner.wiring_of(site, 0, steps), build=build))
    runner.calm_collector()
    if told["profile"]:
        profile = cProfile.Profile()
        profile.runcall(loop.run)
        profile.dump_stats(told["profile"])
    else:
        loop.run()
    stopwatch.tell()


if __name__ == "__main__":
    main()
