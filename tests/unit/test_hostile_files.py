"""Files that want to harm whoever opens them: bombs, paths that lead out, packed lies."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import pytest

from processors import input_files
from processors.assemble import assemble
from processors.errors import UsageError
from processors.input_files import inputs_of
from processors.settings import Settings
from tests.builders.images import ct, encoded

MIB = 1 << 20


def assembled(path: Path) -> tuple[int, list[tuple[str, str]]]:
    """Number of references; code and input of each dead letter."""
    out, letters = io.StringIO(), io.StringIO()
    summary = assemble(inputs_of([path]), Settings(), out, None, letters)
    told = [json.loads(line) for line in letters.getvalue().splitlines()]
    assert sum(summary.dispositions.values()) == summary.inputs
    return len(out.getvalue().splitlines()), [(each["code"], each["input"]) for each in told]


def test_a_bomb_in_a_zip_is_left_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_files, "MEMBER_BYTES", MIB)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.dcm", encoded(ct(1)))
        archive.writestr("bomb.dcm", bytes(50 * MIB))
        archive.writestr("bomb.ndjson", b" " * 50 * MIB)
    assert path.stat().st_size < MIB
    assert assembled(path) == (
        1,
        [("too_large", f"{path}/bomb.dcm"), ("too_large", f"{path}/bomb.ndjson")],
    )
    bomb = next(each for each in inputs_of([path]) if each.too_large)
    with pytest.raises(UsageError, match="unpack it first"):
        bomb.read()


def test_a_member_that_lies_about_its_size_gives_no_more_than_it_said(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.dcm", bytes(50 * MIB))
    honest = struct.pack("<I", 50 * MIB)
    path.write_bytes(path.read_bytes().replace(honest, struct.pack("<I", 100)))
    (lying,) = inputs_of([path])
    assert lying.size == 100
    with pytest.raises(UsageError, match="cannot read"):
        lying.read()


@pytest.mark.parametrize("name", ["../../out.dcm", "/out.dcm", "..\\out.dcm", "a/../../out.dcm"])
def test_a_member_s_path_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr(name, encoded(ct(1)))
    assert assembled(Path("a.zip")) == (1, [])
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [inner / "a.zip"]


def test_a_zip_in_a_zip_is_no_image(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("1.dcm", encoded(ct(1)))
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.zip", inner.getvalue())
    assert assembled(path) == (0, [("not_dicom", f"{path}/b.zip")])
