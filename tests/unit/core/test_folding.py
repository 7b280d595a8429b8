"""One event into one study: how its record ends, and what is to be looked at again."""

from __future__ import annotations

from itertools import permutations

import pytest

from processors.core.events import (
    DocumentPath,
    DocumentsSuperseded,
    FragmentReported,
    InstanceHeader,
    InstancesRejected,
    SeriesHeader,
)
from processors.core.folding import fold
from processors.core.study import APPLIED, DUPLICATE, FORMER_CONTENTS, Disposition
from processors.errors import WarningCode
from tests.builders.events import (
    CT,
    KOS,
    SERIES,
    STUDY,
    arrived,
    completed,
    deleted,
    document,
    effect_of,
    item,
    key_images,
    rejection,
    reported,
    selected,
    stamp,
    study_of,
    unselected,
    updated,
)

NOTE = document(key_images(item()))
ELSEWHERE = document(key_images(item(study="1.2")), study="1.2")


def ignored(reason: str) -> Disposition:
    return Disposition("ignored", reason)


REJECTED = InstancesRejected(STUDY, "113037", ((SERIES, "3.1"),), stamp(3))


@pytest.mark.parametrize(
    ("before", "event", "expected"),
    [
        ([], arrived(), APPLIED),
        ([arrived()], arrived(), DUPLICATE),
        ([arrived()], arrived(at_s=2), DUPLICATE),
        ([arrived()], arrived(at_s=2, source="PACS_B"), DUPLICATE),
        ([], arrived(instance=InstanceHeader(KOS)), ignored("report_without_object")),
        ([REJECTED], arrived(), ignored("previously_rejected")),
        ([REJECTED], arrived("3.2"), APPLIED),
        ([], deleted(), ignored("unknown_instance")),
        ([arrived()], deleted(), APPLIED),
        ([arrived(), deleted()], deleted(), DUPLICATE),
        ([], completed(), APPLIED),
        ([completed(2)], completed(1), DUPLICATE),
        ([completed(2)], completed(2, 4), APPLIED),
        ([], updated(1, SeriesHeader(patient_id="P9")), APPLIED),
        ([updated(2, SeriesHeader(patient_id="P9"))], updated(1, SeriesHeader(patient_id="P9")), DUPLICATE),
        ([], reported(NOTE), APPLIED),
        ([reported(NOTE)], reported(NOTE), DUPLICATE),
        ([], reported(rejection("113037", (STUDY, SERIES, "3.1"))), ignored("rejection_note")),
        ([], REJECTED, APPLIED),
        ([REJECTED], REJECTED, DUPLICATE),
        ([], DocumentsSuperseded(STUDY, ("5.1",), stamp(1)), APPLIED),
        (
            [DocumentsSuperseded(STUDY, ("5.1",), stamp(1))],
            DocumentsSuperseded(STUDY, ("5.1",), stamp(1)),
            DUPLICATE,
        ),
        ([], FragmentReported(STUDY, ELSEWHERE, stamp(1), 0), APPLIED),
        (
            [FragmentReported(STUDY, ELSEWHERE, stamp(1), 3)],
            FragmentReported(STUDY, ELSEWHERE, stamp(9), 3),
            DUPLICATE,
        ),
        ([], selected(item()), APPLIED),
        ([selected(item(), at_s=2)], selected(at_s=1), DUPLICATE),
        ([], unselected(), APPLIED),
        ([unselected(2)], unselected(1), DUPLICATE),
    ],
)
def test_how_a_record_ends(before: list[object], event: object, expected: Disposition) -> None:
    assert effect_of(study_of(*before), event).disposition == expected


