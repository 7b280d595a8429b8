"""How long a member takes to be ready again, with its folder and without; what a load leaves on the topics.

Its UIDs are random: the most there can be to keep.

Rules of this file: one member, started again and again; the load is that of the other benches.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.costs import topic_line
from tests.bench.inputs import fill
from tests.bench.jobs import Ours
from tests.bench.load import Load, formed
from tests.bench.processes import READY, Processes
from tests.bench.rounds import PATIENCE_S
from tests.bench.seen import Seen
from tests.integration.site import ROOT, Site

INPUT = "restore-input"


def restore_lines(bootstrap: str, folder: Path, instances: int) -> Iterator[str]:
    """`folder`: the broker's own, too, if it is ours."""
    job, load = Ours(1), Load(max(1, instances // 100), 100, random_uids=True)
    site = Site(bootstrap, "restore", folder / "restore")
    site.folder.mkdir()
    fill(bootstrap, INPUT, load.events, formed(load, job.form))
    commands, log = job.commands(site, INPUT), site.folder / "log"
    with Processes(commands, ROOT, log) as processes:
        Seen(site, job, load, PATIENCE_S).wait(processes)
        yield f"{load.events} instances of {load.series} series, peak {processes.peak_mib():.0f} MiB"
    yield _ready(commands, log, "with its folder")
    shutil.rmtree(site.settings.state.dir)
    yield _ready(commands, log, "without a folder")
    if (folder / "logs").is_dir():
        topics = {"input": INPUT, **{role: site.topic(role) for role in ("changelog", "fhir", "analytics")}}
        for what, topic in topics.items():
            yield topic_line(folder / "logs", what, topic, load.events)


def _ready(commands: list[list[str]], log: Path, how: str) -> str:
    with Processes(commands, ROOT, log) as processes:
        until = time.monotonic() + PATIENCE_S
        while READY not in processes.heard:
            processes.check()
            assert time.monotonic() < until, "not ready"
            time.sleep(0.01)
        took_s = processes.heard[READY].at - processes.started_at
        used = f"CPU {processes.cpu_s():.1f} s, peak {processes.peak_mib():.0f} MiB"
        return f"ready {how}: {took_s:.1f} s after its start, {used}"
