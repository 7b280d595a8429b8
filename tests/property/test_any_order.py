"""Any order, any repetition, any cut: the first promise of CONTRACT 4, and the accounting law."""

from __future__ import annotations

from itertools import chain, pairwise, product
from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.corrections import AnyEvent, InstanceErased
from processors.core.events import Stamp
from processors.core.policy import Policy
from processors.pipeline.records import OutputRecord
from tests.property.events import (
    DAY_US,
    DOCUMENT_SERIES,
    DOCUMENT_SOPS,
    PARTITIONS,
    SERIES,
    SOPS,
    SOURCES,
    STUDIES,
    record_of,
)
from tests.property.histories import histories
from tests.property.runs import NOW_MS, Slow, latest, member, policies, reassign, regrow, run


class Delivery(NamedTuple):
    """A history, and another delivery of it: permuted, repeated, cut into batches with mishaps between."""

    policy: Policy
    history: list[AnyEvent]
    batches: list[list[AnyEvent]]
    mishaps: list[str]


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    history = draw(histories)
    repeated = history + (draw(st.lists(st.sampled_from(history), max_size=6)) if history else [])
    shuffled = draw(st.permutations(repeated))
    cuts = sorted(draw(st.sets(st.integers(0, len(shuffled)), max_size=6)) | {0, len(shuffled)})
    batches = [list(shuffled[a:b]) for a, b in pairwise(cuts)]
    mishap = st.sampled_from(("none", "restart", "abort", "clocks", "reassign", "regrow"))
    mishaps = draw(st.lists(mishap, min_size=len(batches), max_size=len(batches)))
    return Delivery(draw(policies), history, batches, mishaps)


@settings(max_examples=500, deadline=None)
@given(deliveries())
def test_the_same_references_come_out(delivery: Delivery) -> None:
    other = member(delivery.policy)
    outputs: list[OutputRecord] = []
    offset = 0
    for batch, mishap in zip(delivery.batches, delivery.mishaps, strict=True):
        records = [record_of(event, offset + i, NOW_MS + offset) for i, event in enumerate(batch)]
        offset += len(batch)
        if mishap == "abort":
            other.abort(records, NOW_MS + offset)
        outputs += other.feed(records, NOW_MS + offset)
        if mishap == "restart":
            other.restart()
        if mishap == "reassign":
            reassign(other, offset % len(other.stores))
        if mishap == "regrow":
            other = regrow(other, delivery.policy, 1 + offset % 5)
        if mishap == "clocks":
            outputs += other.run_out(NOW_MS + offset)
    outputs += other.run_out(NOW_MS + offset)
    assert_as_in_one_batch(delivery, outputs)
    assert sum(other.dispositions.values()) == other.consumed


@settings(max_examples=200, deadline=None)
@given(deliveries(), st.randoms(use_true_random=False))
def test_what_homes_tell_each_other_may_be_late(delivery: Delivery, random: Random) -> None:
    """Each partition of the intake is read in its order, and whenever it pleases."""
    other = Slow(delivery.policy)
    batches = [*zip(delivery.batches, delivery.mishaps, strict=True)]
    offset = 0
    while batches or other.is_behind:
        if other.is_behind and (not batches or random.random() < 0.6):
            other.catch_up(random, NOW_MS + offset)
            continue
        batch, mishap = batches.pop(0)
        other.feed(
            [record_of(e, offset + i, NOW_MS + offset + i) for i, e in enumerate(batch)], NOW_MS + offset
        )
        offset += len(batch)
        if mishap == "restart":
            other.member.restart()
        if mishap == "reassign":
            reassign(other.member, offset % PARTITIONS)
    outputs = other.outputs + other.member.run_out(NOW_MS + offset)
    assert_as_in_one_batch(delivery, outputs)
    assert sum(other.member.dispositions.values()) == other.member.consumed


@settings(max_examples=150, deadline=None)
@given(deliveries(), st.randoms(use_true_random=False))
def test_what_is_erased_after_all_that_happened_is_named_by_nothing(
    delivery: Delivery, random: Random
) -> None:
    """Whether the erasures come last or in between (CONTRACT 2)."""
    places = product(STUDIES, (*SERIES, DOCUMENT_SERIES), (*SOPS, *DOCUMENT_SOPS))
    after = Stamp(DAY_US + 3_600_000_000, True, SOURCES[0], "erase", b"12345678")
    told = [*chain(*delivery.batches), *(InstanceErased(*place, after) for place in places)]
    random.shuffle(told)
    half = random.randrange(len(told))
    other = member(delivery.policy)
    outputs = other.feed([record_of(e, n, NOW_MS) for n, e in enumerate(told[:half])], NOW_MS)
    if random.random() < 0.5:
        outputs += other.run_out(NOW_MS)
    outputs += other.feed([record_of(e, half + n, NOW_MS) for n, e in enumerate(told[half:])], NOW_MS)
    found = latest(outputs + other.run_out(NOW_MS))
    listed = [each["uid"] for part in found for r in part.values() for each in r.get("instance", ())]
    assert listed == []


def assert_as_in_one_batch(delivery: Delivery, outputs: list[OutputRecord]) -> None:
    available, withdrawn = run(delivery.policy, delivery.history)
    available_too, withdrawn_too = latest(outputs)
    assert available_too == available
    for reference_id in withdrawn.keys() & withdrawn_too.keys():
        assert withdrawn_too[reference_id] == withdrawn[reference_id]
