"""Faults that people have reported in public, each a few files and what must come of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import SHARED

CASES = SHARED / "cases"
ROOT = Path(__file__).parents[2]


def cases() -> Iterator[str]:
    """Those whose input is files or events, as `run.py` chooses; scripts for a broker are run elsewhere."""
    for folder in sorted(path.parent for path in CASES.glob("*/expected.json")):
        expected = json.loads((folder / "expected.json").read_text("utf-8"))
        files = [folder / each["file"] for each in expected["inputs"] if each.get("file")]
        for_a_broker = any(b"kafka-script" in f.read_bytes()[:200] for f in files if f.suffix == ".json")
        if files and not for_a_broker and expected["outcome"] != "schema_test":
            yield folder.name


@pytest.mark.parametrize("case", list(cases()))
def test_case_holds(case: str, tmp_path: Path) -> None:
    shutil.copytree(CASES / case, tmp_path / case)
    command = [sys.executable, str(CASES / "run.py"), f"{sys.executable} -m processors", str(tmp_path), "-v"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert ran.stdout == "1 of 1 cases hold\n"
