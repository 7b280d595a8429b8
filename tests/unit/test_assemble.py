"""`assemble`: what counts as input, and what is written for it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from processors.assemble import assemble
from processors.errors import UsageError
from processors.input_files import inputs_of
from processors.settings import Settings
from tests.builders.images import ct, encoded


def _events(*numbers: int) -> bytes:
    lines = [
        {
            "event": "instance.arrived",
            "event_id": str(number),
            "source": "PACS_A",
            "occurred_at": f"2026-01-02T10:00:{number:02}+01:00",
            "study_instance_uid": "2.999.1",
            "series_instance_uid": "2.999.1.2",
            "sop_instance_uid": f"2.999.1.2.{number}",
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        }
        for number in numbers
    ]
    return "\n".join(map(json.dumps, lines)).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files in a subfolder, events, a zip with one more image, and something that is no DICOM."""
    (tmp_path / "b").mkdir()
    for number in (2, 1):
        (tmp_path / "b" / f"{number}.dcm").write_bytes(encoded(ct(number)))
    (tmp_path / "a.ndjson").write_bytes(_events(5, 6))
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("deep/3.dcm", encoded(ct(3)))
    (tmp_path / "d.txt").write_text("no DICOM")
    return tmp_path


def test_folders_zips_and_events_are_one_input(folder: Path) -> None:
    out, facts, put_aside = io.StringIO(), io.StringIO(), io.StringIO()
    sizes: list[int] = []
    inputs = inputs_of([folder])
    assert [Path(each.name).name for each in inputs] == ["a.ndjson", "1.dcm", "2.dcm", "3.dcm", "d.txt"]

    summary = assemble(inputs, Settings(), out, facts, put_aside, sizes.append)

    (resource,) = map(json.loads, out.getvalue().splitlines())
    assert [each["uid"] for each in resource["instance"]] == [
        f"2.999.1.2.{number}" for number in (1, 2, 3, 5, 6)
    ]
    (fact,) = map(json.loads, facts.getvalue().splitlines())
    assert (fact["reference_id"], fact["revision"]) == (resource["id"], 1)
    (letter,) = map(json.loads, put_aside.getvalue().splitlines())
    assert (letter["code"], Path(letter["input"]).name) == ("not_dicom", "d.txt")
    assert sizes == [each.size for each in inputs]
    assert (summary.inputs, summary.references, summary.facts) == (6, 1, 1)
    assert sum(summary.dispositions.values()) == summary.inputs


def test_a_series_known_from_files_only_is_not_dated(folder: Path) -> None:
    out = io.StringIO()
    assemble(inputs_of([folder / "b"]), Settings(), out)
    assert "issued" not in json.loads(out.getvalue())


@pytest.mark.parametrize("missing", ["nothing.dcm", "b/gone.dcm"])
def test_what_cannot_be_read_is_named(folder: Path, missing: str) -> None:
    (folder / "b" / "gone.dcm").symlink_to(folder / "nowhere")
    with pytest.raises(UsageError, match=f"cannot read .*{Path(missing).name}"):
        inputs_of([folder / missing if missing == "nothing.dcm" else folder])
