"""The merge of one series: copies, header layers, and what an arrival or a deletion tells of itself."""

from __future__ import annotations

from itertools import permutations

import pytest

from processors.core.events import InstanceHeader, SeriesHeader, Stamp
from processors.core.instances import NEVER, Copy
from processors.core.layers import resolved_header, winning_layers
from processors.core.series import CHUNK, NEW, REPEATED, SeriesState, arrive, delete
from tests.builders.events import CT, DAY_US, HEADER, SERIES, arrived, deleted, stamp


@pytest.mark.parametrize(
    ("arrivals", "deletions", "expected"),
    [
        ([5], [], Copy((5,))),
        ([5, 5, 3], [], Copy((3, 5))),
        ([5], [4], Copy((5,), (), 4)),
        ([5], [5], Copy((), (), 5)),
        ([5, 8], [5], Copy((8,), (), 5)),
        ([5, 8], [9, 4], Copy((), (), 9, earlier=(4,))),
        ([5], [9, 4, 6], Copy((), (), 9, earlier=(4, 6))),
    ],
)
def test_a_copy_is_what_arrived_after_its_last_deletion(
    arrivals: list[int], deletions: list[int], expected: Copy
) -> None:
    steps = [(True, at) for at in arrivals] + [(False, at) for at in deletions]
    for order in permutations(steps):
        copy = Copy()
        undated = Copy()
        for is_arrival, at_us in order:
            copy = copy.arrived(at_us, dated=True) if is_arrival else copy.deleted(at_us)
            undated = undated.arrived(at_us, dated=False) if is_arrival else undated.deleted(at_us)
        ended = tuple(sorted({at_us for at_us in arrivals if at_us <= max(deletions, default=0)}))
        assert copy == expected._replace(past=ended)
        assert undated == expected._replace(dated=(), undated=expected.dated, past_undated=ended)
        assert copy.live == undated.live == bool(expected.dated)


def test_an_undated_arrival_makes_a_copy_live_and_gives_no_time() -> None:
    series = SeriesState(SERIES)
    arrive(series, arrived(dated=False, at_s=2))
    instance = series.instances["3.1"]
    assert (instance.live, instance.issued_us, instance.first_arrival_us) == (True, None, None)
    assert instance.copies["PACS_A"] == Copy((), (DAY_US + 2_000_000,))
    delete(series, "3.1", stamp(2, removal=True))
    assert not series.instances["3.1"].live, "removal wins over arrival at the same time"


def test_every_source_must_delete_its_own_copy() -> None:
    series = SeriesState(SERIES)
    arrive(series, arrived(at_s=1))
    arrive(series, arrived(at_s=2, source="PACS_B"))
    delete(series, "3.1", stamp(3, "PACS_A", removal=True))
    instance = series.instances["3.1"]
    assert instance.live
    assert instance.issued_us == DAY_US + 2_000_000, "since the last deletion of each live copy"
    assert instance.first_arrival_us == DAY_US + 1_000_000, "of all, for a withdrawn series"
    delete(series, "3.1", stamp(3, "PACS_B", removal=True))
    gone = series.instances["3.1"]
    assert (gone.live, gone.issued_us) == (False, None)


OTHER = SeriesHeader("CT", 3, patient_id="P1")


@pytest.mark.parametrize(
    ("before", "event", "expected"),
    [
        ([], arrived(), NEW),
        ([arrived()], arrived(), REPEATED),
        ([arrived()], arrived(instance=InstanceHeader(CT, 2)), (False, False, True, False)),
        ([arrived()], arrived(at_s=2, instance=InstanceHeader(CT, 2)), (False, True, True, True)),
        ([arrived()], arrived(at_s=2), (False, False, False, True)),
        ([arrived(at_s=2)], arrived(at_s=1), (False, True, False, False)),
        ([arrived(at_s=2)], arrived(at_s=1, source="PACS_B", dated=False), (False, False, False, True)),
        ([arrived()], arrived(at_s=2, header=OTHER), (False, True, False, False)),
        ([arrived(at_s=2)], arrived(at_s=2, expected=4), (False, True, False, False)),
        ([arrived(expected=4)], arrived(expected=4), REPEATED),
        ([arrived(), deleted(at_s=2)], arrived(), REPEATED),
        ([arrived(), deleted(at_s=2)], arrived(at_s=3), (True, True, False, True)),
        ([deleted(at_s=0)], arrived(), (True, True, False, True)),
    ],
)
def test_what_an_arrival_did(before: list[object], event: object, expected: object) -> None:
    series = SeriesState(SERIES)
    for each in before:
        _fold(series, each)
    assert arrive(series, event) == expected  # type: ignore[arg-type]


def _fold(series: SeriesState, event: object) -> None:
    if isinstance(event, type(deleted())):
        delete(series, event.sop_instance_uid, event.stamp)
    else:
        arrive(series, event)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "source", "expected"),
    [
        ([], "PACS_A", (True, False, False)),
        ([arrived()], "PACS_A", (True, True, True)),
        ([arrived()], "PACS_B", (True, True, False)),
        ([arrived(), arrived(source="PACS_B")], "PACS_B", (True, True, True)),
        ([arrived(), deleted(at_s=5)], "PACS_A", (False, True, False)),
        ([arrived(), deleted(at_s=9)], "PACS_A", (True, True, False)),
    ],
)
def test_what_a_deletion_did(before: list[object], source: str, expected: tuple[bool, bool, bool]) -> None:
    series = SeriesState(SERIES)
    for each in before:
        _fold(series, each)
    assert delete(series, "3.1", stamp(5, source, removal=True)) == expected


