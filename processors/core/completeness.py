"""When a series is published: counted | completed | quiet | hard_stop, the first that holds (CONTRACT 4).

Rules of this file: clocks as values; time always comes in as a parameter, in ms of the input's own clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from processors.core.policy import Completeness
from processors.core.series import SeriesState


class Rule(StrEnum):
    COUNTED = "counted"
    COMPLETED = "completed"
    QUIET = "quiet"
    HARD_STOP = "hard_stop"


def move_clock(series: SeriesState, at_ms: int, new_instance: bool, completeness: Completeness) -> None:
    """Something to publish happened at `at_ms`; only a new instance restarts a running quiet clock.

    A series is still open after its quiet time only where a backlog's clock lags; then the burst read last
    counts, with a hard stop of its own, and what came before it is published along with it.
    """
    first_ms, quiet_ms = series.first_ms, completeness.quiet_ms
    if first_ms is None or (new_instance and at_ms >= series.last_ms + quiet_ms):
        series.first_ms = first_ms = series.last_ms = at_ms
    elif not new_instance or first_ms - quiet_ms >= at_ms or first_ms <= at_ms <= series.last_ms:
        return
    elif at_ms < first_ms:
        series.first_ms = first_ms = at_ms
    else:
        series.last_ms = at_ms
    _set_due(series, first_ms, completeness)


def move_clock_along(series: SeriesState, times_ms: Sequence[int], completeness: Completeness) -> None:
    """New instances came at these times, each not before the last one nor a quiet time after it."""
    move_clock(series, times_ms[0], True, completeness)
    if series.first_ms is not None and series.last_ms == times_ms[0]:
        series.last_ms = times_ms[-1]
        _set_due(series, series.first_ms, completeness)
    else:  # it goes on from what is known already
        for at_ms in times_ms[1:]:
            move_clock(series, at_ms, True, completeness)


def _set_due(series: SeriesState, first_ms: int, completeness: Completeness) -> None:
    quiet_at_ms = series.last_ms + completeness.quiet_ms
    stop_at_ms = first_ms + completeness.hard_stop_ms
    series.hard_stop = stop_at_ms < quiet_at_ms
    series.due_at_ms = stop_at_ms if series.hard_stop else quiet_at_ms
    series.touched = True


def rule_by_clock(series: SeriesState) -> Rule:
    """Which clock runs out first, for a series that waits."""
    return Rule.HARD_STOP if series.hard_stop else Rule.QUIET


def rule_at_once(series: SeriesState) -> Rule:
    """Which rule closes a series that need not wait."""
    return Rule.COUNTED if series.expected_count == series.seen else Rule.COMPLETED


def close(series: SeriesState) -> None:
    """Stop the clocks; the next new instance starts them anew (nothing is ever final)."""
    series.first_ms = series.due_at_ms = None
    series.touched = True
