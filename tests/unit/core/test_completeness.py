"""Clocks as values: when they start, what moves them, which runs out first."""

from __future__ import annotations

import pytest

from processors.core.completeness import Rule, close, move_clock, rule_at_once, rule_by_clock
from processors.core.policy import Completeness
from processors.core.series import SeriesState, arrive
from tests.builders.events import SERIES, arrived, stamp

SITE = Completeness(quiet_ms=10, hard_stop_ms=25)


@pytest.mark.parametrize(
    ("moves", "due_at_ms", "rule"),
    [
        ([(100, True)], 110, Rule.QUIET),
        ([(100, False)], 110, Rule.QUIET),
        ([(100, True), (104, True)], 114, Rule.QUIET),
        ([(100, True), (104, False)], 110, Rule.QUIET),
        ([(104, True), (100, True)], 114, Rule.QUIET),
        ([(100, True), (104, True), (102, True)], 114, Rule.QUIET),
        ([(100, True), (108, True), (115, True)], 125, Rule.QUIET),
        ([(100, True), (108, True), (116, True)], 125, Rule.HARD_STOP),
        ([(116, True), (108, True), (100, True)], 125, Rule.HARD_STOP),
        ([(100, True), (110, True)], 120, Rule.QUIET),
        ([(100, True), (110, True), (118, True), (126, True)], 135, Rule.HARD_STOP),
        ([(100, True), (110, False)], 110, Rule.QUIET),
        ([(100, True), (90, True)], 110, Rule.QUIET),
        ([(100, True), (91, True)], 110, Rule.QUIET),
        ([(116, True), (108, True), (90, True), (118, True)], 128, Rule.QUIET),
    ],
)
def test_which_clock_runs_out_when(moves: list[tuple[int, bool]], due_at_ms: int, rule: Rule) -> None:
    series = SeriesState(SERIES)
    for at_ms, new_instance in moves:
        move_clock(series, at_ms, new_instance, SITE)
    assert (series.due_at_ms, rule_by_clock(series)) == (due_at_ms, rule)
    close(series)
    assert (series.due_at_ms, series.first_ms) == (None, None)
    move_clock(series, 200, True, SITE)
    assert (series.due_at_ms, rule_by_clock(series)) == (210, Rule.QUIET), "it starts anew"


def test_counted_comes_before_completed() -> None:
    series = SeriesState(SERIES)
    arrive(series, arrived())
    assert rule_at_once(series) is Rule.COMPLETED
    series.expect(stamp(1), 1)
    assert rule_at_once(series) is Rule.COUNTED
    arrive(series, arrived("3.2"))
    assert rule_at_once(series) is Rule.COMPLETED
