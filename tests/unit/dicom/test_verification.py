"""When a report was verified, for comparison: the latest of its verifiers, in one time scale."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from pydicom.dataset import Dataset

from tests.builders.structured_reports import polyline_report
from tests.unit.dicom.report_items import POLICY, read

NINE = 1_767_344_400_000_000
"""2026-01-02T09:00:00Z."""


def verified(*times: str, flag: str = "VERIFIED", **more: str) -> int | None:
    report = polyline_report()
    report.VerificationFlag, report.PreliminaryFlag = flag, "FINAL"
    report.VerifyingObserverSequence = [Dataset() for _ in times]
    for verifier, time in zip(report.VerifyingObserverSequence, times, strict=True):
        verifier.VerificationDateTime = time
    for keyword, value in more.items():
        setattr(report, keyword, value)
    policy = replace(POLICY, site_zone=ZoneInfo("Europe/Zurich"))
    return read(report, policy).verified_at_us


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (("20260102090000+0000",), NINE),
        (("20260102100000",), NINE),
        (("20260102093000.5+0030", "20260102080000+0000"), NINE + 500_000),
        (("202601021000",), NINE),
        (("20260102",), NINE - 10 * 3_600_000_000),
        (("2026",), None),
        (("",), None),
        ((), None),
    ],
    ids=[
        "offset",
        "the site's zone",
        "the latest",
        "to the minute",
        "to the day",
        "a year",
        "empty",
        "none",
    ],
)
def test_the_latest_verification(times: tuple[str, ...], expected: int | None) -> None:
    assert verified(*times) == expected


def test_the_object_s_offset_goes_before_the_site_s() -> None:
    assert verified("20260102090000", TimezoneOffsetFromUTC="+0000") == NINE


def test_only_of_what_is_verified_and_final() -> None:
    assert verified("20260102090000+0000") == NINE
    assert verified("20260102090000+0000", PreliminaryFlag="PRELIMINARY") is None
    assert verified("20260102090000+0000", flag="UNVERIFIED") is None
