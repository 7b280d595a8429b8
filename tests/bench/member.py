"""The product's own member in this process, until all that was read is published and committed, or for good.

`python -m tests.bench.member '<json>'`: `config` (settings file), `events`, `profile` (a file, or empty); or
`config` and `worker` (its number): until SIGTERM, with a line when it is ready and at the first record.
"""

from __future__ import annotations

import cProfile
import json
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from processors import settings, telemetry
from processors.pipeline.building import pipeline_of
from processors.pipeline.topology import Pipeline
from processors.stream import runner
from processors.stream.loop import Loop
from tests.bench.processes import BEGAN, READY
from tests.bench.stopwatch import Stopwatch


def main() -> None:
    told: dict[str, Any] = json.loads(sys.argv[1])
    site = settings.load(Path(told["config"]), {})
    telemetry.configure("json", "warning")
    if "worker" in told:
        _serve(site, told["worker"])
    else:
        _measure(site, told)


def _serve(site: settings.Settings, worker: int) -> None:
    began: list[bool] = []

    def steps(step: str) -> None:
        if step == "after_poll" and not began:
            began.append(True)
            _say(BEGAN)

    def watch() -> None:
        while not loop.ready():
            time.sleep(0.01)
        _say(READY)

    loop = Loop(runner.wiring_of(site, worker, steps))
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    runner.calm_collector()
    threading.Thread(target=watch, daemon=True).start()
    loop.run()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _measure(site: settings.Settings, told: dict[str, Any]) -> None:
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
