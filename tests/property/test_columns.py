"""Arrivals are folded many at a time, with what comes of them one by one (CONTRACT 4, any cut)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from processors.avro.envelope import decode_state
from processors.core.policy import Policy
from processors.dicom import ReadingPolicy
from processors.pipeline.decode import Decoder
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputRecord, Record
from processors.pipeline.topology import Limits, Pipeline
from processors.wire.state import prefix_of, study_from
from tests.property.runs import latest

CT, KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.88.59"
START_MS = 1_767_348_000_000
"""2026-01-02T10:00:00Z."""
NOW_MS = START_MS + 600_000

PLAIN: dict[str, object] = {}
ODDITIES: tuple[dict[str, object], ...] = (
    {"series_instance_uid": "2.999.1.9"},
    {"study_instance_uid": "2.999.2", "series_instance_uid": "2.999.2.1"},
    {"sop_instance_uid": "2.999.1.2.03"},
    {"sop_instance_uid": "2.999.1.2.4 "},
    {"sop_instance_uid": 7},
    {"series_instance_uid": "2.999.x"},
    {"study_instance_uid": None},
    {"sop_class_uid": KEY_OBJECTS},
    {"instance_number": None},
    {"instance_number": -1},
    {"occurred_at": "2026-01-02T11:00:00+01:00"},
    {"occurred_at": "yesterday"},
)
ON_THE_WAY: tuple[dict[str, object], ...] = (
    {"event": "instance.deleted"},
    {"event": "series.completed"},
    {"event": "instance.erased"},
    {"number_of_series_related_instances": 3},
    {"sop_instance_uid": "2.999..4"},
    {"sop_instance_uid": None},
    {"source": "PACS_B"},
    {"patient_id": "P2"},
)
"""What makes a step publish at its end, is the time of a record that is refused, or speaks of the same series
in other words, which are folded in turn: all of it shows in revisions, never in the last one.
"""


def values(oddities: tuple[dict[str, object], ...]) -> st.SearchStrategy[list[tuple[bytes, int]]]:
    """(value, ms since the one before) of events on a few instances."""
    oddity = st.just(PLAIN) | st.just(PLAIN) | st.sampled_from(oddities)
    gap_ms = st.sampled_from((0, 0, 0, 400, 9_999, 10_000, 25_000, -1_000))
    return st.lists(st.tuples(st.integers(1, 5), oddity, gap_ms), max_size=25).map(
        lambda chosen: [(event(n, number, odd), gap) for n, (number, odd, gap) in enumerate(chosen)]
    )


def event(n: int, number: int, oddity: dict[str, object]) -> bytes:
    said: dict[str, Any] = {
        "event": "instance.arrived",
        "event_id": f"e{n}",
        "source": "PACS_A",
        "occurred_at": f"2026-01-02T10:00:{n:02}.5Z",
        "study_instance_uid": "2.999.1",
        "series_instance_uid": "2.999.1.2",
        "sop_instance_uid": f"2.999.1.2.{number}",
        "sop_class_uid": CT,
        "instance_number": number,
        "modality": "CT",
        "patient_id": "P1",
    }
    return json.dumps(said | oddity).encode()


def records(chosen: list[tuple[bytes, int]]) -> list[Record]:
    """All of one partition; a time of -1 is none."""
    at_ms, found = START_MS, []
    for offset, (value, gap_ms) in enumerate(chosen):
        at_ms += gap_ms
        found.append(Record("instances", 0, offset, -1 if gap_ms < 0 else at_ms, None, value))
    return found


def member() -> MemoryMember:
    decoder = Decoder(ReadingPolicy())
    limits = Limits(0, 1_000, 100_000)
    return MemoryMember(lambda: Pipeline(Policy(), decoder, 1, "intake", b"", limits), 1, "intake")


def by_key(outputs: list[OutputRecord]) -> dict[object, list[OutputRecord]]:
    """In order of a key; dead letters, which have none here, each by itself."""
    found: dict[object, list[OutputRecord]] = {}
    for output in outputs:
        found.setdefault((output.topic, output.key or repr(output)), []).append(output)
    return found


def instances(of: MemoryMember, study: str) -> set[tuple[object, ...]]:
    """All that is kept of each, but its position."""
    rows = of.stores[0].scan(prefix_of(study))
    state = study_from(study, ((key, decode_state(value).body) for key, value in rows))
    return {
        (uid, *each._replace(position=0, history=None), repr(each.history))
        for uid, series in state.series.items()
        for each in series.order
    }


def at_once_and_one_by_one(chosen: list[Record]) -> list[tuple[MemoryMember, list[OutputRecord]]]:
    together, alone = member(), member()
    both = [
        (together, together.feed(chosen, NOW_MS)),
        (alone, [output for record in chosen for output in alone.feed([record], NOW_MS)]),
    ]
    assert together.dispositions.total() == alone.dispositions.total() == len(chosen)
    return [(each, outputs + each.run_out(NOW_MS)) for each, outputs in both]


SECOND_STUDY: dict[str, object] = {"study_instance_uid": "2.999.2", "series_instance_uid": "2.999.2.1"}
LATER_OF_ANOTHER_STUDY = (
    (2, PLAIN, 0),
    (1, SECOND_STUDY, 0),
    (1, PLAIN, 400),
    (3, PLAIN, 9_999),
    (1, PLAIN, 400),
    (1, SECOND_STUDY, 0),
)
"""What was read of one study says nothing yet of how far another one is."""


@settings(max_examples=150, deadline=None)
@given(values(ODDITIES).map(records))
@example(
    records([(event(n, number, odd), gap) for n, (number, odd, gap) in enumerate(LATER_OF_ANOTHER_STUDY)])
)
def test_many_at_a_time_is_one_by_one(chosen: list[Record]) -> None:
    (together, outputs), (alone, expected) = at_once_and_one_by_one(chosen)
    assert together.dispositions == alone.dispositions
    assert by_key(outputs) == by_key(expected)
    for study in ("2.999.1", "2.999.2"):
        assert instances(together, study) == instances(alone, study)


@settings(max_examples=100, deadline=None)
@given(values(ODDITIES + ON_THE_WAY).map(records))
def test_and_in_the_end_so_it_is_whatever_comes(chosen: list[Record]) -> None:
    (_, outputs), (_, expected) = at_once_and_one_by_one(chosen)
    assert latest(outputs) == latest(expected)
