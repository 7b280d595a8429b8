"""Files of many makers, good and broken: each is accounted for, and all that comes of them is valid FHIR."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import pydicom
import pytest

from processors.assemble import assemble
from processors.errors import DeadLetterCode, IgnoredReason
from processors.input_files import Input
from processors.settings import load
from tests.conformance import SHARED

PYDICOM = Path(pydicom.__file__).parent / "data"
SAMPLES = sorted((SHARED / "samples").glob("*.dcm"))
FILES = [*SAMPLES, *sorted(p for p in PYDICOM.rglob("*") if p.is_file() and p.suffix not in {".py", ".pyc"})]
OUTCOMES: dict[str, set[str]] = {
    "applied": {""},
    "duplicate": {""},
    "parked": {""},
    "ignored": set(IgnoredReason),
    "dead_lettered": set(DeadLetterCode),
}


LONGEST_IN_R4 = 3_000_000
"""Characters. An extension for each coordinate: the one reference that is longer takes HAPI two minutes."""


def published_of(
    files: list[Path], settings: dict[str, str] | None = None
) -> tuple[list[str], list[dict[str, str]]]:
    """(references as lines of JSON, dead letters); every file must be accounted for."""
    out, letters = io.StringIO(), io.StringIO()
    inputs = [Input(str(path), path.stat().st_size, path.read_bytes) for path in files]
    summary = assemble(inputs, load(None, settings or {}), out, dead_letters=letters)
    assert sum(summary.dispositions.values()) == summary.inputs
    for outcome, detail in summary.dispositions:
        assert detail in OUTCOMES[outcome]
    return lines(out), [json.loads(line) for line in lines(letters)]


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().split("\n")[:-1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_alone_is_accounted_for(path: Path) -> None:
    references, letters = published_of([path])
    assert {letter["input"] for letter in letters} <= {str(path)}
    assert {letter["code"] for letter in letters} <= set(DeadLetterCode)
    for line in references:
        assert json.loads(line)["status"] == "available"


def test_each_kind_of_sample_that_is_read_gives_references() -> None:
    references, _ = published_of(SAMPLES)
    categories = [category for line in references for category in json.loads(line).get("category", [])]
    codes = {coding["code"] for category in categories for coding in category.get("coding", [])}
    assert {"CT", "MR", "KO", "SR"} <= codes


def test_r6_has_the_references_that_r5_has() -> None:
    """R6's structure and invariants refuse none; no validator knows them (`fhir.r6_structure`)."""
    in_r5, in_r6 = (published_of(FILES, {"IMAGING_REFERENCE__FHIR__RELEASE": r})[0] for r in ("R5", "R6"))
    assert [json.loads(line)["id"] for line in in_r6] == [json.loads(line)["id"] for line in in_r5]


def faults(references: list[str], folder: Path, *options: str) -> list[str]:
    """Errors of HAPI's validator, which needs up to a minute to start."""
    if not (shutil.which("mvn") and shutil.which("java")):
        pytest.fail("missing for the FHIR validator: JDK 17 with Maven (Debian: default-jdk-headless maven)")
    resources = folder / "references.ndjson"
    resources.write_text("\n".join(references), "utf-8")
    validator = ["bash", str(SHARED / "parts" / "validate.sh"), *options, str(resources)]
    ran = subprocess.run(validator, capture_output=True, text=True, check=False, timeout=900)
    judged = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    assert len(judged) == len(references), ran.stderr
    issues = [issue for line in judged for issue in line["issues"]]
    return [issue["message"] for issue in issues if issue["severity"] in ("error", "fatal")]


def test_all_references_are_valid_fhir(tmp_path: Path) -> None:
    references, _ = published_of(FILES)
    assert faults(references, tmp_path) == []


@pytest.mark.parametrize("package", ["0.1.0", "0.0.1-snapshot-2"])
def test_all_references_are_valid_as_basic_of_r4(package: str, tmp_path: Path) -> None:
    """The validator has no cross-version package and refuses its urls, so they are others here."""
    settings = {"IMAGING_REFERENCE__FHIR__RELEASE": "R4", "IMAGING_REFERENCE__FHIR__R4_PACKAGE": package}
    references = []
    for line in published_of(FILES, settings)[0]:
        text = line.replace("http://hl7.org/fhir/5.0/StructureDefinition/extension-", "https://x.example/")
        resource = json.loads(text)
        del resource["meta"]["profile"]
        if len(text) <= LONGEST_IN_R4:
            references.append(json.dumps(resource))
    assert len(references) > 100
    assert faults(references, tmp_path, "--r4") == []