@pytest.mark.parametrize(
    ("before", "event", "opened"),
    [
        ([], arrived(), True),
        ([arrived()], arrived(), False),
        ([arrived()], arrived(at_s=2), True),
        ([arrived()], arrived(at_s=1, source="PACS_B"), True),
        ([arrived(at_s=2)], arrived(at_s=1), True),
        ([arrived(expected=1)], arrived(expected=2), True),
        ([arrived()], deleted(at_s=2), True),
        ([arrived()], deleted(at_s=2, source="PACS_B"), False),
        ([arrived(), arrived(source="PACS_B")], deleted(at_s=2, source="PACS_B"), True),
        ([REJECTED, arrived()], arrived(at_s=9), True),
    ],
    ids=lambda value: "" if isinstance(value, (list, bool)) else type(value).__name__,
)
def test_what_starts_the_clock_of_a_series(before: list[object], event: object, opened: bool) -> None:
    """A resend, too: whose the study is goes by the latest stamp, endpoints by who holds a copy."""
    assert effect_of(study_of(*before), event).opened is opened


@pytest.mark.parametrize(
    ("before", "event", "completes"),
    [
        ([], arrived(expected=1), True),
        ([], arrived(expected=2), False),
        ([arrived(expected=2)], arrived("3.2"), True),
        ([arrived(expected=2)], arrived(at_s=9), False),
        ([arrived(expected=1)], arrived("3.2"), False),
        ([arrived()], completed(), True),
        ([arrived()], completed(expected=2), False),
        ([arrived(), arrived("3.2")], completed(expected=1), True),
        ([], completed(), False),
        ([deleted()], completed(), False),
        ([completed(expected=1)], arrived(), True),
        ([completed()], arrived(), False),
    ],
)
def test_what_closes_a_series_at_once(before: list[object], event: object, completes: bool) -> None:
    assert effect_of(study_of(*before), event).completed is completes


def test_another_completion_is_a_reason_to_look_at_a_published_series() -> None:
    effect = effect_of(study_of(arrived(), completed(1)), completed(2, 7))
    assert (effect.completed, effect.now_unless_open) == (False, {SERIES})


def test_a_sop_uid_in_two_series_is_in_both_with_a_warning() -> None:
    study = study_of(arrived(series="2.1"))
    effect = effect_of(study, arrived(series="2.2"))
    assert effect.warnings == (WarningCode.SOP_UID_CONFLICT,)
    assert study.places("3.1") == {"2.1", "2.2"}
    assert all(WarningCode.SOP_UID_CONFLICT in s.warnings for s in study.series.values())
    assert effect_of(study, arrived("3.2", series="2.2")).warnings == ()
    assert study.places("3.3") == set()


def test_another_content_under_the_same_path_is_a_conflict() -> None:
    study = study_of(arrived())
    effect = effect_of(study, arrived(instance=InstanceHeader(CT, 8)))
    assert effect.warnings == (WarningCode.SOP_CONTENT_CONFLICT,)
    assert WarningCode.SOP_CONTENT_CONFLICT in study.series[SERIES].warnings


def test_inputs_are_spans_of_offsets() -> None:
    study = study_of()
    for offset in (7, 3, 9):
        fold(study, arrived(f"3.{offset}"), (("t", 0), offset))
    fold(study, deleted(), (("t", 1), 1))
    assert study.series[SERIES].inputs == {("t", 0): (7, 9), ("t", 1): (1, 1)}


# ---- documents -------------------------------------------------------------------------------------------

PATH = DocumentPath(STUDY, "2.9", "5.1")


def test_a_document_is_also_an_instance_of_its_series() -> None:
    study = study_of(reported(NOTE))
    assert study.series["2.9"].instances["5.1"].header.sop_class_uid == KOS
    assert study.touched_documents == {PATH}


@pytest.mark.parametrize("order", [*permutations((1, 2, 3))])
def test_of_contents_under_one_path_the_one_said_last_holds(order: tuple[int, ...]) -> None:
    contents = {1: NOTE, 2: document(key_images(item("3.2"))), 3: NOTE}
    study = study_of(*(reported(contents[at_s], at_s) for at_s in order))
    state = study.documents[PATH]
    assert (state.content, state.stamp) == (NOTE, stamp(3))
    assert state.contents == [NOTE, contents[2]]
    assert WarningCode.SOP_CONTENT_CONFLICT in state.warnings


