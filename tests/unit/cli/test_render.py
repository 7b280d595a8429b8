"""`render` from the command line: paths, several references in a file, wrong use, the extra missing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

Call = Callable[..., tuple[int, str, str]]
IMAGES = [str(get_testdata_file(name)) for name in ("CT_small.dcm", "MR_small.dcm")]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def references(call: Call, tmp_path: Path) -> Path:
    """Both images' series, one a line."""
    path = tmp_path / "references.ndjson"
    assert call("assemble", "--out", str(path), *IMAGES)[0] == 0
    return path


def test_one_of_several_references_is_drawn_from_all_paths(
    call: Call, references: Path, tmp_path: Path
) -> None:
    out = tmp_path / "picture.png"
    for line in references.read_text("utf-8").splitlines():
        wanted = json.loads(line)["id"]
        said = ["--images", *IMAGES, "--out", str(out), "--id", wanted]
        assert call("render", str(references), *said) == (0, "", "")
        assert out.read_bytes().startswith(PNG)
        out.unlink()


def test_a_single_resource_and_the_options(call: Call, references: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.json"
    lines = references.read_text("utf-8").splitlines()
    one.write_text(json.dumps(json.loads(lines[0]), indent=2))
    out = tmp_path / "picture.png"
    options = ["--size", "64", "--frames", "1", "--window", "40/400"]
    code, _, err = call("render", *options, "--out", str(out), str(one), "--images", *IMAGES)
    assert (code, err) == (0, "")
    assert out.read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--id", "x"], "holds no reference with this id"),
        ([], "holds 2 references: say which one, --id"),
        (["--window", "wide"], "center and width as C/W"),
        (["--window", "40/0"], "a width of 1 or more"),
        (["--frames", "0"], "--frames"),
    ],
)
def test_wrong_use_is_one_line(
    call: Call, references: Path, tmp_path: Path, arguments: list[str], line: str
) -> None:
    out = tmp_path / "p.png"
    code, shown, err = call("render", str(references), "--images", *IMAGES, "--out", str(out), *arguments)
    assert (code, shown, err.count("\n")) == (2, "", 1)
    assert line in err
    assert not out.exists()


def test_what_is_no_json_is_told(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"resourceType"')
    code, _, err = call("render", str(path), "--images", *IMAGES, "--out", str(tmp_path / "p.png"))
    assert (code, err.count("\n")) == (2, 1)
    assert "not well-formed JSON" in err


@pytest.mark.parametrize("library", ["numpy", "PIL"])
def test_without_the_extra_one_line_says_what_to_install(
    call: Call, references: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    for module in [
        each for each in sys.modules if each.startswith(("processors.render", "processors.dicom"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    code, _, err = call(
        "render", str(references), "--images", *IMAGES, "--out", str(tmp_path / "p.png"), "--id", "x"
    )
    assert code == 2
    assert err == (
        "imaging-reference: pictures need the extra `render`: "
        "pip install 'imaging-reference-processors[render]'\n"
    )
