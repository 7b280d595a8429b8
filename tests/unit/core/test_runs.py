"""A run is folded as its events are, one by one."""

from __future__ import annotations

import pytest

from processors.core.events import SeriesHeader, Stamp
from processors.core.folding import fold
from processors.core.runs import Run, fold_run
from processors.core.series import CHUNK
from processors.core.study import StudyState
from tests.builders.events import CT, DAY_US, HEADER, SERIES, STUDY, arrived, deleted

ORIGIN = (("t", 0), 1)


def run_of(*sops: str, header: SeriesHeader = HEADER) -> Run:
    n = len(sops)
    return Run(
        STUDY,
        SERIES,
        header,
        CT,
        "2.9",
        "PACS_A",
        list(sops),
        list(range(n)),
        [None] * n,
        [DAY_US + at for at in range(n, 0, -1)],
        [f"e{at}" for at in range(n)],
        [b"12345678"] * n,
    )


@pytest.mark.parametrize(
    ("before", "alone"),
    [
        ([], []),
        ([arrived("3.9")], []),
        ([arrived("3.2")], [1]),
        ([deleted("3.3")], [2]),
        ([arrived("3.1", series="2.7")], [0]),
        ([arrived("3.9", expected=9)], [0, 1, 2]),
        ([arrived("3.9", header=SeriesHeader(modality="MR"))], [0, 1, 2]),
    ],
)
def test_only_what_adds_an_instance_is_folded_at_once(before: list[object], alone: list[int]) -> None:
    together, one_by_one = StudyState(STUDY), StudyState(STUDY)
    run = run_of("3.1", "3.2", "3.3")
    for study in (together, one_by_one):
        for event in before:
            fold(study, event, ORIGIN)
    others = fold_run(together, together.open_series(SERIES), run)
    assert list(others) == alone
    for n in others:
        fold(together, run.event(n), ORIGIN)
    for n in range(3):
        fold(one_by_one, run.event(n), ORIGIN)
    made, expected = together.series[SERIES], one_by_one.series[SERIES]
    assert made.instances.keys() == expected.instances.keys()
    for uid, instance in made.instances.items():
        assert instance._replace(position=0) == expected.instances[uid]._replace(position=0)
    assert (made.seen, made.headers, made.base) == (expected.seen, expected.headers, expected.base)
    assert {sop: together.places(sop) for sop in ("3.1", "3.2", "3.3")} == {
        sop: one_by_one.places(sop) for sop in ("3.1", "3.2", "3.3")
    }


def test_the_same_instance_twice_in_a_run_is_added_once() -> None:
    study = StudyState(STUDY)
    assert list(fold_run(study, study.open_series(SERIES), run_of("3.1", "3.1", "3.2"))) == [1]
    assert [i.sop_instance_uid for i in study.series[SERIES].order] == ["3.1", "3.2"]


def test_what_was_added_is_written_and_the_header_is_said_last_by_the_latest() -> None:
    study = StudyState(STUDY)
    series = study.open_series(SERIES)
    run = run_of(*(f"3.{n}" for n in range(1, CHUNK + 2)))
    assert list(fold_run(study, series, run)) == []
    assert series.dirty_chunks == {0, 1}
    assert series.touched
    assert series.headers == {HEADER: Stamp(DAY_US + CHUNK + 1, False, "PACS_A", "e0", b"12345678")}
    assert [i.position for i in series.order] == list(range(CHUNK + 1))
