"""Random histories over weeks, in which studies are purged: what was purged stays as readers have it.

Where nothing is due nothing changes; where something is, no revision comes twice and none is left out, and a
reference that was purged never says less than it did: it says nothing more at all, or that it was erased.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.avro.envelope import decode_state
from processors.core.corrections import AnyEvent, InstanceErased, UidChanged
from processors.core.events import Stamp
from processors.core.policy import Policy
from processors.pipeline.memory import MemoryMember
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import OutputRecord, OutputTopic
from processors.wire.remnant_rows import decode_remnant
from tests.property.events import (
    arrivals,
    completions,
    deletions,
    record_of,
    selections,
    updates,
    withdrawals,
)
from tests.property.histories import histories
from tests.property.runs import NOW_MS, References, latest, member, policies, reassign, regrow

DAY_MS = 86_400_000
TOPICS = ("dicom-instances", "dicom-reports", "imaging-reference-intake")
mishaps = st.sampled_from(("none", "restart", "abort", "reassign", "regrow"))


class Weeks(NamedTuple):
    """Batches, how many days pass after each, and what happens to the member then."""

    policy: Policy
    batches: list[list[AnyEvent]]
    days: list[int]
    mishaps: list[str]


@st.composite
def weeks(draw: st.DrawFn) -> Weeks:
    history = draw(histories)
    repeated = history + (draw(st.lists(st.sampled_from(history), max_size=6)) if history else [])
    shuffled = draw(st.permutations(repeated))
    cuts = sorted(draw(st.sets(st.integers(0, len(shuffled)), max_size=6)) | {0, len(shuffled)})
    batches = [list(shuffled[a:b]) for a, b in pairwise(cuts)]
    count = len(batches)
    days = draw(st.lists(st.sampled_from((0, 1, 4)), min_size=count, max_size=count))
    return Weeks(draw(policies), batches, days, draw(st.lists(mishaps, min_size=count, max_size=count)))


def passed(one: MemoryMember, now_ms: int, topics: Iterable[str] = TOPICS) -> list[OutputRecord]:
    """Every input is read to its end, and every clock that ran out by now is heard."""
    outputs: list[OutputRecord] = []
    while (due_ms := one.pipeline.next_due_ms()) is not None and due_ms <= now_ms:
        for topic in topics:
            for partition in range(len(one.stores)):
                one.pipeline.frontier(topic, partition, caught_up=True)
        known = frozen(one)
        told = one.tick(now_ms)
        assert is_silent(told, known)
        outputs += told
    return outputs


def frozen(one: MemoryMember) -> set[bytes]:
    found: set[bytes] = set()
    for store in one.stores:
        for key, value in store.scan(""):
            if key.endswith("|p") and not key.startswith("!"):
                found |= {i.encode() for i in decode_remnant(decode_state(value).body).lines}
    return found


def is_silent(outputs: list[OutputRecord], known: set[bytes]) -> bool:
    return not any(o.topic is OutputTopic.FHIR and o.key in known and o.value is not None for o in outputs)


def listed(found: tuple[References, References]) -> set[tuple[str, str, str]]:
    """Path of every instance that any reference lists."""
    resources = [resource for part in found for resource in part.values()]
    return {(r["studyUid"], r["seriesUid"], i["uid"]) for r in resources for i in r.get("instance", ())}


def all_erased(one: MemoryMember, outputs: list[OutputRecord], now_ms: int) -> list[OutputRecord]:
    """What comes of erasing everything that is listed anywhere."""
    at = Stamp(now_ms * 1000, True, "PACS_A", "erase", b"12345678")
    gone = [InstanceErased(*path, at) for path in sorted(listed(latest(outputs)))]
    partitions = len(one.stores)
    records = [
        record_of(each, n, now_ms)._replace(partition=home_of(each.study_instance_uid, partitions))
        for n, each in enumerate(gone)
    ]
    return one.feed(records, now_ms) + passed(one, now_ms + 400_000)


@settings(max_examples=200, deadline=None)
@given(weeks())
def test_what_was_purged_says_nothing_more_but_that_it_was_erased(lived: Weeks) -> None:
    policy = replace(lived.policy, retention_days=1)
    one, now_ms, offset = member(policy), NOW_MS, 0
    outputs: list[OutputRecord] = []
    for batch, days, mishap in zip(lived.batches, lived.days, lived.mishaps, strict=True):
        records = [record_of(event, offset + i, now_ms) for i, event in enumerate(batch)]
        offset += len(batch)
        if mishap == "abort":
            one.abort(records, now_ms)
        before = frozen(one)
        told = one.feed(records, now_ms)
        assert is_silent(told, before & frozen(one)), "but for those that were erased"
        now_ms += days * DAY_MS + 400_000
        outputs += told + passed(one, now_ms)
        if mishap == "restart":
            one.restart()
        if mishap == "reassign":
            reassign(one, offset % len(one.stores))
        if mishap == "regrow":
            one = regrow(one, policy, 1 + offset % 5)
    outputs += passed(one, now_ms + 30 * DAY_MS)
    for days in (40, 50, 60):  # of what was rejected a withdrawn reference may be left, which shows it
        outputs += all_erased(one, outputs, now_ms + days * DAY_MS)
    moved = any(isinstance(event, UidChanged) for batch in lived.batches for event in batch)
    assert moved or listed(latest(outputs)) == set()
    assert sum(one.dispositions.values()) == one.consumed


@settings(max_examples=100, deadline=None)
@given(weeks())
def test_where_nothing_is_due_nothing_changes(lived: Weeks) -> None:
    long, never = (member(replace(lived.policy, retention_days=days)) for days in (36_500, 0))
    now_ms, offset = NOW_MS, 0
    for batch, days in zip(lived.batches, lived.days, strict=True):
        records = [record_of(event, offset + i, now_ms) for i, event in enumerate(batch)]
        offset += len(batch)
        assert long.feed(records, now_ms) == never.feed(records, now_ms)
        now_ms += days * DAY_MS
        assert passed(long, now_ms) == passed(never, now_ms)
    assert long.dispositions == never.dispositions
    assert long.events == never.events


alone = st.one_of(arrivals, deletions, completions, updates, selections(), withdrawals)
"""Events that concern one study."""
gaps = st.sampled_from((0, 1_000, 30_000, DAY_MS, 4 * DAY_MS))


@settings(max_examples=150, deadline=None)
@given(policies, st.lists(st.tuples(gaps, alone), min_size=1, max_size=14), st.data())
def test_wherever_batches_are_cut_the_same_goes(
    policy: Policy, told: list[tuple[int, AnyEvent]], data: st.DataObject
) -> None:
    """A purge is a clock: what was due by the time of a record has gone before it is folded."""
    times = list(accumulate((gap for gap, _ in told), initial=NOW_MS))[1:]
    records = [record_of(e, n, times[n])._replace(partition=0) for n, (_, e) in enumerate(told)]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(records)))) | {0, len(records)})
    kept = replace(policy, retention_days=1)
    whole, cut = (member(kept, partitions=1) for _ in range(2))
    at_once = whole.feed(records, times[-1]) + passed(whole, times[-1] + 30 * DAY_MS)
    in_parts: list[OutputRecord] = []
    for first, end in pairwise(cuts):
        in_parts += cut.feed(records[first:end], times[end - 1])
        if data.draw(st.booleans()):
            in_parts += passed(cut, times[end - 1], [records[0].topic])  # else the others lag from now on
    in_parts += passed(cut, times[-1] + 30 * DAY_MS)
    assert latest(in_parts) == latest(at_once)
    assert cut.dispositions == whole.dispositions
    assert frozen(cut) == frozen(whole)
