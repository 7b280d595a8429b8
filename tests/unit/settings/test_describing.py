"""The page of settings: all that there is, typed as it is read, with a reason each."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from processors.settings import Settings, described, load
from processors.settings.describing import _reasons

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"\| `(\w+)` \| (.+?) \| (?:`(.*)`)? \| (.+) \|")
SECTIONS = [each.name for each in msgspec.structs.fields(Settings)]


def test_the_page_in_deploy_is_what_the_code_says() -> None:
    page = ROOT / "deploy/SETTINGS.md"
    assert page.read_text("utf-8") == described(), f"imaging-reference settings > {page.relative_to(ROOT)}"


def test_every_setting_is_there_with_a_reason() -> None:
    reasons = _reasons()
    assert reasons.pop("Settings")["kafka"]
    silent = [f"{kind}.{field}" for kind, said in reasons.items() for field, why in said.items() if not why]
    assert silent == []
    for section in SECTIONS[1:]:
        table = getattr(Settings(), section)
        rows = re.findall(r"^\| `(\w+)`", described(section).partition("###")[0], re.MULTILINE)
        assert rows == list(table.__struct_fields__)
    page = described()
    assert all(described(section).strip() in page for section in SECTIONS)


@pytest.mark.parametrize("section", SECTIONS[1:])
def test_the_defaults_shown_can_be_written_in_a_file(section: str, tmp_path: Path) -> None:
    lines = described(section).partition("###")[0].splitlines()
    found = [row for row in map(ROW.fullmatch, lines) if row]
    assert len(found) == sum(line.startswith("| `") for line in lines)
    shown = {row[1]: json.loads(row[3]) for row in found}
    file = tmp_path / "site.toml"
    file.write_text(f"[{section}]\n" + "\n".join(f"{row[1]} = {row[3]}" for row in found), "utf-8")
    assert tomllib.loads(file.read_text("utf-8"))[section] == shown
    assert load(file, {}) == Settings()


@pytest.mark.parametrize(
    ("section", "setting", "type_"),
    [
        ("completeness", "quiet_s", "number, > 0, ≤ 315_360_000"),
        ("fhir", "series_instances", '`"always"` or `"omit_when_complete"`'),
        ("fhir", "body_sites", "table of [text, text]"),
        ("documents", "allowed_hosts", "list of text"),
        ("dimse", "ae_title", "text, at most 16 characters"),
        ("dimse", "require_called_ae_title", "true or false"),
        ("reports", "max_contours", "whole number, ≥ 0"),
    ],
)
def test_types_are_in_the_words_of_a_settings_file(section: str, setting: str, type_: str) -> None:
    assert f"| `{setting}` | {type_} | " in described(section)


def test_an_unknown_section_is_no_section() -> None:
    with pytest.raises(KeyError):
        described("kafak")
