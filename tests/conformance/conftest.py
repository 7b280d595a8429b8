"""Marks what is here `conformance`, and leaves it out where its material is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import SHARED


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker("conformance")
    if here and not SHARED.is_dir():
        items[:] = [item for item in items if item not in here]
        config.hook.pytest_deselected(items=here)
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line("tests/conformance is left out: its cases (../shared) are not here")
