"""Processes that read mutants under limits, and the one that watches them.

Rules of this file: limits, deaths and restarts; what is read is `trial`'s business. Python's own limits would
not do: what hangs in a library's C code, or asks for all memory at once, must end, too.
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from tests.fuzz.mutants import Mutants
from tests.fuzz.trial import MEMORY_BYTES, Trial

KILL_CPU_S = 10
"""A reading that takes longer is ended by the kernel (RLIMIT_CPU); from `trial.CPU_S` on it is a finding."""
WHOLE = 5
"""One mutant of so many goes through the whole pipeline, which takes some five times as long."""
CHUNK = 200
"""Mutants between two words to the watching process."""


class Finding(NamedTuple):
    number: int
    problem: str


class Told(NamedTuple):
    """By a child: up to which number it is, and since its last word how many of what."""

    at: int
    read: int
    dispositions: Counter[tuple[str, str]]
    slowest_s: float
    findings: list[Finding]


Serve = Callable[[int, range, Any, Connection], None]
"""What a child does: seed, numbers, where it notes which one it is at, where it sends its words."""


def run(
    seed: int, numbers: range, workers: int, say: Callable[[Told], None], serve: Serve | None = None
) -> None:
    """Read every mutant of `numbers`; `say` is called with each word that comes."""
    context = multiprocessing.get_context("spawn")
    open_: dict[Any, _Child] = {}
    for worker in range(workers):
        child = _Child(context, serve or read_mutants, seed, numbers[worker::workers])
        open_[child.pipe] = child
    while open_:
        for pipe in wait(list(open_)):
            child = open_.pop(pipe)
            for told in child.words():
                say(told)
            following = child.following()
            if following is not None:
                open_[following.pipe] = following


class _Child:
    """One process and what is left of its numbers."""

    def __init__(self, context: Any, serve: Serve, seed: int, numbers: range) -> None:
        self._context, self._serve, self._seed, self._numbers = context, serve, seed, numbers
        self._at = context.Value("q", -1, lock=False)
        self.pipe, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=serve, args=(seed, numbers, self._at, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self._ended = False

    def words(self) -> Iterator[Told]:
        try:
            yield self.pipe.recv()
        except EOFError:
            self._ended = True
            self._process.join()
            if self._process.exitcode:
                yield Told(self._at.value, 1, Counter(), 0.0, [Finding(self._at.value, self._death())])

    def _death(self) -> str:
        code = self._process.exitcode
        name = signal.Signals(-code).name if code < 0 else str(code)
        return f"the process died: {name}" + (f" (over {KILL_CPU_S} s)" if code == -signal.SIGXCPU else "")

    def following(self) -> _Child | None:
        """Itself; after its death one for the numbers that it did not come to, None if it came to all."""
        if not self._ended:
            return self
        left = self._numbers[self._numbers.index(self._at.value) + 1 :] if self._at.value >= 0 else range(0)
        return _Child(self._context, self._serve, self._seed, left) if left else None


def read_mutants(seed: int, numbers: range, at: Any, pipe: Connection) -> None:
    mutants, trial = Mutants(seed), Trial()
    limit = (
        MEMORY_BYTES * 2
    )  # of address space that is written to; what is really used is looked at each time
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    findings: list[Finding] = []
    read = 0
    for number in numbers:
        at.value = number
        mutant = mutants.make(number)
        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + KILL_CPU_S, -1))
        problem = trial.finding(mutant, whole=number % WHOLE == 0)
        read += 1
        if problem is not None:
            findings.append(Finding(number, f"{mutant.kind}: {problem}"))
        grown = problem is not None and problem.startswith("memory")
        if read == CHUNK or problem is not None or number == numbers[-1]:
            pipe.send(Told(number, read, trial.dispositions, trial.slowest_s, findings))
            findings, read, trial.dispositions, trial.slowest_s = [], 0, Counter(), 0.0
        if grown:
            return  # its peak would be held against all that follow
