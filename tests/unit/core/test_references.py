"""StudyState → the reference of a series or of a selection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from processors.core.events import (
    Accession,
    Concept,
    InstanceHeader,
    InstancesRejected,
    Performer,
    SeriesHeader,
)
from processors.core.policy import Identity, Policy
from processors.core.reference import Identifier, ImagingReference
from processors.core.references import (
    context_of,
    instant_text,
    is_complete,
    modality_concept,
    of_selection,
    of_series,
    subject_of,
)
from tests.builders.events import (
    CT,
    DAY_US,
    HEADER,
    KOS,
    SERIES,
    STUDY,
    arrived,
    completed,
    deleted,
    item,
    selected,
    stamp,
    study_of,
    unselected,
    updated,
)

SITE = Policy(
    identity=Identity(
        patient_id_system="urn:patients",
        patient_id_systems={"PACS_B": "urn:b"},
        accession_system="urn:orders",
        issuers={"HOSP": "urn:hosp"},
    ),
    endpoints={"PACS_A": "Endpoint/a", "PACS_B": "Endpoint/b"},
)


def series_reference(*events: object, policy: Policy = SITE) -> ImagingReference:
    study = study_of(*events)
    view = of_series(study, study.series[SERIES], context_of(study, policy), policy)
    assert view is not None
    return view.reference


def numbered(sop: str, number: int | None, at_s: int = 1) -> object:
    return arrived(sop, at_s, instance=InstanceHeader(CT, number))


def test_members_in_order_of_number_then_uid() -> None:
    events = [numbered("3.9", None), numbered("3.2", 10), numbered("3.3", 2), numbered("3.1", 10)]
    for order in (events, events[::-1]):
        listed = [i.sop_instance_uid for i in series_reference(*order).instances]
        assert listed == ["3.3", "3.1", "3.2", "3.9"]


@pytest.mark.parametrize("event", [arrived(instance=InstanceHeader(KOS)), deleted()])
def test_no_reference_while_no_image_has_arrived(event: object) -> None:
    study = study_of(event)
    assert of_series(study, study.series[SERIES], context_of(study, SITE), SITE) is None


@pytest.mark.parametrize(
    ("events", "issued"),
    [
        ([arrived(at_s=1), arrived("3.2", 2), arrived(at_s=9)], "2026-01-02T08:00:02+00:00"),
        ([arrived(at_s=1), arrived("3.2", 2), deleted("3.2", 3)], "2026-01-02T08:00:01+00:00"),
        ([arrived(at_s=1), deleted(at_s=2), arrived(at_s=9)], "2026-01-02T08:00:09+00:00"),
        ([arrived(at_s=1), arrived("3.2", 2, dated=False)], "2026-01-02T08:00:01+00:00"),
        ([arrived(dated=False)], ""),
        ([arrived(at_s=1), deleted(at_s=2), arrived(at_s=3), deleted(at_s=4)], "2026-01-02T08:00:01+00:00"),
    ],
)
def test_issued_is_the_latest_first_arrival_of_those_listed(events: list[object], issued: str) -> None:
    assert series_reference(*events).issued == issued


@pytest.mark.parametrize(
    ("at_us", "text"),
    [
        (DAY_US, "2026-01-02T09:00:00+01:00"),
        (DAY_US + 120_000, "2026-01-02T09:00:00.120+01:00"),
        (DAY_US + 120_001, "2026-01-02T09:00:00.120001+01:00"),
        (-1_000_000, "1970-01-01T00:59:59+01:00"),
    ],
)
def test_instants_in_the_sites_zone_with_the_digits_they_need(at_us: int, text: str) -> None:
    zone = timezone(timedelta(hours=1))
    assert instant_text(at_us, Policy(identity=Identity(site_zone=zone))) == text


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("1800-01-01T00:00:00+00:00", ZoneInfo("Europe/Zurich")),
        ("0001-01-01T00:00:00+00:00", timezone(timedelta(hours=-5))),
        ("9999-12-31T23:59:59.999999+00:00", timezone(timedelta(hours=1))),
    ],
    ids=["before standard time", "the first hour", "the last one"],
)
def test_an_instant_that_the_zone_cannot_write_is_in_utc(text: str, zone: tzinfo) -> None:
    at_us = (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert instant_text(at_us, Policy(identity=Identity(site_zone=zone))) == text


def test_withdrawn_when_nothing_is_left_and_then_it_lists_all() -> None:
    rejected = InstancesRejected(STUDY, "113038", ((SERIES, "3.2"),), stamp(3))
    reference = series_reference(arrived(), arrived("3.2"), deleted(at_s=2), rejected)
    assert reference.withdrawn == "iocm-113038"
    assert [i.sop_instance_uid for i in reference.instances] == ["3.1", "3.2"]
    one_left = series_reference(arrived(), arrived("3.2"), rejected)
    assert (one_left.withdrawn, len(one_left.instances)) == (None, 1)


@pytest.mark.parametrize(
    ("events", "complete"),
    [
        ([arrived()], False),
        ([arrived(), completed()], True),
        ([arrived(expected=1)], True),
        ([arrived(expected=2)], False),
        ([arrived(), completed(expected=2)], False),
        ([arrived(), arrived("3.2"), completed(expected=1)], True),
        ([arrived(expected=1), arrived("3.2")], False),
    ],
)
def test_a_known_complete_series_may_leave_out_its_list(events: list[object], complete: bool) -> None:
    omitting = Policy(series_instances="omit_when_complete")
    assert is_complete(study_of(*events).series[SERIES]) is complete
    assert (series_reference(*events, policy=omitting).instances == ()) is complete
    gone = series_reference(*events, deleted(at_s=9), deleted("3.2", 9), policy=omitting)
    assert gone.instances != ()


# ---- whose, and by which order ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("issuer", "source", "expected"),
    [
        ("", "PACS_A", Identifier("urn:patients", "P1")),
        ("", "PACS_B", Identifier("urn:b", "P1")),
        ("HOSP", "PACS_B", Identifier("urn:hosp", "P1")),
        ("urn:x:y", "PACS_A", Identifier("urn:x:y", "P1")),
        ("2.999.8", "PACS_A", Identifier("urn:oid:2.999.8", "P1")),
        ("WARD", "PACS_A", Identifier("", "P1", "WARD")),
        ("42", "PACS_A", Identifier("", "P1", "42")),
        ("Clinic: North", "PACS_A", Identifier("", "P1", "Clinic: North")),
        ("1..2", "PACS_A", Identifier("", "P1", "1..2")),
    ],
)
def test_the_issuer_decides_the_system(issuer: str, source: str, expected: Identifier) -> None:
    header = SeriesHeader(patient_id="P1", issuer_of_patient_id=issuer)
    assert subject_of(header, source, SITE) == expected


def test_nobody_without_a_patient_id() -> None:
    assert series_reference(arrived(header=SeriesHeader("CT"))).subject is None


P2 = SeriesHeader("CT", 2, patient_id="P2", accession=Accession("A2"))
ANONYMOUS = SeriesHeader("CT", 2)


@pytest.mark.parametrize(
    ("events", "patient"),
    [
        ([arrived(at_s=1), arrived("3.2", 2, series="2.2", header=P2)], "P2"),
        ([arrived(at_s=3), arrived("3.2", 2, series="2.2", header=P2)], "P1"),
        ([arrived(at_s=1), arrived("3.2", 2, series="2.2", header=P2), arrived("3.3", 3)], "P1"),
        ([arrived(at_s=1), arrived("3.2", 2, header=ANONYMOUS)], "P1"),
        ([arrived(at_s=5), updated(2, SeriesHeader(patient_id="P9"))], "P9"),
        ([updated(3, SeriesHeader(patient_id="P8")), updated(2, SeriesHeader(patient_id="P9"))], "P8"),
    ],
)
def test_the_subject_is_one_for_the_study_said_last_and_corrections_first(
    events: list[object], patient: str
) -> None:
    for order in (events, [*reversed(events)]):
        study = study_of(arrived("3.9", 0, series=SERIES, header=ANONYMOUS), *order)
        subject = context_of(study, SITE).subject
        assert subject is not None
        assert subject.value == patient


def test_subject_and_order_may_come_from_different_headers() -> None:
    events = [arrived(at_s=3, source="PACS_B"), arrived("3.2", 2, series="2.2", header=P2)]
    context = context_of(study_of(*events), SITE)
    assert context.subject == Identifier("urn:b", "P1")
    assert context.based_on == (Identifier("urn:orders", "A2"),)


# ---- the rest of a series --------------------------------------------------------------------------------


def test_what_a_series_says_of_itself() -> None:
    performer = Performer("PRF", "Device", "Scanner")
    header = HEADER._replace(performers=(performer,), body_part_examined="CHEST")
    image = InstanceHeader(CT, 1, frame_of_reference_uid="4.1")
    reference = series_reference(arrived(header=header, instance=image))
    assert reference.performers == (performer,)
    assert (reference.modality, reference.series_number) == ("CT", 2)
    assert reference.frame_of_reference_uid == "4.1"
    assert reference.body_site is not None
    assert reference.category == (modality_concept("CT"),)
    mixed = series_reference(arrived(instance=image), arrived("3.2"))
    assert mixed.frame_of_reference_uid == ""


def test_a_modality_that_dicom_does_not_know_is_text() -> None:
    assert modality_concept("ZZ") == Concept(None, "ZZ")


@pytest.mark.parametrize(
    ("events", "endpoints"),
    [
        ([arrived()], ("Endpoint/a",)),
        ([arrived(), arrived(source="PACS_B")], ("Endpoint/a", "Endpoint/b")),
        ([arrived(), arrived("3.2", source="PACS_B"), deleted(at_s=2)], ("Endpoint/b",)),
        ([arrived(source="ELSEWHERE")], ()),
    ],
)
def test_endpoints_of_those_that_hold_copies(events: list[object], endpoints: tuple[str, ...]) -> None:
    assert series_reference(*events).endpoints == endpoints


# ---- selections ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "withdrawn"),
    [
        ([selected(item())], None),
        ([selected(item(), at_s=1), unselected(1)], "withdrawn"),
        ([selected(item(), at_s=2), unselected(1)], None),
        ([selected(item()), arrived(), deleted(at_s=2)], "deleted"),
        ([selected(item()), unselected(2), arrived(), deleted(at_s=2)], "deleted"),
        ([selected()], None),
    ],
)
def test_a_selection_stands_until_it_or_all_its_images_are_gone(
    events: list[object], withdrawn: str | None
) -> None:
    for order in (events, events[::-1]):
        study = study_of(*order)
        (key,) = study.selections
        reference = of_selection(study, key, context_of(study, SITE), SITE)
        assert reference is not None
        assert reference.withdrawn == withdrawn


def test_a_selection_of_which_only_the_withdrawal_is_known_is_no_reference() -> None:
    study = study_of(unselected())
    assert of_selection(study, (SERIES, "PACS_A", "s1"), context_of(study, SITE), SITE) is None


def test_a_selection_says_what_its_study_does_not() -> None:
    study = study_of(selected(item()))
    key = (SERIES, "PACS_A", "s1")
    alone = of_selection(study, key, context_of(study, SITE), SITE)
    assert alone is not None
    assert alone.subject == Identifier("urn:patients", "P1")
    study = study_of(selected(item()), arrived(header=P2._replace(series_number=8)))
    known = of_selection(study, key, context_of(study, SITE), SITE)
    assert known is not None
    assert (known.subject, known.series_number) == (Identifier("urn:patients", "P2"), 8)
    assert known.based_on == (Identifier("urn:orders", "A2"),)
