"""The audit and the bill of materials: what is red, what is said, and that nothing is left out."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.house.audit import LOCK, first_of, verdict

FLAW = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"], "aliases": [], "description": "…"}
CLEAN = {"name": "click", "version": "8.5.1", "vulns": []}
UNKNOWN = {"name": "rich", "version": "15.0.0", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "said", "code"),
    [
        ([CLEAN, {"name": "x", "version": "1.0", "vulns": [FLAW]}], "x 1.0: PYSEC-2026-1, mended in 2.0", 1),
        (
            [{"name": "x", "version": "1.0", "vulns": [{**FLAW, "fix_versions": []}]}],
            "x 1.0: PYSEC-2026-1, mended in no version yet",
            1,
        ),
        ([CLEAN, UNKNOWN], "vulnerabilities: none known of 1 packages, 1 are unknown to the service", 0),
        ([UNKNOWN], "vulnerabilities: not looked up, no advisory service answers from here", 0),
        ([], "vulnerabilities: not looked up, no advisory service answers from here", 0),
    ],
)
def test_a_finding_is_red_and_silence_is_said(packages: list[Any], said: str, code: int) -> None:
    assert verdict({"dependencies": packages}) == ([said], code)


def test_the_probe_is_one_whole_package() -> None:
    probe = first_of(LOCK.read_text("utf-8"))
    assert len(re.findall(r"^[\w.-]+==", probe, re.MULTILINE)) == 1
    assert re.search(r"--hash=sha256:\w{64}\n", probe)


def test_the_bill_of_materials_holds_the_lock_by_version_and_hash(tmp_path: Path) -> None:
    made = tmp_path / "bom.json"
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(LOCK)]
    subprocess.run([*command, "--output-reproducible", "-o", str(made)], check=True)
    bom = json.loads(made.read_text("utf-8"))
    assert bom["bomFormat"] == "CycloneDX"
    listed = {f"{each['name']}=={each['version']}" for each in bom["components"]}
    assert listed == set(re.findall(r"^[\w.-]+==[^ ]+", LOCK.read_text("utf-8"), re.MULTILINE))
    assert all(each["externalReferences"][0]["hashes"] for each in bom["components"])
