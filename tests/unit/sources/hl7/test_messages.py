from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import hl7
import pytest

from processors.dicom import ReadingPolicy
from processors.pipeline.decode import Decoder
from processors.pipeline.records import Record
from processors.sources.hl7.messages import Incomplete, Messages
from processors.sources.ledger import Ledger

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ISSUER = "&2.999.8&ISO"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path, "test")
    yield ledger
    ledger.close()


def msh(kind: str, at: str = "20260102030405+0100") -> str:
    return f"MSH|^~\\&|RIS|HOSP|IMG|HOSP|{at}||{kind}|M1|P|2.5.1"


def events(ledger: Ledger, *segments: str, source: str = "") -> list[dict[str, Any]]:
    message = hl7.parse("\r".join(segments) + "\r")
    found = Messages(ledger, source, ZoneInfo("Europe/Zurich")).events_of(message, NOW)
    for each in found:
        Decoder(ReadingPolicy()).decode(Record("", 0, 0, 1, None, *each), 1)
    return [json.loads(each.value) for each in found]


@pytest.mark.parametrize("trigger", ["A18", "A34", "A36", "A40", "A46", "A47"])
def test_a_merge(ledger: Ledger, trigger: str) -> None:
    (event,) = events(
        ledger, msh(f"ADT^{trigger}"), f"PID|1||NEW^^^{ISSUER}^MR||Doe^Jane", f"MRG|OLD^^^{ISSUER}^MR"
    )
    assert event.pop("event_id").startswith("M1/")
    assert event == {
        "event": "patient.merged",
        "source": "RIS",
        "occurred_at": "2026-01-02T02:04:05Z",
        "prior_patient_id": "OLD",
        "issuer_of_prior_patient_id": "2.999.8",
        "patient_id": "NEW",
        "issuer_of_patient_id": "2.999.8",
    }


def test_ids_are_paired_by_authority_and_groups_by_order(ledger: Ledger) -> None:
    found = events(
        ledger,
        msh("ADT^A40^ADT_A39"),
        "PID|1||A1^^^HOSP~B1^^^CLINIC",
        "MRG|B2^^^CLINIC~A2^^^HOSP~A1^^^HOSP",
        "PID|2||C1",
        "MRG|C2",
    )
    pairs = {(event["prior_patient_id"], event["patient_id"]) for event in found}
    assert pairs == {("B2", "B1"), ("A2", "A1"), ("C2", "C1")}
    assert len({event["event_id"] for event in found}) == 3


@pytest.mark.parametrize(
    ("segments", "field"),
    [
        (("PID|1||NEW", "MRG|"), "MRG-1"),
        (("PID|1||", "MRG|OLD"), "PID-3"),
        (('PID|1||""', "MRG|OLD"), "PID-3"),
        (("PID|1||NEW",), "MRG-1"),
    ],
)
def test_a_merge_without_its_ids_is_incomplete(ledger: Ledger, segments: tuple[str, ...], field: str) -> None:
    with pytest.raises(Incomplete, match=field):
        events(ledger, msh("ADT^A40"), *segments)


ORDER = (
    "PID|1||P1^^^HOSP^MR",
    "ORC|XO|1",
    "OBR|1" + 17 * "|" + "ACC\\T\\1",
)


def test_an_order_updates_its_study_and_so_does_the_patient_s_next_update(ledger: Ledger) -> None:
    segments = (*ORDER[:2], ORDER[2], "ZDS|2.999.1^RIS^Application^DICOM")
    (event,) = events(ledger, msh("ORM^O01"), *segments)
    assert event["event"] == "study.updated"
    assert (event["study_instance_uid"], event["patient_id"]) == ("2.999.1", "P1")
    assert (event["accession_number"], event["issuer_of_patient_id"]) == ("ACC&1", "HOSP")
    (update,) = events(ledger, msh("ADT^A08"), "EVN||20260105", "PID|1||OTHER^^^X^AN~P1^^^HOSP^MR")
    assert (update["study_instance_uid"], update["patient_id"]) == ("2.999.1", "P1")
    assert events(ledger, msh("ADT^A08"), "PID|1||P2^^^HOSP^MR") == []
    kept = "".join(key + value for key, value in ledger.scan(""))
    assert "P1" not in kept


def test_an_imaging_order_names_study_and_accession_in_ipc(ledger: Ledger) -> None:
    (event,) = events(
        ledger,
        msh("OMI^O23^OMI_O23"),
        *ORDER[:2],
        "IPC|ACC2^HOSP^2.999.7^ISO|RP1|2.999.2|SPS1|CT",
        source="ORDERS",
    )
    assert (event["study_instance_uid"], event["source"]) == ("2.999.2", "ORDERS")
    assert (event["accession_number"], event["issuer_of_accession_number"]) == ("ACC2", "2.999.7")


@pytest.mark.parametrize(
    "segments",
    [
        (msh("ORM^O01"), "PID|1||P1", "ORC|CA|1", "ZDS|2.999.1"),
        (msh("ORM^O01"), "PID|1||P1", "ORC|NW|1"),
        (msh("ADT^A01"), "PID|1||P1"),
        (msh("ORU^R01"), "PID|1||P1", "OBR|1"),
    ],
)
def test_other_messages_tell_of_nothing(ledger: Ledger, segments: tuple[str, ...]) -> None:
    assert events(ledger, *segments) == []


@pytest.mark.parametrize(
    ("at", "recorded", "instant"),
    [
        ("20260102030405", "", "2026-01-02T02:04:05Z"),
        ("20260102030405", "20260101101010.5-0500", "2026-01-01T15:10:10.500000Z"),
        ("202601020304+0000", "nonsense", "2026-01-02T03:04:00Z"),
        ("20260102", "", "2026-01-02T00:00:00Z"),
        ("20261302030405+0100", "", "2026-01-02T00:00:00Z"),
        ("", "", "2026-01-02T00:00:00Z"),
    ],
)
def test_when_it_happened(ledger: Ledger, at: str, recorded: str, instant: str) -> None:
    (event,) = events(ledger, msh("ADT^A40", at), f"EVN|A40|{recorded}", "PID|1||NEW", "MRG|OLD")
    assert event["occurred_at"] == instant
