"""What the fault tests share: the seed, a broker that may be stopped, time that passes.

Rules of this file: fixtures; what a fault is stands in its test.
"""

from __future__ import annotations

import random

import pytest

from tests.broker import Broker, KRaftBroker

SHORT_RUN = 105
"""Of the runs that come with every change: what fails there must not be chance. Among its 30 crash points are
the three between the changelog and the commit with the state kept, and each fate at least seven times.
"""


@pytest.fixture
def fault_seed(request: pytest.FixtureRequest) -> int:
    """Printed with a failure; `--fault-seed` gives it back."""
    told = request.config.getoption("--fault-seed")
    long_run = request.node.get_closest_marker("nightly") is not None
    seed = int(told) if told is not None else random.randrange(1_000_000) if long_run else SHORT_RUN
    print(f"--fault-seed {seed}")  # noqa: T201 (pytest shows it when the test fails)
    return seed


@pytest.fixture
def own(kafka: Broker) -> KRaftBroker:
    """The broker, if it is ours to stop."""
    if not isinstance(kafka, KRaftBroker):
        pytest.fail("stops the broker: run with a JDK 17 and Maven, without KAFKA_BOOTSTRAP_SERVERS")
    return kafka
