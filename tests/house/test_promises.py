"""What the README, the version and the lock file promise."""

import re
import shlex
import tomllib
from importlib import metadata
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from processors import telemetry
from processors.cli import program
from processors.errors import DeadLetterCode, IgnoredReason, WarningCode
from processors.settings import Settings, load
from processors.stream.topics import TOPICS
from tests.builders import phantom

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
COMMANDS = re.findall(r"^\$ (.+)$", README, re.MULTILINE)


def normal(requirement: str) -> str:
    """PEP 503 name of a requirement."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower()


@pytest.mark.parametrize("line", sorted(set(COMMANDS + re.findall(r"`(imaging-reference [^`]+)`", README))))
def test_a_command_of_the_readme_exists_with_its_options(line: str) -> None:
    executable, *arguments = shlex.split(line)
    if executable.startswith("deploy/"):
        assert (ROOT / executable).exists()
        if executable == "deploy/test":
            return
        arguments = [Path(executable).name, *arguments]
    command: click.Command = program
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), arguments.pop(0))
        assert found is not None
        command = found
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {each for each in arguments if each.startswith("-")} <= known


def test_the_readme_s_settings_load(tmp_path: Path) -> None:
    block = re.search(r"```toml\n(.+?)```", README, re.DOTALL)
    assert block is not None
    path = tmp_path / "site.toml"
    path.write_text(block[1], encoding="utf-8")
    assert load(path, {}).kafka["bootstrap.servers"] == "broker:9092"


def test_the_readme_s_picture_is_what_its_command_makes(tmp_path: Path) -> None:
    script = (ROOT / "deploy/picture").read_text("utf-8").replace("\\\n", " ").replace("$work", str(tmp_path))
    shown = "deploy/pictures/segment.png"
    assert f"({shown})" in README
    phantom.main(str(tmp_path / "study"))
    for line in script.splitlines():
        if line.startswith(".venv/bin/imaging-reference"):
            words = shlex.split(line.replace(shown, str(tmp_path / "made.png")))
            program.main(words[1:], standalone_mode=False)
    made, kept = (np.asarray(Image.open(path)).astype(int) for path in (tmp_path / "made.png", ROOT / shown))
    assert made.shape == kept.shape
    assert np.abs(made - kept).mean() < 1
    assert (ROOT / shown).stat().st_size < 60_000


def test_the_readme_s_page_is_a_small_picture() -> None:
    shown = ROOT / "deploy/pictures/page.png"
    assert "(deploy/pictures/page.png)" in README
    with Image.open(shown) as page:
        assert page.size[0] >= 1_000
    assert shown.stat().st_size < 60_000


def test_the_readme_s_topics_are_the_default_ones() -> None:
    table = set(re.findall(r"^\| `([\w-]+)` \|", README, re.MULTILINE))
    assert table == {getattr(Settings().topics, role) for role in TOPICS}
    assert table == {path.name for path in (ROOT / "schemas").iterdir() if path.is_dir()}


def test_files_the_readme_names_are_there() -> None:
    named = re.findall(r"`((?:processors|schemas|deploy|tests)/[\w./]*|\w+\.(?:md|toml|lock))`", README)
    assert len(named) >= 5
    assert [path for path in named if not (ROOT / path).exists() and path != "site.toml"] == []


def test_the_version_is_said_once() -> None:
    version = PYPROJECT["version"]
    assert metadata.version(PYPROJECT["name"]) == version
    sources = [path.read_text("utf-8") for path in (ROOT / "processors").rglob("*.py")]
    said = re.compile(rf'version[^\n]*"{re.escape(version)}"', re.IGNORECASE)
    assert [found for text in sources for found in said.findall(text)] == []


def test_the_changelog_knows_what_is_coming_or_this_version() -> None:
    titles = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert {"Unreleased", PYPROJECT["version"]} & set(titles)


def test_the_lock_holds_every_dependency_by_hash_and_names_no_index() -> None:
    extras = PYPROJECT["optional-dependencies"].values()
    wanted = {normal(each) for group in [PYPROJECT["dependencies"], *extras] for each in group}
    locked = {normal(line) for line in re.findall(r"^[\w.-]+==\S+ \\$", LOCK, re.MULTILINE)}
    assert wanted - locked == set()
    assert len(re.findall(r"^\S+==[^\\]+ \\\n    --hash=sha256:", LOCK, re.MULTILINE)) == len(locked)
    assert not re.search(r"https?:|^--|@ ", LOCK, re.MULTILINE)


def test_every_code_is_countable() -> None:
    telemetry.step_committed(
        {("dead_lettered", code): 1 for code in DeadLetterCode}
        | {("ignored", why): 1 for why in IgnoredReason},
        {("warning", code): 1 for code in WarningCode},
    )
    text = telemetry.exposition()[1].decode()
    for code in DeadLetterCode:
        assert f'imaging_reference_dead_letters_total{{code="{code}"}}' in text
    for why in IgnoredReason:
        assert f'imaging_reference_records_total{{disposition="ignored",reason="{why}"}}' in text
    for warning in WarningCode:
        assert f'imaging_reference_warnings_total{{code="{warning}"}}' in text
