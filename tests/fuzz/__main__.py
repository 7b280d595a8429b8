"""`python -m tests.fuzz`: options and report.

Rules of this file: what is told to whom; exit code 1 if anything was found.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.mutants import Mutants
from tests.fuzz.processes import Finding, Told, run
from tests.fuzz.trial import Trial


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options().parse_args(arguments)
    seed = time.time_ns() % 1_000_000 if options.seed is None else options.seed
    if options.only is not None:
        return _one(seed, options.only, options.write)
    _say(f"seed {seed}: {options.mutants} mutants from {options.start}, {options.workers} processes")
    tally = _Tally(options.mutants)
    run(seed, range(options.start, options.start + options.mutants), options.workers, tally.take)
    tally.tell()
    return 1 if tally.findings or tally.read != options.mutants else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--seed", type=int, help="default: a new one each time, which is printed")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", type=int, help="read this one mutant here, without limits")
    parser.add_argument("--write", type=Path, help="with --only: its value into this file")
    return parser


class _Tally:
    def __init__(self, mutants: int) -> None:
        self.read = 0
        self.findings: list[Finding] = []
        self._mutants = mutants
        self._dispositions: Counter[tuple[str, str]] = Counter()
        self._slowest_s = 0.0
        self._began = self._said = time.monotonic()

    def take(self, told: Told) -> None:
        self.read += told.read
        self.findings += told.findings
        self._dispositions += told.dispositions
        self._slowest_s = max(self._slowest_s, told.slowest_s)
        for number, problem in told.findings:
            _say(f"mutant {number}: {problem}")
        if time.monotonic() - self._said > 30:
            self._said = time.monotonic()
            _say(
                f"{self.read} of {self._mutants}, {len(self.findings)} findings, "
                f"slowest {self._slowest_s:.2f} s"
            )

    def tell(self) -> None:
        for (outcome, why), number in self._dispositions.most_common():
            _say(f"{number:10} {outcome} {why}")
        took_s = time.monotonic() - self._began
        _say(
            f"{self.read} mutants in {took_s:.0f} s, slowest {self._slowest_s:.2f} s of CPU time, "
            f"{len(self.findings)} findings"
        )


def _one(seed: int, number: int, write: Path | None) -> int:
    mutant = Mutants(seed).make(number)
    _say(
        f"mutant {number} of seed {seed}: {mutant.kind}, {len(mutant.value)} bytes, headers {mutant.headers}"
    )
    if write is not None:
        write.write_bytes(mutant.value)
    trial = Trial()
    problem = trial.finding(mutant, whole=True)
    _say(problem or f"nothing found; {trial.slowest_s:.2f} s of CPU time")
    for (outcome, why), times in trial.dispositions.items():
        _say(f"{times:10} {outcome} {why}")
    return 1 if problem else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
