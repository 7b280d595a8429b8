"""The times that `replay-diff` is told.

Rules of this file: texts in, milliseconds out; what is replayed is `tests/unit/operations`'.
"""

from __future__ import annotations

import click
import pytest

from processors.cli.replay_diff import _Instant


@pytest.mark.parametrize(
    ("told", "ms"),
    [
        ("1970-01-02", 86_400_000),
        ("1970-01-01T02:00:00+01:00", 3_600_000),
        ("1969-12-31T23:59:59.999", 0),
        ("0001-01-01T00:00:00+14:00", 0),
    ],
)
def test_a_time_is_counted_from_1970_and_never_below(told: str, ms: int) -> None:
    assert _Instant().convert(told, None, None) == ms


def test_what_is_no_time_is_named() -> None:
    with pytest.raises(click.BadParameter, match="yesterday is no time"):
        _Instant().convert("yesterday", None, None)
