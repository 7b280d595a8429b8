"""When a series is published: counted | completed | quiet | hard_stop, the first rule that holds (CONTRACT 4).

Rules of this file: clocks as values; time always comes in as a parameter, in ms of the input's own clock.
"""

from __future__ import annotations

from enum import StrEnum

from processors.core.policy import Completeness
from processors.core.series import Clock, SeriesState


class Rule(StrEnum):
    COUNTED = "counted"
    COMPLETED = "completed"
    QUIET = "quiet"
    HARD_STOP = "hard_stop"


def move_clock(series: SeriesState, at_ms: int, new_instance: bool, completeness: Completeness) -> None:
    """Something to publish happened at `at_ms`; only a new instance makes a running quiet clock start anew."""
    clock = series.clock
    if clock.first_ms is None:
        first_ms, last_ms = at_ms, at_ms
    elif new_instance:
        first_ms, last_ms = min(clock.first_ms, at_ms), max(clock.last_ms, at_ms)
    else:
        return
    quiet_ms = last_ms + round(completeness.quiet_s * 1000)
    stop_ms = first_ms + round(completeness.hard_stop_s * 1000)
    series.clock = Clock(first_ms, last_ms, stop_ms < quiet_ms)
    series.due_at_ms = min(quiet_ms, stop_ms)
    series.touched = True


def rule_by_clock(series: SeriesState) -> Rule:
    """Which clock runs out first, for a series that waits."""
    return Rule.HARD_STOP if series.clock.hard_stop else Rule.QUIET


def rule_at_once(series: SeriesState) -> Rule:
    """Which rule closes a series that need not wait."""
    return Rule.COUNTED if series.expected_count == series.seen else Rule.COMPLETED


def close(series: SeriesState) -> None:
    """Stop the clocks; the next new instance starts them anew (nothing is ever final)."""
    series.clock = Clock(None, series.clock.last_ms)
    series.due_at_ms = None
    series.touched = True
