"""Why something no longer stands, and which reason is published."""

from __future__ import annotations

import pytest

from processors.core.events import DocumentsSuperseded, FragmentReported, InstancesRejected
from processors.core.reference import WithdrawalReason
from processors.core.standing import REVOKE, earliest, reasons_against, reasons_against_document
from tests.builders.events import (
    SERIES,
    STUDY,
    arrived,
    deleted,
    document,
    item,
    key_images,
    reported,
    stamp,
    study_of,
)


def noted(title: str, at_s: int, series: str = SERIES) -> InstancesRejected:
    return InstancesRejected(STUDY, title, ((series, "3.1"),), stamp(at_s))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([arrived(at_s=1)], []),
        ([deleted(at_s=2)], []),
        ([arrived(at_s=1), deleted(at_s=2)], ["deleted"]),
        ([arrived(at_s=1), deleted(at_s=2), arrived(at_s=3)], []),
        ([noted("113037", 0)], ["iocm-113037"]),
        ([arrived(at_s=9), noted("113037", 0)], ["iocm-113037"]),
        ([arrived(at_s=9), noted("113038", 0, series="")], ["iocm-113038"]),
        ([arrived(), noted("113037", 0, series="2.2")], []),
        ([noted("113038", 1), noted("113037", 2, series="")], ["iocm-113037"]),
        ([noted("113037", 1), noted("113038", 2)], ["iocm-113037"]),
        ([arrived(at_s=5), noted("113039", 5)], ["iocm-113039"]),
        ([arrived(at_s=6), noted("113039", 5)], []),
        ([arrived(at_s=6), deleted(at_s=7), noted("113039", 5)], ["deleted"]),
        ([arrived(at_s=6), deleted(at_s=7), noted("113001", 5)], ["deleted", "iocm-113001"]),
        ([noted("113037", 1), noted(REVOKE, 2)], []),
        ([noted("113037", 1), noted(REVOKE, 2, series="")], []),
        ([noted("113037", 3), noted(REVOKE, 2)], ["iocm-113037"]),
        ([noted(REVOKE, 2)], []),
    ],
)
def test_what_speaks_against_an_instance(events: list[object], expected: list[str]) -> None:
    for order in (events, events[::-1]):
        assert reasons_against(study_of(*order), SERIES, "3.1", hide_quality=True) == expected


def test_a_site_may_show_what_was_rejected_for_quality() -> None:
    study = study_of(arrived(), noted("113001", 2))
    assert reasons_against(study, SERIES, "3.1", hide_quality=True) == [WithdrawalReason.QUALITY]
    assert reasons_against(study, SERIES, "3.1", hide_quality=False) == []


def test_the_earliest_reason_is_published() -> None:
    in_order = [*WithdrawalReason]
    assert [str(r) for r in in_order[:4]] == ["iocm-113037", "iocm-113038", "deleted", "superseded"]
    for n, reason in enumerate(in_order):
        assert earliest(in_order[n:][::-1]) is reason
    assert earliest([]) is None


NOTE = document(key_images(item()), identical=("5.0",))
GONE = [deleted("5.1", 2, series="2.9")]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        (GONE, ["deleted"]),
        ([InstancesRejected(STUDY, "113037", (("2.9", "5.1"),), stamp(2))], ["iocm-113037"]),
        ([DocumentsSuperseded(STUDY, ("5.1",), stamp(0))], ["superseded"]),
        ([DocumentsSuperseded(STUDY, ("5.0",), stamp(0))], ["superseded"]),
        ([DocumentsSuperseded(STUDY, ("5.2",), stamp(0))], []),
        ([DocumentsSuperseded(STUDY, ("5.2",), stamp(0)), reported(document(sop="5.2", identical=("5.0",)))],
         ["superseded"]),
        ([*GONE, DocumentsSuperseded(STUDY, ("5.1",), stamp(0))], ["deleted", "superseded"]),
    ],
)  # fmt: skip
def test_what_speaks_against_a_document(events: list[object], expected: list[str]) -> None:
    study = study_of(reported(NOTE), *events)
    assert reasons_against_document(study, study.documents[NOTE.path], hide_quality=True) == expected


@pytest.mark.parametrize("withdrawn", ["", "superseded"])
def test_a_fragment_carries_its_homes_judgement(withdrawn: str) -> None:
    far = document(key_images(item()), study="1.2")
    study = study_of(
        FragmentReported(STUDY, far, stamp(1), 0, withdrawn=withdrawn),
        DocumentsSuperseded(STUDY, ("5.9",), stamp(1)),
    )
    reasons = reasons_against_document(study, study.documents[far.path], hide_quality=True)
    assert reasons == ([withdrawn] if withdrawn else [])
