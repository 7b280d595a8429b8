"""Incremental evaluation misses nothing: once every clock ran out, looking at everything changes nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.completeness import Rule
from processors.core.corrections import AnyEvent
from processors.core.policy import Policy
from processors.pipeline.evaluation import Work
from processors.pipeline.records import Step
from tests.property.events import STUDIES, record_of
from tests.property.histories import histories
from tests.property.runs import NOW_MS, member, policies

WARM = 1_000
"""Instances: every study stays in memory, with what it knows of what was looked at."""


@settings(max_examples=500, deadline=None)
@given(policies, histories, st.integers(1, 8), st.sampled_from((0, WARM)))
def test_looking_at_everything_publishes_nothing_new(
    policy: Policy, history: list[AnyEvent], at_once: int, cached: int
) -> None:
    one = member(policy, cached=cached)
    records = [record_of(event, i, NOW_MS) for i, event in enumerate(history)]
    for start in range(0, len(records), at_once):
        one.feed(records[start : start + at_once], NOW_MS)
        one.run_out(NOW_MS)
    for home in one.pipeline._homes.values():
        for uid in STUDIES:
            study = home.study(uid)
            closed = dict.fromkeys(study.series, Rule.QUIET)
            work, step = Work(home, study, closed=closed, everything=True), Step()
            one.pipeline._evaluator.evaluate(work, step, NOW_MS)
            assert (step.outputs, work.messages) == ([], [])
