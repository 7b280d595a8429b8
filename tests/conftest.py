"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

settings.load_profile("ci")
"""The same examples every time: what fails with a change must not be chance. Others: `--hypothesis-profile
default`.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-seed", type=int, help="plan of the fault tests, as a failed one printed it")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A test that runs a command configures the log; its stream is closed when the next test writes to it."""
    yield
    structlog.reset_defaults()
