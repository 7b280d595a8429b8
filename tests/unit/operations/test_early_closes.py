"""Early closes from facts alone."""

from typing import Any

import pytest

from processors.core.policy import Completeness, CompletenessOverride, Policy
from processors.operations.early_closes import EarlyCloses, Observed, as_overrides

HARD_STOP_S = 300
POLICY = Policy(
    Completeness(10_000, HARD_STOP_S * 1000),
    (CompletenessOverride("MR1", "", Completeness(2_000, HARD_STOP_S * 1000)),),
)


def closed(series: int, arrived_s: float, added: int = 1, rule: str = "quiet", **more: Any) -> dict[str, Any]:
    """The fact of a closing, published 10 s after its last image arrived."""
    fact = {
        "reference_id": f"id-{series}",
        "kind": "series",
        "modality": "CT",
        "sources": ["CT1"],
        "closed_by": rule,
        "settle_ms": 10_000,
        "published_at": (arrived_s + 10) * 1e6,
        "added": added,
    }
    return fact | more


def report(facts: list[dict[str, Any]], target: float = 0.0) -> list[EarlyCloses]:
    observed = Observed(POLICY)
    for fact in facts:
        observed.take(fact)
    return observed.report(target)


@pytest.mark.parametrize(
    ("second", "amended", "late", "suggested_s", "still"),
    [
        (closed(1, 114.2), 1, 0, 15, 0),  # 14.2 s after: 15 s would have held them together
        (closed(1, 100 + HARD_STOP_S), 1, 1, 10, 1),  # no waiting helps
        (closed(1, 114.2, added=0), 0, 0, 10, 0),  # a revision without new images
        (closed(1, 114.2, closed_by="", settle_ms=None), 0, 0, 10, 0),  # no closing
        (closed(1, 114.2, kind="region"), 0, 0, 10, 0),
    ],
)
def test_what_one_later_revision_means(
    second: dict[str, Any], amended: int, late: int, suggested_s: float, still: int
) -> None:
    (line,) = report([closed(1, 100), second])
    assert (line.series, line.amended, line.late) == (1, amended, late)
    assert (line.quiet_s, line.suggested_quiet_s, line.still_amended) == (10, suggested_s, still)


def test_the_target_decides_how_many_are_waited_for() -> None:
    facts = [closed(series, 100) for series in range(100)]
    facts += [closed(1, 111.5), closed(2, 130), closed(3, 180)]
    suggested = {target: report(facts, target)[0] for target in (0.0, 0.01, 0.02, 0.05)}
    assert [each.suggested_quiet_s for each in suggested.values()] == [81, 31, 12, 10]
    assert [each.still_amended for each in suggested.values()] == [0, 1, 2, 3]
    assert {each.amended for each in suggested.values()} == {3}
    assert suggested[0.0].share == pytest.approx(0.03)


def test_what_a_sender_called_complete_is_counted_but_suggests_nothing() -> None:
    (line,) = report([closed(1, 100, rule="counted"), closed(1, 150)])
    assert (line.amended, line.suggested_quiet_s, line.still_amended) == (1, 10, 1)
    assert line.closed_by == {"counted": 1}


def test_each_source_and_modality_has_its_own_line_and_setting() -> None:
    facts = [closed(1, 100, sources=["MR1", "PACS"], modality="MR"), closed(2, 100)]
    lines = report([*facts, closed(1, 104, sources=["MR1", "PACS"], modality="MR")])
    assert [(each.source, each.modality) for each in lines] == [("CT1", "CT"), ("MR1", "MR"), ("PACS", "MR")]
    assert [each.quiet_s for each in lines] == [10, 2, 10]
    assert as_overrides(lines) == [{"source": "MR1", "modality": "MR", "quiet_s": 5.0}]
