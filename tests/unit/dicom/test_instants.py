"""DA, TM and offset to FHIR instants."""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo

import pytest

from processors.dicom.data_set import DataSet
from processors.dicom.instants import instant
from processors.dicom.reading import Reading

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("da", "tm", "expected", "warnings"),
    [
        ("20240311", "121530", "2024-03-11T12:15:30+01:00", []),
        ("20240311", "121530.5", "2024-03-11T12:15:30.5+01:00", []),
        ("20240311", "121530.000000", "2024-03-11T12:15:30+01:00", []),
        ("20240311", "12:15:30", "2024-03-11T12:15:30+01:00", []),
        ("19620728", "121500", "1962-07-28T12:15:00+01:00", []),
        ("2024.03.11", "121500", "2024-03-11T12:15:00+01:00", ["date_legacy_form"]),
        ("", "121500", "", []),
        ("20240311", "", "", ["time_unusable"]),
        ("20240311", "12", "", ["time_unusable"]),
        ("20240311", "1215", "", ["time_unusable"]),
        ("20240311", "121530.1234567", "", ["time_unusable"]),
        ("20240311", "240000", "", ["time_unusable"]),
        ("20240311", "235960", "", ["time_unusable"]),
        ("2024", "121500", "", ["date_unusable"]),
        ("20240001", "121500", "", ["date_unusable"]),
        ("00000000", "121500", "", ["date_unusable"]),
        ("20230229", "121500", "", ["date_unusable"]),
        ("unknown", "121500", "", ["date_unusable"]),
    ],
)
def test_dates_and_times(da: str, tm: str, expected: str, warnings: list[str]) -> None:
    reading = Reading(DataSet())
    assert instant(da, tm, "+0100", None, reading) == expected
    assert reading.warnings == warnings


@pytest.mark.parametrize(
    ("offset", "site_zone", "ending", "warnings"),
    [
        ("-0330", BERLIN, "-03:30", []),
        ("+0000", None, "+00:00", []),
        ("", BERLIN, "+02:00", []),
        ("", None, "", ["tz_absent"]),
        ("-0000", BERLIN, "+02:00", ["tz_unusable"]),
        ("+1500", None, "", ["tz_unusable", "tz_absent"]),
        ("CEST", BERLIN, "+02:00", ["tz_unusable"]),
    ],
)
def test_zones(offset: str, site_zone: tzinfo | None, ending: str, warnings: list[str]) -> None:
    reading = Reading(DataSet())
    expected = f"2024-07-01T12:00:00{ending}" if ending else ""
    assert instant("20240701", "120000", offset, site_zone, reading) == expected
    assert reading.warnings == warnings


def test_local_mean_time_has_no_fhir_offset() -> None:
    reading = Reading(DataSet())
    assert instant("18900101", "120000", "", BERLIN, reading) == ""
    assert reading.warnings == ["tz_unusable"]
