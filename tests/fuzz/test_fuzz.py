"""A short run, the same each time, and nightly one of a new seed; and that the harness finds things."""

from __future__ import annotations

import os
import signal
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.mutants import Mutant, Mutants
from tests.fuzz.processes import Finding, Told, run
from tests.fuzz.trial import Trial


@pytest.mark.parametrize(
    "seed", [["--seed", "2026"], pytest.param([], marks=pytest.mark.nightly, id="a new one")]
)
def test_nothing_escapes(capfd: pytest.CaptureFixture[str], seed: list[str]) -> None:
    """Some ten seconds: what fails with a change must not be chance. Any other: `python -m tests.fuzz`."""
    failed = main(["--mutants", "1000", *seed])
    told, warned = capfd.readouterr()
    assert not failed, told + warned


def test_a_mutant_is_made_of_its_seed_and_number_alone() -> None:
    one, other = Mutants(7), Mutants(7)
    assert [one.make(number) for number in range(40)] == [
        other.make(number) for number in reversed(range(40))
    ][::-1]
    assert len({one.make(number).value for number in range(40)}) > 35


@pytest.mark.parametrize("whole", [False, True])
def test_what_must_not_be_is_found(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, mutant = Trial(), Mutant("none", b"{}", None)
    assert trial.finding(mutant, whole) is None
    with monkeypatch.context() as broken:
        broken.setattr("processors.wire.event_fields.decode", lambda value: 1 / 0)
        assert "ZeroDivisionError" in (trial.finding(mutant, whole) or "")
    with monkeypatch.context() as slow:
        slow.setattr("tests.fuzz.trial.CPU_S", -1.0)
        assert "took" in (trial.finding(mutant, whole) or "")
    with monkeypatch.context() as big:
        big.setattr("tests.fuzz.trial.MEMORY_BYTES", 1)
        assert "memory" in (trial.finding(mutant, whole) or "")
    with monkeypatch.context() as telling:
        telling.setattr("tests.fuzz.trial.PATIENT", (b"well-formed",))
        assert "patient" in (trial.finding(Mutant("none", b"{", None), whole) or "")


def dying_at_three(seed: int, numbers: range, at: Any, pipe: Connection) -> None:
    """In a process of its own."""
    for number in numbers:
        at.value = number
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        pipe.send(Told(number, 1, Counter(), 0.0, []))


def test_a_death_is_a_finding_and_the_others_are_still_read() -> None:
    told: list[Told] = []
    run(0, range(6), 2, told.append, dying_at_three)
    assert sorted(each.at for each in told) == list(range(6))
    assert [f for each in told for f in each.findings] == [Finding(3, "the process died: SIGKILL")]
