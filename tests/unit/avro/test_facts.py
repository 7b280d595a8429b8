"""Facts keep their numbers: no overflow, no rounding, no time zone (the same bytes on every machine)."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from processors.avro.facts import decode_fact, encode_fact
from processors.core.events import Code, Concept, Measurement
from processors.core.fact import Fact, InputRange, as_mapping

LONGEST = 2**63 - 1
LEAST = Fact(
    reference_id="r1",
    revision=1,
    kind="plain",
    status="available",
    study_instance_uid="2.999.1",
    series_instance_uid="2.999.1.1",
    code=Concept(None, "note"),
    published_at=1_710_148_500_000_000,
    content_hash="00",
)
MOST = LEAST._replace(
    revision=LONGEST,
    withdrawal_reason="deleted",
    source_document_uid="2.999.1.2",
    sop_class_uid="1.2.3",
    content_item_path="1.2",
    modality="SR",
    code=Concept(Code("urn:oid:2.999", "1", "one"), "eins"),
    body_site=Concept(Code("urn:oid:2.999", "2"), ""),
    instance_count=3,
    frame_count=4,
    region_count=5,
    added=6,
    removed=7,
    changed=8,
    closed_by="quiet",
    expected_instances=0,
    first_instance_at=-1,
    last_instance_at=1_710_148_500_000_001,
    settle_ms=9,
    duplicates=10,
    warnings=("tz_absent",),
    sources=("A", "B"),
    measurements=(Measurement(Code("urn:oid:2.999", "3"), 12.5, "mm"), Measurement(None, 1, "")),
    inputs=(InputRange("dicom-instances", 11, 0, LONGEST),),
    patient_pseudonym="ab",
)


@pytest.mark.parametrize("fact", [LEAST, MOST])
def test_what_is_written_is_read(fact: Fact) -> None:
    assert decode_fact(encode_fact(fact)) == as_mapping(fact)
    assert list(decode_fact(encode_fact(fact))) == list(Fact._fields)


def test_nothing_known_is_null_not_empty() -> None:
    record = as_mapping(LEAST)
    assert record["modality"] is record["body_site"] is record["first_instance_at"] is None
    assert record["code"] == {"coding": None, "text": "note"}
    assert record["expected_instances"] is None
    assert as_mapping(MOST)["expected_instances"] == 0


def test_the_host_s_time_zone_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = set()
    for zone in ("America/New_York", "UTC", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        values.add(encode_fact(MOST))
        assert decode_fact(encode_fact(MOST))["last_instance_at"] == 1_710_148_500_000_001
    monkeypatch.undo()
    time.tzset()
    assert len(values) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"revision": LONGEST + 1}, "revision"),
        ({"revision": 1.5}, "revision"),
        ({"instance_count": True}, "instance_count"),
        ({"published_at": None}, "published_at"),
        ({"first_instance_at": datetime(2024, 3, 11, 9, 15)}, "first_instance_at"),  # noqa: DTZ001 - naive on purpose
        ({"inputs": (InputRange("t", 0, 1, LONGEST + 1),)}, "last_offset"),
        ({"inputs": (InputRange("t", 0, 1.5, 2),)}, "first_offset"),  # type: ignore[arg-type]
        ({"measurements": (Measurement(None, "Doe^Jane", "mm"),)}, "value"),  # type: ignore[arg-type]
        ({"reference_id": ""}, "reference_id"),
    ],
)
def test_a_value_that_does_not_fit_is_named_and_not_written(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=rf": {field}$"):
        encode_fact(MOST._replace(**change))
