"""The year in small: it is what it says, and the topology closes no series before it has been quiet."""

from __future__ import annotations

from functools import cache

import pytest

from processors.core.completeness import Rule
from tests.bench.arrivals import START_MS, Series, Year
from tests.bench.year import CLOCKS, Lived, detail_lines, live, of_clocks, summary_lines

SEED, SCALE, DAYS = 7, 0.0008, 20


@cache
def lived(quiet_s: float) -> Lived:
    return live(quiet_s, SEED, SCALE, DAYS)


@cache
def truth() -> dict[str, Series]:
    year = Year(SEED, SCALE, DAYS)
    assert sum(map(len, year.days())) == lived(10.0).records
    return year.opened


def test_a_year_is_what_it_says() -> None:
    year = Year(SEED, SCALE, DAYS)
    at_ms, seen = START_MS, set[tuple[str, int]]()
    for arrivals in year.days():
        for arrival in arrivals:
            assert arrival.at_ms >= at_ms
            at_ms = arrival.at_ms
            seen.add((arrival.series.uid, arrival.number))
    images = {series.uid: series.total for series in year.opened.values()}
    assert {uid for uid, _ in seen} == images.keys()
    assert len({each for each in seen if each[1]}) == sum(images.values())


@pytest.mark.parametrize("quiet_s", [5.0, 30.0])
def test_every_series_ends_whole_and_none_is_closed_before_it_was_quiet(quiet_s: float) -> None:
    year = lived(quiet_s)
    assert year.lost == 0
    assert year.written["changelog records"] >= len(truth())
    split = of_clocks(year).split
    assert split
    assert {uid for uid in split if truth()[uid].gap_ms < quiet_s * 1000} == set()
    waits = [wait for (rule, _), each in year.tallies.items() if rule == Rule.QUIET for wait in each.waits_s]
    assert min(waits) >= quiet_s


def test_waiting_longer_saves_revisions_and_costs_time() -> None:
    short, long = of_clocks(lived(5.0)), of_clocks(lived(30.0))
    assert short.avoidable > long.avoidable > 0
    assert short.wait_s(0.5) < long.wait_s(0.5)


def test_the_report_names_every_rule_and_quiet_time() -> None:
    year = lived(5.0)
    rules = {line.split()[0] for line in list(detail_lines(year))[3:]}
    assert {Rule.COUNTED, Rule.QUIET} <= rules
    assert {rule for rule, _ in year.tallies} == rules
    lines = list(summary_lines([year, lived(30.0)], SCALE * DAYS))
    assert lines[0] == "| `quiet_s` | 5 | 30 |"
    assert {line.count("|") for line in lines} == {4}
    assert CLOCKS == (Rule.QUIET, Rule.HARD_STOP)
