"""The same job by this project and its peers, on one broker, in rotation; what each published is checked.

*events/s*: from a job's first record to its last series seen by a `read_committed` reader, less the quiet
time where the job's clock makes it wait for that. *CPU*: user and system time of its processes over the same
time, compilation by the JVM included, start-up not. *peak*: resident, of the process's whole life; a JVM
takes up to a quarter of the machine, its default. *early*: series emitted before they were whole, and again
later.
*p50, p99*: from the last instance sent to the series seen, less the quiet time, while events come at half of
the rate that the job just showed.

Rules of this file: runs, their order and their report; how a job is started is `jobs`'.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from tests.bench.inputs import create, fill, producer_to, put, tick
from tests.bench.jobs import QUIET_S, Job, KafkaStreams, Ours, Quix, built_kafka_streams, installed_quix
from tests.bench.load import Form, Load, formed, in_form, numbered
from tests.bench.processes import BEGAN, Processes
from tests.bench.rounds import Rounds
from tests.bench.seen import Outlasted, Seen
from tests.integration.site import ROOT, Site

WARM = 20
"""Series of ten instances that show that a job reads all its partitions before it is timed live."""
LIVE_INSTANCES = 100
TICKS, TICK_MS = 10, 5_000
"""After a backlog: by time, well beyond the end of every session."""


class Ran(NamedTuple):
    rate: float
    """Events/s."""
    cpu_us: float
    """An event."""
    peak_mib: float
    early: int


class Lag(NamedTuple):
    rate: float
    """Events/s that were sent."""
    p50_ms: float
    p99_ms: float


class Field:
    """One broker's inputs and runs. `jobs` by the order in which they take turns; a run that takes longer
    than `patience_s` is given up.
    """

    def __init__(self, bootstrap: str, folder: Path, jobs: Sequence[Job], patience_s: float) -> None:
        self._bootstrap, self._folder, self.jobs, self._patience_s = bootstrap, folder, jobs, patience_s
        self._numbers = count(1)
        self._inputs: dict[tuple[Load, Form], str] = {}
        self._rounds: dict[Load, Rounds] = {}

    def run(self, job: Job, load: Load) -> Ran:
        """A backlog, read as fast as the job can. Raises Outlasted."""
        topic = self._input(load, job.form)
        site = self._site()
        with Processes(job.commands(site, topic), ROOT, site.folder / "log") as processes:
            seen = Seen(site, job, load, self._patience_s)
            seen.wait(processes)
            began = processes.heard[BEGAN]
            cpu_s, took_s = processes.cpu_s() - began.cpu_s, seen.at - began.at
            peak = processes.peak_mib()
        took_s -= QUIET_S if job.wall_clock else 0
        return Ran(load.events / took_s, cpu_s / load.events * 1e6, peak, seen.early)

    def live(self, job: Job, rate: float, seconds: float) -> Lag:
        """Events at a rate, and how late each series is seen."""
        site, topic = self._site(), f"live-{next(self._numbers)}"
        create(self._bootstrap, topic)
        warm = Load(WARM, 10, first=10**6)
        load = Load(max(1, round(rate * seconds / LIVE_INSTANCES)), LIVE_INSTANCES)
        producer = producer_to(self._bootstrap)

        def beat() -> None:
            if job.ticked:
                tick(producer, topic, time.time_ns() // 1_000_000)

        with Processes(job.commands(site, topic), ROOT, site.folder / "log") as processes:
            for _, study, value in numbered(warm):
                put(producer, topic, *in_form(job.form, study, value), time.time_ns() // 1_000_000)
            producer.flush(60)
            Seen(site, job, warm, self._patience_s).wait(processes, beat)
            seen = Seen(site, job, load, self._patience_s)
            told = {
                "bootstrap": self._bootstrap,
                "topic": topic,
                "form": job.form,
                "load": load,
                "rate": rate,
            }
            command = [sys.executable, "-m", "tests.bench.sender", json.dumps(told)]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as sender:
                assert sender.stdout is not None
                seen.wait(processes, beat)
                last_s, reached = json.loads(sender.stdout.read())
        late_ms = [(at - last_s[uid] - QUIET_S) * 1000 for uid, at in seen.whole_at.items()]
        return Lag(
            reached, median(late_ms), quantiles(late_ms, n=100)[98] if len(late_ms) > 1 else late_ms[0]
        )

    def passthrough(self, load: Load) -> Ran:
        taken = self._raw(load).passthrough()
        return Ran(load.events / taken.seconds, taken.cpu_s / load.events * 1e6, taken.peak_mib, 0)

    def _input(self, load: Load, form: Form) -> str:
        """The topic that holds it, filled once."""
        topic = self._inputs.get((load, form))
        if topic is None:
            topic = self._inputs[load, form] = f"backlog-{next(self._numbers)}"
            fill(self._bootstrap, topic, load.events, formed(load, form))
            producer, now_ms = producer_to(self._bootstrap), time.time_ns() // 1_000_000
            if form == "by series":
                for each in range(TICKS):
                    tick(producer, topic, now_ms + each * TICK_MS)
                producer.flush(60)
        return topic

    def _raw(self, load: Load) -> Rounds:
        """With an input of its own, filled once."""
        rounds = self._rounds.get(load)
        if rounds is None:
            name = f"raw-{next(self._numbers)}"
            rounds = self._rounds[load] = Rounds(self._bootstrap, name, load, self._folder)
        return rounds

    def _site(self) -> Site:
        suffix = f"run-{next(self._numbers)}"
        site = Site(self._bootstrap, suffix, self._folder / suffix)
        site.folder.mkdir()
        return site


# ---- the report ------------------------------------------------------------------------------------------


def field_of(bootstrap: str, folder: Path, wanted: Sequence[str], patience_s: float) -> Field:
    """All jobs, or those of `ours`, `kafka-streams`, `quix`; what they need is built first."""
    jobs: list[Job] = []
    if "ours" in wanted:
        jobs += [Ours(1), Ours(2), Ours(1, avro=True)]
    if "kafka-streams" in wanted:
        classes = built_kafka_streams(folder)
        jobs += [KafkaStreams(classes, 1), KafkaStreams(classes, 2)]
    if "quix" in wanted:
        jobs.append(Quix(installed_quix(folder)))
    return Field(bootstrap, folder, jobs, patience_s)


def rotation_lines(field: Field, load: Load, rounds: int, live_s: float) -> Iterator[str]:
    """Each job in turn, so many times, then live: a line a run, then a Markdown table of all."""
    yield f"{load.events} events, {load.series} series of {load.instances}, {rounds} rounds in rotation"
    yield ""
    passed: list[Ran] = []
    ran: dict[Job, list[Ran]] = {job: [] for job in field.jobs}
    outlasted: dict[Job, str] = {}
    for _ in range(rounds):
        passed.append(field.passthrough(load))
        yield f"passthrough: {_figures(passed[-1:])}"
        for job in field.jobs:
            if job not in outlasted:
                try:
                    ran[job].append(field.run(job, load))
                except Outlasted as failed:
                    outlasted[job] = str(failed)
                yield f"{job.name}: {outlasted.get(job) or _figures(ran[job][-1:])}"
    yield ""
    yield "| job | thousand events/s | CPU s a million | peak MiB | early | at events/s | p50 ms | p99 ms |"
    yield "|---|---|---|---|---|---|---|---|"
    yield f"| passthrough | {_figures(passed)} | – | – | – |"
    for job, runs in ran.items():
        if job in outlasted:
            yield f"| {job.name} | {outlasted[job]} | – | – | – | – | – | – |"
            continue
        lag = field.live(job, median(each.rate for each in runs) / 2, live_s) if live_s else None
        late = f"{lag.rate:.0f} | {lag.p50_ms:.0f} | {lag.p99_ms:.0f}" if lag else "– | – | –"
        yield f"| {job.name} | {_figures(runs)} | {late} |"


def growth_lines(field: Field, most: int, events: int) -> Iterator[str]:
    """From ten thousand events to `most`, and `events` in series of 10 to 10,000: events/s and CPU."""
    sizes = [size for size in (10_000, 100_000, 1_000_000) if size < most] + [most]
    by_events = [Load(size // 100, 100) for size in sizes]
    by_instances = [Load(max(1, events // size), size) for size in (10, 100, 1_000, 10_000)]
    yield ""
    yield "| job | events | instances a series | thousand events/s | CPU s a million | peak MiB | early |"
    yield "|---|---|---|---|---|---|---|"
    for load in (*by_events, *by_instances):
        for job in field.jobs:
            try:
                figures = _figures([field.run(job, load)])
            except Outlasted as failed:
                figures = f"{failed} | – | – | –"
            yield f"| {job.name} | {load.events} | {load.instances} | {figures} |"


def _figures(runs: Sequence[Ran]) -> str:
    rates, cpu = [each.rate / 1000 for each in runs], [each.cpu_us for each in runs]
    peak, early = max(each.peak_mib for each in runs), max(each.early for each in runs)
    return f"{_spread(rates)} | {_spread(cpu)} | {peak:.0f} | {early}"


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{median(values):.1f} ({min(values):.1f}–{max(values):.1f})"
