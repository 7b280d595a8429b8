"""`assemble` from the command line: its outputs, counts and exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from tests.builders.images import ct, encoded
from tests.unit.dicom.report_items import image_item, report_of

Call = Callable[..., tuple[int, str, str]]
IMAGE = str(get_testdata_file("CT_small.dcm"))


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "notes.txt"
    path.write_text("no image")
    return str(path)


def test_references_go_to_standard_output_and_counts_to_standard_error(call: Call) -> None:
    code, out, err = call("assemble", IMAGE)
    assert code == 0
    (reference,) = map(json.loads, out.splitlines())
    assert reference["resourceType"] == "ImagingSelection"
    assert err == "inputs 1 (applied 1); references 1; facts 1; dead letters 0\n"


@pytest.mark.parametrize(
    ("release", "resource_type", "status"),
    [("R4", "Basic", None), ("R5", "ImagingSelection", "available"), ("R6", "ImagingSelection", "available")],
)
def test_the_release_wins_over_the_settings(
    call: Call, monkeypatch: pytest.MonkeyPatch, release: str, resource_type: str, status: str | None
) -> None:
    monkeypatch.setenv("IMAGING_REFERENCE__FHIR__RELEASE", "R4" if release == "R5" else "R5")
    _, out, _ = call("assemble", "--release", release, IMAGE)
    (reference,) = map(json.loads, out.splitlines())
    assert (reference["resourceType"], reference.get("status")) == (resource_type, status)
    if release == "R6":
        assert isinstance(reference["derivedFrom"], dict)


def test_each_output_has_its_file(call: Call, tmp_path: Path, text: str) -> None:
    names = ["out", "analytics", "dead-letters"]
    options = [word for name in names for word in (f"--{name}", str(tmp_path / name))]
    code, out, err = call("assemble", *options, IMAGE, text)
    assert (code, out) == (0, "")
    assert err == ("inputs 2 (applied 1, dead_lettered not_dicom 1); references 1; facts 1; dead letters 1\n")
    reference, fact, letter = (json.loads((tmp_path / name).read_text("utf-8")) for name in names)
    assert reference["id"] == fact["reference_id"]
    assert (letter["code"], letter["input"]) == ("not_dicom", text)


def test_an_unfinished_report_is_withheld_where_the_site_says_so(call: Call, tmp_path: Path) -> None:
    config, unfinished = tmp_path / "site.toml", tmp_path / "report.dcm"
    report = report_of(image_item(ct(1)))
    report.CompletionFlag = "PARTIAL"
    unfinished.write_bytes(encoded(report))
    _, out, err = call("assemble", str(unfinished))
    assert (len(out.splitlines()), err.partition(";")[0]) == (1, "inputs 1 (applied 1)")
    config.write_text('[reports]\nunfinished = "withhold"\n')
    _, out, err = call("assemble", "--config", str(config), str(unfinished))
    assert (out, err.partition(";")[0]) == ("", "inputs 1 (ignored unfinished_report 1)")


def test_a_sites_settings_reach_what_is_published(call: Call, tmp_path: Path) -> None:
    config, image = tmp_path / "site.toml", tmp_path / "image.dcm"
    image.write_bytes(encoded(ct(1)))
    config.write_text('[fhir.body_sites]\nChest = ["51185008", "Mine"]\n')
    facts = tmp_path / "facts"
    _, out, _ = call("assemble", "--config", str(config), "--analytics", str(facts), str(image))
    (reference,) = map(json.loads, out.splitlines())
    coding = {"system": "http://snomed.info/sct", "code": "51185008", "display": "Mine"}
    assert reference["bodySite"] == {"concept": {"coding": [coding], "text": "CHEST"}}
    (fact,) = map(json.loads, facts.read_text("utf-8").splitlines())
    assert fact["body_site"]["coding"] == coding


def test_strict_fails_on_a_dead_letter_only(call: Call, text: str) -> None:
    assert call("assemble", "--strict", IMAGE)[0] == 0
    assert call("assemble", "--strict", IMAGE, text)[0] == 1


@pytest.mark.parametrize(
    ("place", "code", "line"),
    [
        ("missing/f", 2, "missing/f: No such file or directory"),
        (
            ".",
            2,
            "Invalid value for '--out': File '.' is a directory. See imaging-reference assemble --help.",
        ),
        ("/dev/full", 1, "No space left on device"),
    ],
)
def test_an_output_that_cannot_be_written_is_one_line(call: Call, place: str, code: int, line: str) -> None:
    assert call("assemble", "--out", place, IMAGE) == (code, "", f"imaging-reference: {line}\n")
