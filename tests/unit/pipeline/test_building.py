"""From settings to a topology."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.errors import SettingsError
from processors.pipeline.building import pipeline_of
from processors.pipeline.memory import MemoryMember
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import Record
from processors.settings import load
from tests.builders.images import ct, encoded
from tests.unit.dicom.report_items import image_item, report_of
from tests.unit.pipeline.site import INSTANCES, START_MS, STUDY, facts, image

DICOM = b"application/dicom"
SETTING = "IMAGING_REFERENCE__ANALYTICS__PSEUDONYM_KEY_FILE"


@pytest.mark.parametrize("content", [None, b"", b" \n"])
def test_a_key_that_is_not_there_stops_the_start(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^analytics\.pseudonym_key_file: "):
        pipeline_of(load(None, {SETTING: str(path)}), 3)


def pseudonym(environment: dict[str, str]) -> object:
    site = load(None, environment)
    member = MemoryMember(lambda: pipeline_of(site, 3), 3, site.topics.intake)
    outputs = member.feed([Record(INSTANCES, home_of(STUDY, 3), 0, START_MS, None, image())], START_MS)
    (fact,) = facts(outputs + member.run_out(START_MS))
    return fact["patient_pseudonym"]


def test_a_site_with_a_key_has_pseudonyms(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"secret\n")
    found = pseudonym({SETTING: str(path)})
    path.write_bytes(b"secret")
    assert found == pseudonym({SETTING: str(path)}), "the end of a line is no part of the key"
    assert found is not None
    assert pseudonym({}) is None


def test_a_document_that_takes_longer_than_the_site_allows_is_put_aside() -> None:
    report = encoded(report_of(*(image_item(ct(1)) for _ in range(100))))
    outcomes = []
    for budget_s in ("10", "1e-9"):
        site = load(None, {"IMAGING_REFERENCE__DOCUMENTS__TIME_BUDGET_S": budget_s})
        member = MemoryMember(lambda site=site: pipeline_of(site, 1), 1, site.topics.intake)  # type: ignore[misc]
        member.feed([Record(INSTANCES, 0, 0, START_MS, None, report, [("content-type", DICOM)])], START_MS)
        outcomes.append(dict(member.dispositions))
    assert outcomes == [{("applied", ""): 1}, {("dead_lettered", "time_budget_exceeded"): 1}]
