"""Any order, any repetition, any cut: the first promise of CONTRACT 4, and the accounting law."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.events import Event
from processors.core.policy import Policy
from processors.dicom import ReadingPolicy
from processors.pipeline.decode import Decoder
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputRecord, OutputTopic
from processors.pipeline.topology import Pipeline
from processors.wire.json_text import load
from tests.property.events import DAY_US, INTAKE, PARTITIONS, histories, record_of

NOW_MS = DAY_US // 1000 + 60_000

References = dict[str, dict[str, Any]]


def member() -> MemoryMember:
    return MemoryMember(
        lambda: Pipeline(Policy(), Decoder(ReadingPolicy()), PARTITIONS, INTAKE, cached_instances=0),
        PARTITIONS,
        INTAKE,
    )


def latest(outputs: list[OutputRecord]) -> tuple[References, References]:
    """(available, withdrawn) by id, without version and time."""
    found: References = {}
    revisions: dict[str, int] = {}
    for output in outputs:
        if output.topic is not OutputTopic.FHIR:
            continue
        resource = load(output.value or b"")
        meta = resource.pop("meta")
        revision = int(meta.pop("versionId"))
        assert revision == revisions.get(resource["id"], 0) + 1, "revisions count from 1 without a gap"
        revisions[resource["id"]] = revision
        del meta["lastUpdated"]
        found[resource["id"]] = resource | {"meta": meta}
    available = {i: r for i, r in found.items() if r["status"] == "available"}
    return available, {i: r for i, r in found.items() if i not in available}


def run(history: list[Event]) -> tuple[References, References]:
    one = member()
    outputs = one.feed([record_of(e, i, NOW_MS) for i, e in enumerate(history)], NOW_MS)
    return latest(outputs + one.run_out(NOW_MS))


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Event], list[list[Event]], list[str]]:
    """A history, and another delivery of it: permuted, repeated, cut into batches with mishaps between."""
    history = draw(histories)
    repeated = history + (draw(st.lists(st.sampled_from(history), max_size=6)) if history else [])
    shuffled = draw(st.permutations(repeated))
    cuts = sorted(draw(st.sets(st.integers(0, len(shuffled)), max_size=6)) | {0, len(shuffled)})
    batches = [list(shuffled[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    mishaps = draw(
        st.lists(
            st.sampled_from(("none", "restart", "abort", "clocks")),
            min_size=len(batches),
            max_size=len(batches),
        )
    )
    return history, batches, mishaps


@settings(max_examples=500, deadline=None)
@given(deliveries())
def test_the_same_references_come_out(delivery: tuple[list[Event], list[list[Event]], list[str]]) -> None:
    history, batches, mishaps = delivery
    other = member()
    outputs: list[OutputRecord] = []
    offset = 0
    for batch, mishap in zip(batches, mishaps, strict=True):
        records = [record_of(event, offset + i, NOW_MS + offset) for i, event in enumerate(batch)]
        offset += len(batch)
        if mishap == "abort":
            other.abort(records, NOW_MS + offset)
        outputs += other.feed(records, NOW_MS + offset)
        if mishap == "restart":
            other.restart()
        if mishap == "clocks":
            outputs += other.run_out(NOW_MS + offset)
    outputs += other.run_out(NOW_MS + offset)

    available, withdrawn = run(history)
    available_too, withdrawn_too = latest(outputs)
    assert available_too == available
    for reference_id in withdrawn.keys() & withdrawn_too.keys():
        assert withdrawn_too[reference_id] == withdrawn[reference_id]
    assert sum(other.dispositions.values()) == other.consumed