def test_former_contents_are_the_latest_few() -> None:
    contents = [document(key_images(item(f"3.{n}"))) for n in range(FORMER_CONTENTS + 2)]
    study = study_of(*(reported(content, n) for n, content in enumerate(contents)))
    assert study.documents[PATH].contents == contents[:0:-1]


def test_a_resend_is_looked_at_only_if_its_stamp_is_higher() -> None:
    study = study_of(reported(NOTE, 2))
    assert effect_of(study, reported(NOTE, 2)).now_documents == set()
    assert effect_of(study, reported(NOTE, 3)).now_documents == {"5.1"}
    assert study.documents[PATH].duplicates == 2


def test_a_deleted_document_that_comes_back_is_looked_at() -> None:
    study = study_of(reported(NOTE, 1))
    assert effect_of(study, deleted("5.1", 2, series="2.9")).now_documents == {"5.1"}
    assert effect_of(study, reported(NOTE, 3)).now_documents == {"5.1"}


def test_what_a_document_asks_of_other_studies_is_sent_there() -> None:
    note = rejection("113037", (STUDY, SERIES, "3.1"), ("1.2", "2.5", "3.5"), ("", "", "3.6"))
    study = study_of(arrived())
    effect = effect_of(study, reported(note, 4))
    assert study.rejections == {
        (SERIES, "3.1"): {"113037": stamp(4)},
        ("", "3.6"): {"113037": stamp(4)},
    }
    assert effect.messages == [InstancesRejected("1.2", "113037", (("2.5", "3.5"),), stamp(4))]
    assert effect.now_series == {SERIES}

    predecessors = (DocumentPath("1.2", "2.9", "5.4"), DocumentPath(STUDY, "2.9", "5.5"), PATH)
    effect = effect_of(study, reported(document(predecessors=predecessors), 5))
    assert study.superseded == {"5.5": stamp(5)}, "never itself"
    assert effect.messages == [DocumentsSuperseded("1.2", ("5.4",), stamp(5))]


@pytest.mark.parametrize("place", [(SERIES, "3.1"), ("", "3.1")])
def test_a_rejection_reaches_all_that_shows_the_instance(place: tuple[str, str]) -> None:
    study = study_of(
        arrived(),
        arrived("3.2", series="2.2"),
        reported(NOTE),
        reported(document(sop="5.2")),
        selected(item()),
    )
    effect = effect_of(study, InstancesRejected(STUDY, "113001", (place,), stamp(9)))
    assert effect.now_series == {SERIES}
    assert effect.now_documents == {"5.1"}
    assert {key[2] for key in effect.now_selections} == {"s1"}
    assert study.series[SERIES].changed == {0}


def test_a_note_without_evidence_reaches_a_selection_wherever_the_instance_lies() -> None:
    study = study_of(arrived(series="2.2"), selected(item()))
    effect = effect_of(study, InstancesRejected(STUDY, "113001", (("", "3.1"),), stamp(9)))
    assert (effect.now_series, effect.now_selections) == ({"2.2"}, {("2.1", "PACS_A", "s1")})
    elsewhere = InstancesRejected(STUDY, "113001", (("2.2", "3.1"),), stamp(9))
    assert effect_of(study, elsewhere).now_selections == set()


def test_a_successor_reaches_its_predecessors_copies() -> None:
    study = study_of(reported(document(identical=("5.0",))))
    assert effect_of(study, DocumentsSuperseded(STUDY, ("5.0",), stamp(1))).now_documents == {"5.0"}


def test_of_fragments_the_one_sent_last_holds() -> None:
    emptied = ELSEWHERE._replace(groups=())
    study = study_of(
        FragmentReported(STUDY, ELSEWHERE, stamp(9), 0),
        FragmentReported(STUDY, emptied, stamp(1), 1, former=(ELSEWHERE,), withdrawn="deleted"),
        FragmentReported(STUDY, ELSEWHERE, stamp(9), 0),
    )
    (state,) = study.documents.values()
    assert state.contents == [emptied, ELSEWHERE]
    assert (state.fragment_withdrawn, state.at_home) == ("deleted", False)
