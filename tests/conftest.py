"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-seed", type=int, help="plan of the fault tests, as a failed one printed it")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A test that runs a command configures the log; its stream is closed when the next test writes to it."""
    yield
    structlog.reset_defaults()
