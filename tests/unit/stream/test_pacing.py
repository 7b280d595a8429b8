"""What is folded at a time."""

from __future__ import annotations

import time

import pytest

from processors.pipeline.records import Record
from processors.stream.pacing import BEHIND_S, Appetite, Commits, Slice

RECORDS = [Record("instances", 0, offset, 1, None, b"") for offset in range(5)]


@pytest.mark.parametrize(("slice_s", "end"), [(0.0, 3), (3_600.0, 5)])
def test_a_slice_ends_with_its_time_but_never_without_a_record(slice_s: float, end: int) -> None:
    part = Slice(RECORDS, 2, slice_s)
    assert list(part) == RECORDS[2:end]
    assert part.end == end


def test_as_much_is_polled_as_a_turn_gets_through() -> None:
    appetite = Appetite(1_000, 1_000_000)
    asked = [appetite.records]
    for folded, polled in ((1_000, 1_000), (300, 1_000), (0, 300), (1, 1), (2, 2)):
        appetite.note(folded, RECORDS[:1] * polled)
        asked.append(appetite.records)
    assert asked == [1_000, 1_000, 300, 1, 2, 4]
    for _ in range(9):
        appetite.note(4, RECORDS[:4])
    assert appetite.records == 1_000


def test_no_more_is_polled_than_fits_into_memory() -> None:
    appetite, large = Appetite(1_000, 30_000), RECORDS[0]._replace(value=bytes(10_000))
    appetite.note(9, [large] * 9)
    assert appetite.records == 3
    appetite.note(1, [large._replace(value=bytes(60_000))])
    assert appetite.records == 1
    appetite.note(2, [large, large._replace(value=None)])
    assert appetite.records == 2


def test_a_transaction_is_due_after_its_interval_and_later_while_more_is_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    commits = Commits(0.25, 0.05)
    assert commits.left_s() == 0, "the first record waits for nothing"
    commits.committed()
    assert commits.left_s() == 0.25
    assert commits.patience_s() == 0.05
    now = 100.21
    assert commits.patience_s() == pytest.approx(0.04)
    commits.polled(1_000, 1_000)
    assert commits.left_s() == pytest.approx(BEHIND_S - 0.21)
    now = 100.25
    assert commits.left_s() > 0
    commits.polled(999, 1_000)
    assert commits.left_s() == 0
    assert commits.patience_s() == 0.05
    now = 200.0
    commits.polled(1_000, 1_000)
    assert commits.left_s() == 0, "it ends, however much is waiting"
