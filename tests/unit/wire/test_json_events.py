"""Members in, events out: `event_fields` and `json_events` together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from processors.core.corrections import AnyEvent, Scope, UidChanged
from processors.core.events import (
    Accession,
    InstanceArrived,
    InstanceDeleted,
    InstanceHeader,
    SelectionWithdrawn,
    SeriesCompleted,
    SeriesHeader,
    Stamp,
    StudyUpdated,
)
from processors.errors import DeadLetterCode, Refused, WarningCode
from processors.wire import event_fields, json_events
from processors.wire.json_text import dump

DIGEST = b"12345678"
ENVELOPE = {"event_id": "e-1", "source": "PACS_A", "occurred_at": "2024-03-11T09:15:00.000001+01:00"}
STAMP = Stamp(1_710_144_900_000_001, False, "PACS_A", "e-1", DIGEST)
SERIES = {"study_instance_uid": "2.999.1", "series_instance_uid": "2.999.1.2"}
INSTANCE = {**SERIES, "sop_instance_uid": "2.999.1.2.3", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"}
FULL = {
    **ENVELOPE,
    **INSTANCE,
    "event": "instance.arrived",
    "instance_number": 7,
    "number_of_frames": 6,
    "modality": "CT",
    "series_number": 3,
    "body_part_examined": "CHEST",
    "laterality": "L",
    "frame_of_reference_uid": "2.999.9",
    "patient_id": "P1",
    "issuer_of_patient_id": "urn:oid:2.999.8",
    "accession_number": "A1",
    "issuer_of_accession_number": "RIS",
    "number_of_series_related_instances": 200,
    "study_date": "20240311",
    "vendor_extension": {"x": [1]},
}


def read(members: dict[str, Any]) -> AnyEvent:
    return json_events.to_event(event_fields.decode(dump(members)), DIGEST)


def arrived(**changes: Any) -> InstanceArrived:
    event = read({**FULL, **changes})
    assert isinstance(event, InstanceArrived)
    return event


def refusal(members: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        read(members)
    return refused.value.code, refused.value.tag


def test_arrival_with_every_typed_field() -> None:
    event = arrived()
    assert event == InstanceArrived(
        "2.999.1",
        "2.999.1.2",
        "2.999.1.2.3",
        STAMP,
        InstanceHeader("1.2.840.10008.5.1.4.1.1.2", 7, 6, "2.999.9"),
        SeriesHeader(
            modality="CT",
            series_number=3,
            body_part_examined="CHEST",
            laterality="L",
            patient_id="P1",
            issuer_of_patient_id="urn:oid:2.999.8",
            accession=Accession("A1", "RIS"),
        ),
        True,
        200,
        (),
    )
    assert (type(event.stamp), type(event.instance)) == (Stamp, InstanceHeader)


def test_arrival_with_what_is_required_only() -> None:
    event = read(
        {**ENVELOPE, **INSTANCE, "event": "instance.arrived", "patient_id": None, "accession_number": ""}
    )
    assert isinstance(event, InstanceArrived)
    assert (event.header, event.expected, event.warnings) == (SeriesHeader(), None, ())


def test_the_other_events() -> None:
    removal = STAMP._replace(removal=True)
    place = ("2.999.1", "2.999.1.2")
    assert read({**ENVELOPE, **INSTANCE, "event": "instance.deleted"}) == InstanceDeleted(
        *place, "2.999.1.2.3", removal
    )
    completed = {**ENVELOPE, **SERIES, "event": "series.completed", "number_of_series_related_instances": 5}
    assert read(completed) == SeriesCompleted(*place, STAMP, 5)
    updated = {**ENVELOPE, "event": "study.updated", "study_instance_uid": "2.999.1", "patient_id": "P2"}
    assert read(updated) == StudyUpdated("2.999.1", STAMP, SeriesHeader(patient_id="P2"))
    withdrawn = {**ENVELOPE, **SERIES, "event": "selection.withdrawn", "selection": {"selection_id": "s|1"}}
    assert read(withdrawn) == SelectionWithdrawn(*place, "s|1", removal)
    assert isinstance(read({**FULL, "event": "report.arrived"}), InstanceArrived)


@pytest.mark.parametrize("field", ["event", "event_id", "source", "occurred_at"])
@pytest.mark.parametrize("value", [None, 5, "", ["x"]])
def test_envelope_is_required(field: str, value: Any) -> None:
    name = (
        DeadLetterCode.UNKNOWN_EVENT if (field, value) == ("event", "") else DeadLetterCode.UNDECODABLE_RECORD
    )
    assert refusal({**FULL, field: value}) == (name, field)
    missing = {name: member for name, member in FULL.items() if name != field}
    assert refusal(missing) == (DeadLetterCode.UNDECODABLE_RECORD, field)


def test_unknown_event_whatever_else_is_missing() -> None:
    assert refusal({"event": "something.new"}) == (DeadLetterCode.UNKNOWN_EVENT, "event")
    assert refusal({**FULL, "event": "something.new"}) == (DeadLetterCode.UNKNOWN_EVENT, "event")


@pytest.mark.parametrize(
    ("event", "field", "tag"),
    [
        ("instance.arrived", "study_instance_uid", "(0020,000D)"),
        ("instance.arrived", "series_instance_uid", "(0020,000E)"),
        ("instance.arrived", "sop_instance_uid", "(0008,0018)"),
        ("instance.arrived", "sop_class_uid", "(0008,0016)"),
        ("instance.deleted", "sop_instance_uid", "(0008,0018)"),
        ("series.completed", "series_instance_uid", "(0020,000E)"),
        ("study.updated", "study_instance_uid", "(0020,000D)"),
        ("selection.made", "series_instance_uid", "(0020,000E)"),
        ("selection.withdrawn", "study_instance_uid", "(0020,000D)"),
    ],
)
def test_uids_are_required(event: str, field: str, tag: str) -> None:
    assert refusal({**FULL, "event": event, field: None}) == (DeadLetterCode.MISSING_UID, tag)
    assert refusal({**FULL, "event": event, field: "1.x"}) == (DeadLetterCode.INVALID_UID, tag)
    assert refusal({**FULL, "event": event, field: 12}) == (DeadLetterCode.UNDECODABLE_RECORD, field)


@pytest.mark.parametrize(
    ("said", "prior", "present"),
    [
        ({"prior_study_instance_uid": "1.1", "study_instance_uid": "1.2"}, ("1.1",), ("1.2",)),
        (
            {"prior_study_instance_uid": "1.1", "series_instance_uid": "2.1", "study_instance_uid": "1.2"},
            ("1.1", "2.1"),
            ("1.2", "2.1"),
        ),
        (
            {
                "study_instance_uid": "1.1",
                "series_instance_uid": "2.1",
                "sop_instance_uid": "3.2 ",
                "prior_sop_instance_uid": "3.1",
            },
            ("1.1", "2.1", "3.1"),
            ("1.1", "2.1", "3.2"),
        ),
    ],
    ids=["a study", "a series moves", "an instance"],
)
def test_a_changed_uid_that_is_said_once_is_the_same_on_both_sides(
    said: dict[str, str], prior: tuple[str, ...], present: tuple[str, ...]
) -> None:
    changed = read({**ENVELOPE, **said, "event": "uid.changed"})
    assert changed == UidChanged(Scope(*prior), Scope(*present), STAMP)


def test_a_changed_uid_needs_those_above_it() -> None:
    alone = {**ENVELOPE, "event": "uid.changed", "prior_sop_instance_uid": "3.1", "sop_instance_uid": "3.2"}
    assert refusal(alone) == (DeadLetterCode.MISSING_UID, "(0020,000D)")
    in_study = {**alone, "study_instance_uid": "1.1"}
    assert refusal(in_study) == (DeadLetterCode.MISSING_UID, "(0020,000E)")


def test_a_report_without_object_and_uids_cannot_be_read() -> None:
    assert refusal({**ENVELOPE, "event": "report.arrived"}) == (DeadLetterCode.UNDECODABLE_RECORD, "document")


def test_padding_makes_no_other_instance_and_a_leading_zero_does() -> None:
    padded = arrived(sop_instance_uid="2.999.1.2.3\0", series_instance_uid=" 2.999.1.2 ")
    assert padded[:3] == arrived()[:3]
    assert padded.warnings == (WarningCode.UID_PADDING_STRIPPED,)
    zero = arrived(sop_instance_uid="2.999.1.2.03")
    assert (zero.sop_instance_uid, zero.warnings) == ("2.999.1.2.03", (WarningCode.UID_LEADING_ZERO,))


@pytest.mark.parametrize(
    ("field", "value", "warning"),
    [
        ("instance_number", -1, WarningCode.BAD_VR),
        ("instance_number", "7", WarningCode.BAD_VR),
        ("instance_number", 2**31, WarningCode.BAD_VR),
        ("instance_number", True, WarningCode.BAD_VR),
        ("number_of_frames", 0, WarningCode.BAD_VR),
        ("number_of_frames", 1.5, WarningCode.BAD_VR),
        ("series_number", -3, WarningCode.SERIES_NUMBER_UNUSABLE),
        ("series_number", 10**30, WarningCode.SERIES_NUMBER_UNUSABLE),
        ("modality", ["CT"], WarningCode.BAD_VR),
        ("modality", "  ", WarningCode.BAD_VR),
        ("body_part_examined", {"a": 1}, WarningCode.BAD_VR),
        ("laterality", 1, WarningCode.BAD_VR),
        ("patient_id", 12, WarningCode.BAD_VR),
        ("patient_id", "P\x07", WarningCode.TEXT_UNDECODABLE),
        ("issuer_of_patient_id", False, WarningCode.BAD_VR),
        ("accession_number", "\t", WarningCode.BAD_VR),
        ("issuer_of_accession_number", [], WarningCode.BAD_VR),
        ("frame_of_reference_uid", 1, WarningCode.INVALID_UID),
        ("frame_of_reference_uid", "FOR", WarningCode.INVALID_UID),
        ("number_of_series_related_instances", "many", WarningCode.BAD_VR),
    ],
)
def test_a_bad_optional_value_is_dropped_alone(field: str, value: Any, warning: WarningCode) -> None:
    without = arrived(**{field: None})
    assert arrived(**{field: value}) == without._replace(warnings=(warning,))


def test_values_that_need_no_warning() -> None:
    assert arrived(instance_number=7.0) == arrived()
    assert arrived(patient_id=" P1 ") == arrived()
    first = arrived(modality="CT\\PT")
    assert (first.header, first.warnings) == (arrived().header, (WarningCode.MULTIVALUED_TEXT,))


def test_warnings_of_one_arrival_do_not_stay_with_its_series() -> None:
    assert arrived(instance_number=-1, sop_instance_uid="2.999.1.2.3 ").warnings == (
        WarningCode.UID_PADDING_STRIPPED,
        WarningCode.BAD_VR,
    )
    assert arrived().warnings == ()


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2024-03-11T09:15:00.123456-03:30", 1_710_161_100_123_456),
        ("2024-03-11t08:15:00z", 1_710_144_900_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
def test_occurred_at_is_exact_in_utc(text: str, us: int) -> None:
    assert arrived(occurred_at=text).stamp.occurred_at_us == us


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-11T09:15:00",
        "2024-03-11",
        "2024-13-11T09:15:00Z",
        "9999-12-31T23:59:60Z",
        "now",
        1_710_144_900,
    ],
)
def test_no_instant_is_guessed(text: Any) -> None:
    assert refusal({**FULL, "occurred_at": text}) == (DeadLetterCode.UNDECODABLE_RECORD, "occurred_at")


def test_messages_tell_no_values() -> None:
    for field, value in {"occurred_at": "SECRET", "event_id": ["SECRET"], "sop_class_uid": "SECRET"}.items():
        with pytest.raises(Refused) as refused:
            read({**FULL, field: value})
        assert "SECRET" not in refused.value.message


def test_of_equal_names_the_last_holds() -> None:
    twice = dump(FULL)[:-1] + b',"event":"series.completed","series_number":-1}'
    assert isinstance(json_events.to_event(event_fields.decode(twice), DIGEST), SeriesCompleted)


def test_the_same_from_an_avro_record() -> None:
    since = datetime.fromisoformat(ENVELOPE["occurred_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
    record = {**FULL, "occurred_at": since // timedelta(microseconds=1), "document": b"\0\xff"}
    fields = event_fields.from_mapping(record)
    assert json_events.to_event(fields, DIGEST) == arrived()
    assert fields.document == b"\0\xff"
    mended = event_fields.from_mapping({**record, "instance_number": -1, "dataset": '{"00080018": {}}'})
    assert isinstance(mended, event_fields.MendedFields)
    assert (mended.dataset, mended.document, mended.dropped) == ({"00080018": {}}, b"\0\xff", ("bad_vr",))
    with pytest.raises(Refused) as refused:
        event_fields.from_mapping({**record, "occurred_at": 2**62})
    assert refused.value.tag == "occurred_at"


@pytest.mark.parametrize(
    ("field", "value"),
    [("dataset", [1]), ("document", "%%"), ("document", 5), ("uri", 5), ("selection", "x")],
)
def test_an_object_of_the_wrong_type_is_refused(field: str, value: Any) -> None:
    assert refusal({**FULL, field: value}) == (DeadLetterCode.UNDECODABLE_RECORD, field)


def test_base64_may_have_line_ends() -> None:
    assert event_fields.decode(dump({**FULL, "document": "AP\r\n8=\n"})).document == b"\0\xff"
