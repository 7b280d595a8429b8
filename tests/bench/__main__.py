"""`python -m tests.bench`: options, rotation, report.

Rules of this file: what is run in which order, and how it is told.
"""

from __future__ import annotations

import argparse
import gc
import pstats
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from processors.stream.runner import calm_collector
from tests.bench.costs import cost_lines
from tests.bench.documents import report_lines
from tests.bench.in_process import cost_us
from tests.bench.load import Load
from tests.bench.peers import field_of, growth_lines, rotation_lines
from tests.bench.restore import restore_lines
from tests.bench.rounds import Rounds
from tests.bench.stopwatch import Taken
from tests.bench.year import QUIET_S, report
from tests.broker import broker

SMALL, LARGE, BIG = 100, 550, 10_000
"""Instances of a series."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options().parse_args(arguments)
    if options.documents:
        _say_all(report_lines(options.rounds))
    elif options.year:
        _say_all(report(options.seed, options.scale, options.quiet))
    else:
        with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as running:
            _on_a_broker(running.bootstrap, Path(folder), options)
    return 0


def _on_a_broker(bootstrap: str, folder: Path, options: argparse.Namespace) -> None:
    if options.peers:
        field = field_of(bootstrap, folder, options.jobs.split(","), options.patience)
        load = Load(max(1, options.events // SMALL), SMALL)
        _say_all(rotation_lines(field, load, options.rounds, options.live))
        if options.growth:
            _say_all(growth_lines(field, options.growth, min(options.growth, options.events)))
    elif options.restore:
        _say_all(cost_lines(min(options.restore, 100_000)))
        _say_all(restore_lines(bootstrap, folder, options.restore))
    else:
        for instances in (SMALL, LARGE):
            _job(bootstrap, instances, options, folder)
        if options.cost_events:
            small, big = (_load_of(options.cost_events, each) for each in (SMALL, BIG))
            _cost_on_kafka(bootstrap, small, big, folder, options.rounds)
            _cost_in_process(small, big, options.rounds)


def _job(bootstrap: str, instances: int, options: argparse.Namespace, folder: Path) -> None:
    """Series of so many instances, a member against the passthrough; the profile is one more run."""
    load = Load(max(1, options.events // instances), instances)
    _say(f"{load.events} events, {load.series} series of {instances}, {options.rounds} rounds in rotation")
    rounds = Rounds(bootstrap, f"load-{instances}", load, folder)
    _throughput(rounds, load, options.rounds)
    if options.profile:
        file = str(folder / "profile")
        rounds.product(file)
        pstats.Stats(file).sort_stats("tottime").print_stats(40)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--events", type=int, default=300_000, help="of the throughput job")
    parser.add_argument("--cost-events", type=int, default=20_000, help="of a cost job; 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="one more run of the member, under cProfile")
    parser.add_argument("--documents", action="store_true", help="reports by kind instead, without a broker")
    peers = parser.add_argument_group("the same job by other engines instead")
    peers.add_argument("--peers", action="store_true")
    peers.add_argument("--jobs", default="ours,kafka-streams,quix", help="which of them")
    peers.add_argument("--live", type=float, default=15, help="seconds at half load for p50 and p99; 0: none")
    peers.add_argument("--growth", type=int, default=0, help="most events of the growth runs; 0: none")
    peers.add_argument("--patience", type=float, default=900, help="seconds until a run is given up")
    year = parser.add_argument_group("a hospital's year instead, without a broker")
    year.add_argument("--year", action="store_true")
    year.add_argument("--scale", type=float, default=0.01, help="share of the year's studies, up to 1")
    year.add_argument("--quiet", type=_numbers, default=QUIET_S, help="quiet times, as 5,10,20")
    year.add_argument("--seed", type=int, default=1)
    costs = parser.add_argument_group("what an instance costs to keep instead")
    costs.add_argument("--restore", type=int, default=0, help="instances of the state that is restored")
    return parser


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(map(float, text.split(",")))


def _load_of(events: int, instances: int) -> Load:
    """One series after the other, so that only their size differs."""
    return Load(max(1, events // instances), instances, at_once=1)


def _throughput(rounds: Rounds, load: Load, times: int) -> None:
    passed, made = [], []
    for _ in range(times):
        passed.append(rounds.passthrough())
        made.append(rounds.product())
    ratios = [theirs.seconds / ours.seconds for theirs, ours in zip(passed, made, strict=True)]
    for name, runs in (("passthrough", passed), ("run", made)):
        _say_runs(name, runs, load)
    _say(f"run : passthrough      {_spread(ratios, '.2f')} of its events/s")


def _cost_on_kafka(bootstrap: str, small: Load, big: Load, folder: Path, times: int) -> None:
    both = [(Rounds(bootstrap, f"of-{load.instances}", load, folder), load) for load in (small, big)]
    runs = [[rounds.product() for rounds, _ in both] for _ in range(times)]
    pairs = [
        [taken.cpu_s / load.events * 1e6 for taken, (_, load) in zip(run, both, strict=True)] for run in runs
    ]
    _say_cost("run", pairs)


def _cost_in_process(small: Load, big: Load, times: int) -> None:
    calm_collector()
    cost_us(Load(1, 1))  # what is imported late
    _say_cost("in process", [[cost_us(small), cost_us(big)] for _ in range(times)])
    gc.unfreeze()  # who calls this may want to know what refers to what


def _say_cost(name: str, pairs: Sequence[Sequence[float]]) -> None:
    for place, instances in enumerate((SMALL, BIG)):
        costs = [pair[place] for pair in pairs]
        _say(f"{name}: CPU µs per instance of a series of {instances:6}   {_spread(costs, '.1f')}")
    _say(f"{name}: big : small   {_spread([big / small for small, big in pairs], '.2f')}")


def _say_runs(name: str, runs: Sequence[Taken], load: Load) -> None:
    rates = [load.events / taken.seconds / 1000 for taken in runs]
    cpu = [taken.cpu_s / load.events * 1e6 for taken in runs]
    peak = max(taken.peak_mib for taken in runs)
    _say(
        f"{name:12} {_spread(rates, '.1f')} thousand events/s; "
        f"CPU s per million {_spread(cpu, '.1f')}; peak {peak:.0f} MiB"
    )


def _spread(values: Sequence[float], form: str) -> str:
    return f"{median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def _say_all(lines: Iterable[str]) -> None:
    for line in lines:
        _say(line)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
