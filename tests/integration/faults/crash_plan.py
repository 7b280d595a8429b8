"""Where a member dies, and what becomes of its state folder: a deck of all combinations, dealt by a seed.

Rules of this file: choices only; the same seed gives the same plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import NamedTuple

from processors.stream.wiring import STEPS_OF_A_BATCH
from tests.integration.faults.state_folder import Fate

AT_ANY_MOMENT = "at any moment"
"""By the clock, so also within a call to the broker or in the middle of a file's write."""

IN_A_BATCH = (
    *STEPS_OF_A_BATCH,
    *(f"produced {role}" for role in ("fhir", "analytics", "dead_letters", "intake", "changelog")),
    "sent_offsets",
    "committing",
    AT_ANY_MOMENT,
)
AT_THE_START = ("assigned", "restoring", "ready")
IN_REBALANCE = "revoked"
IN_SHUTDOWN = "leaving"


class CrashPoint(NamedTuple):
    step: str
    passes: int
    fate: Fate
    moment_s: float
    """From the load to the kill, for AT_ANY_MOMENT."""

    def __str__(self) -> str:
        when = f"after {self.moment_s:.2f} s" if self.step == AT_ANY_MOMENT else f"pass {self.passes}"
        return f"{self.step} ({when}), state {self.fate}"


def deal(seed: int, points: int) -> list[CrashPoint]:
    """Every combination once before any comes again, and every step and fate about equally often."""
    random = Random(seed)
    return [point for point, _ in zip(_deck(random), range(points), strict=False)]


def _deck(random: Random) -> Iterator[CrashPoint]:
    steps = (*IN_A_BATCH, *AT_THE_START, IN_REBALANCE, IN_SHUTDOWN)
    while True:
        left = list(product(steps, Fate))
        while left:
            # A hand of all steps, each with one of the fates that it has left.
            for step in random.sample(steps, len(steps)):
                combination = random.choice([each for each in left if each[0] == step])
                left.remove(combination)
                passes = random.randint(1, 4) if step in IN_A_BATCH else 1
                yield CrashPoint(*combination[:1], passes, combination[1], random.uniform(0, 1.2))
