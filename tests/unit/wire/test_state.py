"""StudyState → rows → StudyState: nothing is lost, and what changed is written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from processors.core.corrections import AnyEvent, InstanceErased
from processors.core.events import InstancesRejected
from processors.core.folding import fold
from processors.core.series import CHUNK, Published
from processors.core.study import StudyState
from processors.wire.state import Row, kind_of, prefix_of, study_from, study_of, touched_rows
from tests.builders.events import (
    SERIES,
    STUDY,
    arrived,
    deleted,
    document,
    item,
    key_images,
    reported,
    selected,
    stamp,
)
from tests.property.events import STUDIES
from tests.property.histories import histories

Rows = dict[str, Row]


def rows_of_everything(study: StudyState) -> Rows:
    """Every row, whatever was touched; numbers that only grow the next fact are left out."""
    study.touched_study = True
    study.rejection_chunks.touched = set(study.rejection_chunks.paths)
    study.touched_documents = set(study.documents)
    study.touched_ledgers = set(study.ledgers)
    study.touched_selections = set(study.selections)
    for series in study.series.values():
        series.touched = True
        series.dirty_chunks = {i.position // CHUNK for i in series.order}
        series.dirty_said = set(series.dirty_chunks)
        series.duplicates, series.inputs = 0, {}
    study.touched_erasures = {f"p{key}" for key in study.erased}
    study.touched_erasures |= {f"s{key}" for key in study.dormant}
    return {row.key: row for row in touched_rows(study) if row.body is not None}


def restored(study_instance_uid: str, rows: Rows) -> StudyState:
    kept = [(row.key, row.body) for row in reversed(rows.values()) if row.body is not None]
    return study_from(study_instance_uid, kept)


@settings(max_examples=300, deadline=None)
@given(histories)
def test_what_was_written_step_by_step_is_all_there_is(history: list[AnyEvent]) -> None:
    for uid in STUDIES:
        study, written = StudyState(uid), Rows()
        for offset, event in enumerate(history):
            if event.study_instance_uid == uid:
                fold(study, event, (("t", offset % 2), offset))
                written |= {row.key: row for row in touched_rows(study)}
        again = restored(uid, written)
        assert list(touched_rows(again)) == []
        assert rows_of_everything(again) == rows_of_everything(study)
        assert again.families == study.families
        assert again.dependents == study.dependents
        assert [again.places(f"3.{n}") for n in range(4)] == [study.places(f"3.{n}") for n in range(4)]
        for series_uid, series in study.series.items():
            found = again.series[series_uid]
            assert [(i.sop_instance_uid, i.position) for i in found.order] == [
                (i.sop_instance_uid, i.position) for i in series.order
            ]
            assert [(i.live, i.issued_us) for i in found.order] == [
                (i.live, i.issued_us) for i in series.order
            ]
            assert found.seen == series.seen


def test_operational_state_survives() -> None:
    study = StudyState(STUDY)
    for event in (arrived(), reported(document(key_images(item()))), selected(item()), deleted("3.9")):
        fold(study, event, (("t", 1), 7))
    series = study.series["2.1"]
    series.first_ms, series.last_ms, series.due_at_ms, series.hard_stop = 5, 6, 7, True
    series.published = Published(3, b"hash", "deleted")
    series.published_upto, series.hidden, series.changed = 2, {0}, {1}
    series.traceparent = b"00-1"
    (state,) = study.documents.values()
    state.sent, state.due_at_ms, state.given_up = {"1.2": (4, b"digest")}, 4, True
    study.ledgers["5.1"] = {"an-id": Published(1, b"h", "", {"3.1": 77})}
    study.evaluated_as = b"context"
    (selection,) = study.selections.values()
    selection.published = Published(2, b"s")
    before = rows_of_everything(study)
    again = restored(STUDY, before)
    assert again.due_at_ms == 4, "the earliest clock of all"
    assert rows_of_everything(again) == before
    assert {kind_of(key): row.due_at_ms for key, row in before.items() if row.due_at_ms} == {"x": 7, "d": 4}
    assert again.ledgers == study.ledgers


def test_an_arrival_writes_its_chunk_and_its_series() -> None:
    study = StudyState(STUDY)
    for number in range(3 * CHUNK):
        fold(study, arrived(f"3.{number}"), (("t", 0), number))
    assert len(list(touched_rows(study))) == 4
    fold(study, arrived("3.0", 9), (("t", 0), 999))
    assert sorted(row.key for row in touched_rows(study)) == ["1.1|c|2.1|000000", "1.1|x|2.1"]
    assert list(touched_rows(study)) == []


def test_a_note_writes_the_rejections_of_its_chunk() -> None:
    study = StudyState(STUDY)
    for number in range(3 * CHUNK):
        fold(study, rejected(f"3.{number}"), (("t", 0), number))
    keys = [f"1.1|r|00000{chunk}" for chunk in range(4)]
    assert [row.key for row in touched_rows(study)] == keys[:3]
    fold(study, rejected("3.0", at_s=9), (("t", 0), 998))
    fold(study, rejected("3.new"), (("t", 0), 999))
    assert [row.key for row in touched_rows(study)] == [keys[0], keys[3]]


def rejected(sop: str, at_s: int = 1) -> InstancesRejected:
    return InstancesRejected(STUDY, "113037", ((SERIES, sop),), stamp(at_s))


def test_a_chunk_of_which_all_was_erased_goes() -> None:
    study = StudyState(STUDY)
    fold(study, rejected("3.1"), (("t", 0), 0))
    assert [row.body is None for row in touched_rows(study)] == [False]
    fold(study, InstanceErased(STUDY, SERIES, "3.1", stamp(5, removal=True)), (("t", 0), 1))
    assert {row.key: row.body for row in touched_rows(study)}["1.1|r|000000"] is None


@pytest.mark.parametrize("selection_id", ["s|1", "a%7Cb", "%", "ü/ "])
def test_a_senders_own_ids_are_told_apart(selection_id: str) -> None:
    study = StudyState(STUDY)
    fold(study, selected(item(), selection_id=selection_id), (("t", 0), 0))
    (row,) = touched_rows(study)
    assert row.key.count("|") == 4
    assert (study_of(row.key), row.key.startswith(prefix_of(STUDY))) == (STUDY, True)
    assert restored(STUDY, {row.key: row}).selections.keys() == study.selections.keys()


def test_nothing_known_is_an_empty_study() -> None:
    study = study_from(STUDY, [])
    assert (study.series, study.due_at_ms) == ({}, None)
    assert not list(touched_rows(study))
