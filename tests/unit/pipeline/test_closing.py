"""When a series is published: the four rules, their overrides, backlogs and strange timestamps."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest

from processors.core.policy import Completeness, CompletenessOverride, Policy
from processors.pipeline.partitioning import home_of
from tests.unit.pipeline.site import (
    INSTANCES,
    LIMITS,
    PARTITIONS,
    REPORTS,
    START_MS,
    STUDY,
    Site,
    event,
    facts,
    image,
    numbers,
    resources,
)

HOME = home_of(STUDY, PARTITIONS)
NEIGHBOUR = next(uid for n in range(2, 99) if home_of(uid := f"2.999.{n}", PARTITIONS) == HOME)
"""A study of the same home."""


def closed(site: Site) -> list[tuple[str, int]]:
    return [(fact["closed_by"], fact["instance_count"]) for fact in facts(site.outputs)]


def test_quiet() -> None:
    site = Site()
    site.send(image(1))
    assert site.wait(9) == []
    site.send(image(2))
    assert site.wait(9.999) == []
    site.wait(0.001)
    assert closed(site) == [("quiet", 2)]
    (fact,) = facts(site.outputs)
    assert (fact["settle_ms"], fact["expected_instances"]) == (10_000, None)


@pytest.mark.parametrize("counts", [(3, None, None), (None, None, 3), (5, 4, 3)])
def test_counted(counts: tuple[int | None, ...]) -> None:
    site = Site()
    for number, count in enumerate(counts, 1):
        assert closed(site) == []
        site.send(image(number, f"10:00:0{number}", count))
    assert closed(site) == [("counted", 3)]
    assert site.wait(3600) == [], "its clock is stopped"


def test_counted_is_exactly_that_many() -> None:
    site = Site()
    site.send(image(1, expected=1), image(2))
    assert closed(site) == [("counted", 2)], "one batch, one revision"
    site = Site()
    site.send(image(1, expected=1))
    site.send(image(2))
    assert closed(site) == [("counted", 1)]
    site.wait(10)
    assert closed(site) == [("counted", 1), ("quiet", 2)]


@pytest.mark.parametrize(("expected", "rule"), [(None, "completed"), (2, "counted"), (1, "completed")])
def test_completed(expected: int | None, rule: str) -> None:
    site = Site()
    site.send(image(1), image(2))
    site.send(event("series.completed", at="10:01:00", expected=expected))
    assert closed(site) == [(rule, 2)]


def test_a_completion_with_fewer_seen_than_expected_waits_for_the_rest() -> None:
    site = Site()
    site.send(event("series.completed", expected=2), image(1))
    assert closed(site) == []
    site.send(image(2))
    assert closed(site) == [("counted", 2)]


LATE = (image(2), image(3), event("series.completed", at="10:01:00", expected=4))


@pytest.mark.parametrize("order", list(permutations(LATE)))
def test_a_completion_that_announces_more_lets_late_images_wait_for_a_rule(order: tuple[bytes, ...]) -> None:
    site = Site()
    site.send(image(1))
    site.wait(3600)
    for value in order:
        site.send(value)
        assert closed(site) == [("quiet", 1)], "3 of 4 were seen"
        site.wait(1)
    site.send(image(4))
    assert closed(site) == [("quiet", 1), ("counted", 4)]


@pytest.mark.parametrize("order", list(permutations(LATE)))
def test_late_images_that_are_not_all_that_was_announced_wait_their_quiet_time(
    order: tuple[bytes, ...],
) -> None:
    site = Site()
    site.send(image(1))
    site.wait(3600)
    site.send(*order)
    site.wait(9.999)
    assert closed(site) == [("quiet", 1)]
    site.wait(0.001)
    assert closed(site) == [("quiet", 1), ("quiet", 3)]


def test_a_completion_that_announces_more_takes_back_that_a_list_is_complete() -> None:
    """Nothing waits: what it changes by itself is said at once."""
    site = Site(Policy(series_instances="omit_when_complete"))
    site.send(image(1), event("series.completed"))
    assert ["instance" in each for each in resources(site.outputs)] == [False]
    site.send(event("series.completed", at="10:01:00", expected=2))
    assert ["instance" in each for each in resources(site.outputs)] == [False, True]


def test_a_completion_of_a_series_without_images_closes_nothing() -> None:
    site = Site()
    site.send(event("series.completed"))
    assert site.wait(3600) == []
    site.send(image(1))
    site.wait(10)
    assert closed(site) == [("quiet", 1)], "it was complete before; what comes after waits its time"


def test_hard_stop() -> None:
    site = Site()
    for number in range(1, 32):
        site.send(image(number))
        site.wait(9.99)
    site.wait(0.3)
    assert closed(site) == [("hard_stop", 31)], "300 s after the first that was not published"


def test_a_late_instance_opens_it_again() -> None:
    site = Site()
    site.send(image(1))
    site.wait(3600)
    site.send(image(2))
    assert site.wait(9) == []
    site.wait(1)
    assert [(f["revision"], f["added"], f["removed"]) for f in facts(site.outputs)] == [(1, 1, 0), (2, 1, 0)]
    assert numbers(site.outputs) == [[1], [1, 2]]


def test_repetitions_start_no_quiet_time() -> None:
    site = Site()
    site.send(image(1))
    site.wait(6)
    site.send(image(1), image(1, "10:05:00"))
    assert numbers(site.wait(4)) == [[1]]


@pytest.mark.parametrize(
    ("source", "modality", "after_s"),
    [("PACS_A", "CT", 10), ("PACS_B", "CT", 2), ("PACS_B", "US", 60), ("PACS_A", "US", 60)],
)
def test_sources_and_modalities_may_have_clocks_of_their_own(
    source: str, modality: str, after_s: int
) -> None:
    policy = Policy(
        overrides=(
            CompletenessOverride("PACS_B", "", Completeness.of_seconds(2, 60)),
            CompletenessOverride("", "US", Completeness.of_seconds(60, 600)),
        )
    )
    site = Site(policy)
    site.send(image(1, source=source, modality=modality))
    assert site.wait(after_s - 0.001) == []
    site.wait(0.001)
    assert closed(site) == [("quiet", 1)]


def test_no_more_is_closed_at_a_time_than_fits_into_memory() -> None:
    site = Site(limits=LIMITS._replace(closing_instances=3))
    for study in (f"2.999.{n}" for n in range(5)):
        images = (image(n, study_instance_uid=study, series_instance_uid=f"{study}.1") for n in (1, 2))
        site.feed(*(site.record(each, study=study) for each in images))
    assert [len(resources(site.wait(at_s))) for at_s in (10, 0, 0, 0)] == [2, 2, 1, 0]


# ---- backlogs --------------------------------------------------------------------------------------------


def backlog(site: Site, *seconds: float, topic: str = INSTANCES, first: int = 1) -> None:
    """One batch: instances that came so many seconds after the start."""
    records = [
        site.record(image(number), topic=topic, timestamp_ms=START_MS + round(at_s * 1000))
        for number, at_s in enumerate(seconds, first)
    ]
    site.feed(*records)


def test_an_hour_read_in_a_moment_closes_as_it_would_have() -> None:
    site = Site()
    site.now_ms += 3_600_000
    backlog(site, 0, 5, 14, 1000, 1009, 3000)
    site.wait(0)
    assert numbers(site.outputs) == [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]
    assert closed(site) == [("quiet", 3), ("quiet", 5), ("quiet", 6)]


def test_the_end_of_a_backlog_waits_as_if_it_had_come_now() -> None:
    site = Site()
    site.now_ms += 3_600_000
    backlog(site, 0, 3595)
    assert numbers(site.outputs) == [[1]]
    assert site.wait(4.999) == []
    assert numbers(site.wait(0.001)) == [[1, 2]]


def test_no_clock_runs_out_while_another_input_of_the_home_lags() -> None:
    site = Site()
    site.now_ms += 3_600_000
    site.behind = {(REPORTS, HOME)}
    backlog(site, 0, 5)
    assert site.wait(60) == []
    backlog(site, 8, topic=REPORTS, first=3)
    assert site.wait(60) == [], "read up to 8 s, and 10 s of silence are not over"
    other = site.record(image(study_instance_uid=NEIGHBOUR), topic=REPORTS, partition=HOME,
                        timestamp_ms=START_MS + 17_999)  # fmt: skip
    site.feed(other)
    assert site.wait(60) == []
    site.feed(other._replace(timestamp_ms=START_MS + 18_000))
    assert numbers(site.wait(0)) == [[1, 2, 3]]


def test_a_partition_that_feeds_another_home_holds_nobody_back() -> None:
    site = Site()
    site.behind = {(INSTANCES, (HOME + 1) % site.partitions)}
    site.send(image(1))
    assert numbers(site.wait(10)) == [[1]]


def test_bursts_read_ahead_of_a_lagging_input_are_never_cut() -> None:
    """By the first instance alone, the hard stop would end the second burst in the middle."""
    site = Site()
    site.now_ms += 3_600_000
    site.behind = {(INSTANCES, HOME), (REPORTS, HOME)}
    site.wait(0)
    backlog(site, 0, 1000)
    site.feed(site.record(None, topic=REPORTS))
    backlog(site, 1001, topic=REPORTS, first=3)
    assert site.wait(0) == []
    site.behind = set()
    assert numbers(site.wait(0)) == [[1, 2, 3]]


def test_what_was_read_in_a_failed_batch_moves_no_clock() -> None:
    site = Site()
    site.now_ms += 3_600_000
    site.behind = {(INSTANCES, HOME)}
    backlog(site, 0)
    later = site.record(image(2), timestamp_ms=START_MS + 3_000_000)
    site.member.abort([later], site.now_ms)
    assert site.wait(0) == []
    assert numbers(site.feed(later)) == [[1]]


# ---- timestamps ------------------------------------------------------------------------------------------

IN_2099_MS = 4_070_908_800_000


@pytest.mark.parametrize("timestamp_ms", [-1, 0, IN_2099_MS])
def test_a_useless_timestamp_counts_as_the_events_time(timestamp_ms: int) -> None:
    site = Site()
    site.now_ms += 3_600_000
    record = site.record(image(1, "10:59:55"), timestamp_ms=timestamp_ms)
    site.feed(record)
    assert site.wait(4.999) == []
    assert numbers(site.wait(0.001)) == [[1]]


@pytest.mark.parametrize("timestamp_ms", [-1, IN_2099_MS])
def test_an_event_of_the_future_counts_as_now(timestamp_ms: int) -> None:
    site = Site()
    record = site.record(image(1, occurred_at="2099-01-01T00:00:00Z"), timestamp_ms=timestamp_ms)
    site.feed(record)
    assert site.wait(9.999) == []
    assert numbers(site.wait(0.001)) == [[1]]


def test_one_record_of_the_future_closes_nothing_early() -> None:
    site = Site()
    site.now_ms += 3_600_000
    site.behind = {(INSTANCES, HOME), (REPORTS, HOME)}
    site.wait(0)
    backlog(site, 0)
    site.feed(site.record(image(9, study_instance_uid=NEIGHBOUR), partition=HOME, timestamp_ms=IN_2099_MS))
    assert site.wait(60) == []
    backlog(site, 5, first=2)
    site.behind = set()
    assert sorted(numbers(site.wait(0))) == [[1, 2], [9]]


def test_in_any_batches_the_same_revisions_of_a_backlog() -> None:
    times = (0, 5, 14, 1000, 1009, 3000)
    for cut in range(1, len(times)):
        site = Site()
        site.now_ms += 3_600_000
        for start, end in pairwise((0, cut, len(times))):
            backlog(site, *times[start:end], first=start + 1)
        site.wait(0)
        assert numbers(site.outputs) == [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]