HEADERS: list[tuple[SeriesHeader, Stamp]] = [
    (SeriesHeader("CT", 1, patient_id="P1", issuer_of_patient_id="2.999.8"), stamp(1)),
    (SeriesHeader("CT", None, "CHEST", patient_id="P2"), stamp(2)),
    (SeriesHeader("CT", 3, issuer_of_patient_id="2.999.9"), stamp(3)),
    (SeriesHeader("CT", 3, "HEAD"), stamp(0)),
]


def test_each_attribute_by_its_own_and_an_issuer_only_with_its_id() -> None:
    expected = SeriesHeader("CT", 3, "CHEST", patient_id="P2")
    assert resolved_header(dict(HEADERS)) == expected
    assert resolved_header(dict(HEADERS[:1])) == HEADERS[0][0]


def test_layers_that_can_never_win_again_go_in_any_order() -> None:
    for order in permutations(HEADERS):
        kept: dict[SeriesHeader, Stamp] = {}
        for header, said in order:
            kept = winning_layers({**kept, header: said})
        assert kept == dict(HEADERS[1:3])
        assert resolved_header(kept) == resolved_header(dict(HEADERS))


def test_a_repeated_header_counts_as_said_at_its_latest() -> None:
    for order in permutations([(HEADER, 1), (OTHER, 2), (HEADER, 3)]):
        series = SeriesState(SERIES)
        for n, (header, at_s) in enumerate(order):
            arrive(series, arrived(f"3.{n}", at_s, header=header))
        assert resolved_header(series.headers).series_number == HEADER.series_number


def test_an_instance_header_repeated_counts_as_said_at_its_latest() -> None:
    one, other = InstanceHeader(CT, 1), InstanceHeader(CT, 2, frames=7)
    for order in permutations([(one, 1), (other, 2), (one, 3)]):
        series = SeriesState(SERIES)
        for header, at_s in order:
            arrive(series, arrived(at_s=at_s, instance=header))
        assert series.instances["3.1"].header == InstanceHeader(CT, 1, frames=7), "empty never replaces"
        assert series.instances["3.1"].stamp == stamp(3)


def test_each_attribute_of_an_instance_by_its_own() -> None:
    said = [
        (InstanceHeader(CT, 1), 3),
        (InstanceHeader(CT, 2, frames=7), 1),
        (InstanceHeader(CT, frames=8), 2),
    ]
    for order in permutations(said):
        series = SeriesState(SERIES)
        for header, at_s in order:
            arrive(series, arrived(at_s=at_s, instance=header))
        assert series.instances["3.1"].header == InstanceHeader(CT, 1, frames=8)


def test_an_arrival_touches_only_its_chunk() -> None:
    series = SeriesState(SERIES)
    for n in range(CHUNK + 1):
        arrive(series, arrived(f"3.{n}"))
    series.dirty_chunks.clear()
    series.touched = False
    arrive(series, arrived("3.0", 9))
    assert (series.dirty_chunks, series.touched) == ({0}, True)
    series.dirty_chunks.clear()
    series.touched = False
    arrive(series, arrived("3.0", 9))
    assert (series.dirty_chunks, series.touched) == (set(), False)
    assert series.seen == len(series.order) == CHUNK + 1
    assert [i.position for i in series.order] == list(range(CHUNK + 1))


def test_a_repeated_header_below_the_highest_is_written_too() -> None:
    """A third header said in between would else win after a restart."""
    series = SeriesState(SERIES)
    arrive(series, arrived(at_s=1, instance=InstanceHeader(CT, 1)))
    arrive(series, arrived(at_s=5, instance=InstanceHeader(CT), source="PACS_B"))
    arrive(series, arrived(at_s=2, instance=InstanceHeader(CT, 1), source="PACS_B"))
    series.dirty_chunks.clear()
    arrive(series, arrived(at_s=2, instance=InstanceHeader(CT, 1), source="PACS_B", event_id="f"))
    assert series.dirty_chunks == {0}


def test_an_instance_known_from_a_deletion_only_was_not_seen() -> None:
    series = SeriesState(SERIES)
    delete(series, "3.1", stamp(5, removal=True))
    assert (series.seen, series.instances["3.1"].stamp, series.instances["3.1"].latest_arrival_us) == (
        0,
        None,
        NEVER,
    )
    arrive(series, arrived(at_s=4))
    assert (series.seen, series.instances["3.1"].live) == (1, False)


def test_an_instance_that_is_as_if_it_had_arrived_once_needs_no_history() -> None:
    series = SeriesState(SERIES)
    arrive(series, arrived(at_s=2))
    once = series.instances["3.1"]
    assert once.history is None
    assert arrive(series, arrived(at_s=2)) == REPEATED
    assert series.instances["3.1"] is once
    delete(series, "3.1", stamp(1, "PACS_B", removal=True))
    assert series.instances["3.1"].history is not None
    assert series.instances["3.1"].shown == once.shown
