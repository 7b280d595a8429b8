"""Figures from facts alone."""

from typing import Any

import pytest

from processors.dashboard import board
from processors.dashboard.board import BIN_S, BINS, Board
from processors.dashboard.charts import bars, stacked_bars
from processors.operations.facts import Revision

START_S = 1_700_000_000


def revision(reference: str, number: int = 1, at_s: float = START_S, **more: Any) -> Revision:
    fact = {
        "reference_id": reference,
        "revision": number,
        "published_at": round(at_s * 1e6),
        "kind": "series",
        "modality": "CT",
        "status": "available",
        "instance_count": 3,
        "added": 1,
        "closed_by": "quiet",
        "settle_ms": 1_500,
        "sources": ["CT1"],
        "study_instance_uid": "1.2",
        "duplicates": 0,
        "warnings": [],
    }
    return Revision("published" if number == 1 else "revised", fact | more)


def filled(*revisions: Revision) -> Board:
    made = Board()
    for each in revisions:
        made.take(each)
    return made


def test_a_late_revision_is_one_that_adds_to_what_was_closed() -> None:
    again: dict[str, Any] = {"number": 2, "duplicates": 5, "warnings": ["tz_absent", "bad_vr"]}
    first = revision("a", duplicates=2, warnings=["tz_absent"])
    assert filled(first, revision("a", **again)).late == 1
    assert filled(first, revision("a", **again, added=0)).late == 0
    assert filled(first, revision("a", **again, closed_by=None, settle_ms=None)).late == 0
    made = filled(first, revision("a", **again), revision("b", duplicates=1))
    assert (made.duplicates, dict(made.warnings)) == (6, {"tz_absent": 1, "bad_vr": 1})
    assert (len(made.latest), dict(made.changes)) == (2, {"published": 2, "revised": 1})


def test_settle_times_fall_into_their_bars() -> None:
    made = filled(*(revision(str(ms), settle_ms=ms) for ms in (0, 500, 501, 300_000, 300_001)))
    assert made.settle == [2, 1, 0, 0, 0, 0, 0, 1, 1]
    assert made.median_settle_s == 0.501
    assert made.rules == {"quiet": 5}


def test_the_rate_is_of_the_last_bins() -> None:
    made = filled(*(revision(str(n), at_s=START_S + n * BIN_S) for n in range(5 * BINS)))
    rate = made.rate(round((START_S + 5 * BINS * BIN_S - 1) * 1000))
    assert [age_s for age_s, _ in rate] == [n * BIN_S for n in reversed(range(BINS))]
    assert [dict(counts) for _, counts in rate] == [{("series", "CT"): 1}] * BINS
    assert len(made.bins) <= 2 * BINS + 1
    assert made.kinds["series", "CT"] == 5 * BINS


def test_old_references_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "REMEMBERED", 2)
    assert list(filled(*map(revision, "abac")).latest) == ["a", "c"]


def test_charts_hold_no_script_no_style_and_no_markup_of_names() -> None:
    hostile = '<script>alert("x")</script>'
    drawn = stacked_bars(["a", hostile], {hostile: [1, 2], "b": [0, 1]}, every=1, width=300)
    assert drawn.startswith("<svg ")
    for text in (drawn, bars(["a"], [1], width=100)):
        assert not any(each in text for each in ("<script", "style=", "<style", " id=", "<!--"))
    assert "&lt;script&gt;" in drawn
    assert drawn.count('class="bar"') == 3, "a bar of no height is left out"
