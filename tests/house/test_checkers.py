"""Each checker is fed bad cases, so that a slip in its configuration cannot turn it off unseen."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def tool(*arguments: str, cwd: Path = ROOT, text: str = "") -> tuple[int, str]:
    """Run a module of this environment; return its exit code and all it says."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, input=text, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("T201", "print(1)\n"),
        ("F401", "import json\n"),
        ("BLE001", "try:\n    X = 1\nexcept Exception:\n    X = 2\n"),
        ("DTZ005", "from datetime import datetime\n\nNOW = datetime.now()\n"),
        ("ERA001", "# x = f(1)\n"),
        ("FIX002", "# TODO: later\n"),
        ("S301", "import pickle\n\nX = pickle.loads(b'')\n"),
        ("TID252", "from .. import errors\n"),
        ("E501", f'X = "{"x" * 120}"\n'),
    ],
)
def test_ruff_sees_a_bad_line(rule: str, code: str) -> None:
    exit_code, said = tool("ruff", "check", "--stdin-filename", "processors/core/bad.py", "-", text=code)
    assert exit_code == 1
    assert rule in said


def test_ruff_format_sees_a_bad_layout() -> None:
    exit_code, _ = tool(
        "ruff", "format", "--check", "--stdin-filename", "processors/bad.py", "-", text="x=1\n"
    )
    assert exit_code == 1


def test_every_ruff_exception_has_its_reason() -> None:
    lines = (
        (ROOT / "pyproject.toml").read_text("utf-8").partition("ignore = [")[2].partition("[tool.mypy]")[0]
    )
    codes = [line for line in lines.splitlines() if re.match(r'\s+"[A-Z]+\d+"|"tests|"processors', line)]
    assert len(codes) > 20
    assert [line for line in codes if "# " not in line and not line.endswith("= [")] == []


def test_mypy_is_strict(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def f(x): return x\ndef g(x: list) -> None: ...\nX: int = 1  # type: ignore[misc]\n")
    config = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path / "cache")]
    exit_code, said = tool("mypy", *config, str(bad), cwd=tmp_path)
    assert exit_code == 1
    assert re.findall(r"\[([a-z-]+)\]$", said, re.MULTILINE) == [
        "no-untyped-def",
        "type-arg",
        "unused-ignore",
    ]


def test_import_linter_sees_each_wall_broken(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "processors", tmp_path / "processors")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    outsiders = (
        "click confluent_kafka fastavro fhir hl7 httpx2 jinja2 markupsafe msgspec numpy opentelemetry PIL "
        "prometheus_client pydicom pygal pynetdicom rich sse_starlette starlette structlog time "
        "urllib3 uvicorn watchfiles websockets zstandard"
    )
    (tmp_path / "processors/core/bad.py").write_text(
        "".join(f"import {module}\n" for module in [*outsiders.split(), "processors.wire"])
    )
    (tmp_path / "processors/unplaced.py").write_text("")
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    names = [contract["name"] for contract in PYPROJECT["tool"]["importlinter"]["contracts"]]
    assert done.returncode == 1
    assert [name for name in names if f"{name} BROKEN" not in done.stdout] == []
    for module in outsiders.split():
        assert f"processors.core.bad -> {module}" in done.stdout, module
    assert "processors.core is not allowed to import processors.wire" in done.stdout
    assert "unplaced" in done.stdout


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import warnings\n\ndef test() -> None:\n    warnings.warn('x')\n", "UserWarning: x"),
        ("import pytest\n\n@pytest.mark.brokr\ndef test() -> None: ...\n", "'brokr' not found in `markers`"),
        ("import pytest\n\n@pytest.mark.xfail\ndef test() -> None: ...\n", "XPASS(strict)"),
        ("import pytest\n\n@pytest.mark.bench\ndef test() -> None: ...\n", "1 deselected"),
    ],
)
def test_pytest_is_strict(tmp_path: Path, code: str, told: str) -> None:
    (tmp_path / "test_bad.py").write_text(code)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    exit_code, said = tool("pytest", "-p", "no:cacheprovider", "test_bad.py", cwd=tmp_path)
    assert exit_code != 0
    assert told in said
