"""What tests/golden expects is what was published, resource for resource."""

from __future__ import annotations

import json

import pytest

from tests.builders.goldens import GOLDENS
from tests.conformance import SHARED


@pytest.mark.parametrize("name", GOLDENS)
def test_expected_resources_are_the_published_ones(name: str) -> None:
    published = json.loads((SHARED / "goldens" / f"G{int(name[1:]):02}.json").read_text("utf-8"))
    assert GOLDENS[name]().expected == published["expected"]
