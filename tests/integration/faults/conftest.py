"""The seed of all faults: told, or drawn anew for the long run."""

from __future__ import annotations

import random

import pytest

SHORT_RUN = 5
"""Of the runs that come with every change: what fails there must not be chance."""


@pytest.fixture
def fault_seed(request: pytest.FixtureRequest, record_property: pytest.FixtureRequest) -> int:
    """Printed with a failure; `--fault-seed` gives it back."""
    told = request.config.getoption("--fault-seed")
    long_run = request.node.get_closest_marker("nightly") is not None
    seed = int(told) if told is not None else random.randrange(1_000_000) if long_run else SHORT_RUN
    print(f"--fault-seed {seed}")  # noqa: T201 (pytest shows it when the test fails)
    return seed
