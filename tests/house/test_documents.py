"""The pages of deploy/: every code explained, every file and section that is named there."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import pytest

from processors.core.reference import WithdrawalReason
from processors.errors import DeadLetterCode, IgnoredReason, WarningCode
from processors.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "deploy").glob("*.md"))
CODES = (ROOT / "deploy/CODES.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("heading", "codes"),
    [("Dead letters", DeadLetterCode), ("Ignored", IgnoredReason), ("Warnings", WarningCode)],
)
def test_every_code_is_explained_once_and_no_other(heading: str, codes: type[StrEnum]) -> None:
    (part,) = re.findall(rf"^## {heading}:.*?(?=^## |\Z)", CODES, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| `(\w+)` (.*) \|$", part, re.MULTILINE)
    assert sorted(code for code, _ in rows) == sorted(codes)
    columns = part.split("|---|", 1)[1].splitlines()[0].count("---") + 1
    for code, row in rows:
        cells = [cell.strip() for cell in row.split("|")[1:]]
        assert (code, len(cells), all(cells)) == (code, columns - 1, True)


def test_every_reason_of_a_withdrawal_is_explained() -> None:
    page = (ROOT / "deploy/SUBSCRIBER.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| .+ \|$", page.partition("## Withdrawn")[2], re.MULTILINE)
    assert sorted(rows) == sorted(WithdrawalReason)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([\w-]+))?\)", text):
        file = page.parent / target if target else page
        assert file.exists(), target
        headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE) if anchor else []
        anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
        assert not anchor or anchor in anchors, f"{target}#{anchor}"
    for path in re.findall(r"`((?:processors|schemas|deploy|tests)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_settings_that_a_page_names_are_settings(page: Path) -> None:
    text = page.read_text("utf-8")
    for section, key in re.findall(r"`([a-z_0-9]+)\.([a-z_0-9]+)(?: = [^`]*)?`", text):
        if section in Settings.__struct_fields__ and section != "kafka":
            assert key in getattr(Settings(), section).__struct_fields__, f"{section}.{key}"


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [page.name for page in PAGES if f"(deploy/{page.name})" not in readme] == []
