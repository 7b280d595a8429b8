"""The house: what lies at the top, names, sizes, and a head that says what may live in a file."""

import ast
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIT = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"]


def ours() -> list[str]:
    """Files of the project; without git (an unpacked source archive) all but what tools leave behind."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listed = subprocess.run(GIT, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        return [path for path in listed if (ROOT / path).exists()]
    left = re.compile(r"(^|/)(\.|__pycache__/|build/|dist/)")
    files = (str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file())
    return [path for path in files if not left.search(path)]


OURS = ours()
MODULES = sorted(path for path in (ROOT / "processors").rglob("*.py"))
TOP = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "deploy",
    "processors",
    "pyproject.toml",
    "requirements.lock",
    "schemas",
    "tests",
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_top_level_holds_what_belongs_there() -> None:
    assert {path.split("/")[0] for path in OURS if not path.startswith(".")} <= TOP


def test_no_file_is_a_drawer_for_odds_and_ends() -> None:
    drawers = re.compile(r"(^|_)(utils?|helpers?|common|base|manager|handlers?|misc)(_|\.|$)")
    parts = {part for path in OURS for part in Path(path).parts}
    assert sorted(part for part in parts if drawers.search(part)) == []


def test_files_are_short() -> None:
    lengths = {name(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > 400} == {}
    assert statistics.median(lengths.values()) < 150


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and length of each function, its docstring not counted."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            said = node.body[0] if ast.get_docstring(node) is not None else None
            spoken = said.end_lineno - said.lineno + 1 if said and said.end_lineno else 0
            yield f"{name(path)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1 - spoken


def test_functions_are_short() -> None:
    assert {f: n for path in MODULES for f, n in functions(path) if n > 40} == {}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_file_says_what_may_live_in_it(path: Path) -> None:
    head = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    if path.name == "__main__.py":
        assert head
    elif path.name == "__init__.py":
        assert head, "a room needs its line"
    else:
        assert re.search(r"Rules of this file:|^`imaging-reference ", head)


def test_core_needs_the_standard_library_only() -> None:
    for path in (ROOT / "processors/core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            imported = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported = [node.module or ""]
            for module in imported:
                top = module.split(".")[0]
                assert top in sys.stdlib_module_names or top == "processors", f"{name(path)}: {module}"


def test_scripts_parse_and_may_be_run() -> None:
    for script in [
        ROOT / "deploy/demo",
        ROOT / "deploy/picture",
        ROOT / "deploy/test",
        ROOT / ".ci/run",
        ROOT / "deploy/environment",
    ]:
        subprocess.run(["bash", "-n", script], check=True)
        assert script.name == "environment" or script.stat().st_mode & 0o111


def test_nothing_names_the_machine_it_was_written_on() -> None:
    homes = re.compile(rf"{Path.home()}/|/home/\w")
    texts = {path: (ROOT / path).read_bytes().decode("utf-8", "replace") for path in OURS}
    found = [path for path, text in texts.items() if str(ROOT) + "/" in text or homes.search(text)]
    assert [path for path in found if path != name(Path(__file__))] == []
