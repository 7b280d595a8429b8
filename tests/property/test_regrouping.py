"""State as another number of homes holds it: nothing is lost, and nothing is published again.

That references end the same when it happens in mid-history is a mishap of `test_any_order`.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.corrections import AnyEvent
from processors.core.policy import Policy
from processors.pipeline.memory import MemoryMember
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import OutputRecord, OutputTopic
from processors.wire.state import study_of
from tests.property.events import record_of
from tests.property.histories import histories
from tests.property.runs import NOW_MS, member, policies, regrow

counts = st.integers(1, 6)


def told_again(one: MemoryMember, history: list[AnyEvent]) -> list[OutputRecord]:
    """What leaves when all of it comes once more, and every clock runs out."""
    records = [record_of(event, 100 + i, NOW_MS) for i, event in enumerate(history)]
    outputs = one.feed(records, NOW_MS + 1) + one.run_out(NOW_MS + 2)
    return [output for output in outputs if output.topic is not OutputTopic.DEAD_LETTERS]


@settings(max_examples=150, deadline=None)
@given(policies, histories, counts, counts)
def test_nothing_is_published_again(policy: Policy, history: list[AnyEvent], first: int, then: int) -> None:
    one = member(policy, partitions=first)
    one.feed([record_of(event, i, NOW_MS) for i, event in enumerate(history)], NOW_MS)
    one.run_out(NOW_MS)
    grown = regrow(one, policy, then)
    back = regrow(grown, policy, first)
    if told_again(one, history) == []:
        assert told_again(grown, history) == []
        assert told_again(back, history) == []


@settings(max_examples=150, deadline=None)
@given(histories, counts, counts)
def test_every_entry_is_at_home_and_keeps_its_clock(history: list[AnyEvent], first: int, then: int) -> None:
    one = member(Policy(), partitions=first)
    one.feed([record_of(event, i, NOW_MS) for i, event in enumerate(history)], NOW_MS)
    grown = regrow(one, Policy(), then)
    before = [held for store in one.stores for held in store.entries("") if not held[0].startswith("!")]
    after = [held for store in grown.stores for held in store.entries("") if not held[0].startswith("!")]
    assert sorted(after) == sorted(before)
    for number, store in enumerate(grown.stores):
        studies = {study_of(key) for key, *_ in store.entries("") if not key.startswith("!")}
        assert {home_of(study, then) for study in studies} <= {number}
