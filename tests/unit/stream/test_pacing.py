"""What is folded at a time."""

from __future__ import annotations

import pytest

from processors.pipeline.records import Record
from processors.stream.pacing import Appetite, Slice

RECORDS = [Record("instances", 0, offset, 1, None, b"") for offset in range(5)]


@pytest.mark.parametrize(("slice_s", "end"), [(0.0, 3), (3_600.0, 5)])
def test_a_slice_ends_with_its_time_but_never_without_a_record(slice_s: float, end: int) -> None:
    part = Slice(RECORDS, 2, slice_s)
    assert list(part) == RECORDS[2:end]
    assert part.end == end


def test_as_much_is_polled_as_a_turn_gets_through() -> None:
    appetite = Appetite(1_000)
    asked = [appetite.records]
    for folded, polled in ((1_000, 1_000), (300, 1_000), (0, 300), (1, 1), (2, 2)):
        appetite.note(folded, polled)
        asked.append(appetite.records)
    assert asked == [1_000, 1_000, 300, 1, 2, 4]
    for _ in range(9):
        appetite.note(4, 4)
    assert appetite.records == 1_000
