from __future__ import annotations

import os
from pathlib import Path

import pytest

from processors.errors import DeadLetterCode, Refused
from processors.pipeline.claim_checks import ClaimChecks


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "documents"
    (root / "a b").mkdir(parents=True)
    (root / "a b" / "1.dcm").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    (tmp_path / "documents2").mkdir()
    (tmp_path / "documents2" / "1.dcm").write_bytes(b"outside")
    (root / "leaving").symlink_to(tmp_path / "secret")
    (root / "staying").symlink_to(root / "a b" / "1.dcm")
    (root / "circle").symlink_to(root / "circle")
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize(
    "uri",
    [
        "file://{root}/a%20b/1.dcm",
        "file:{root}/a%20b/1.dcm",
        "FILE://localhost{root}/x/../a%20b/1.dcm",
        "file://{root}/staying",
    ],
)
def test_a_file_below_the_root(root: Path, uri: str) -> None:
    assert ClaimChecks(root).fetch(uri.format(root=root), 100) == b"inside"


@pytest.mark.parametrize(
    "uri",
    [
        "file://{root}/../secret",
        "file://{root}/%2e%2e/secret",
        "file://{root}/leaving",
        "file://{root}2/1.dcm",
        "file:///etc/passwd",
        "file://otherhost{root}/a%20b/1.dcm",
        "file:a%20b/1.dcm",
        "file://{root}/a%20b/1.dcm%00",
        "file://{root}/a%20b/1.dcm?x",
        "http://127.0.0.1/1.dcm",
        "https://archive.example/1.dcm",
        "ftp://archive.example/1.dcm",
        "{root}/a b/1.dcm",
        "file://[",
        "",
    ],
)
def test_anything_else_is_refused(root: Path, uri: str) -> None:
    with pytest.raises(Refused) as refused:
        ClaimChecks(root).fetch(uri.format(root=root), 100)
    assert (refused.value.code, refused.value.tag) == (DeadLetterCode.DOCUMENT_REFUSED, "uri")
    assert str(root) not in refused.value.message


@pytest.mark.parametrize("name", ["missing", "a%20b", "circle", "pipe", "x" * 300])
def test_what_cannot_be_read_is_unavailable(root: Path, name: str) -> None:
    with pytest.raises(Refused) as refused:
        ClaimChecks(root).fetch(f"file://{root}/{name}", 100)
    assert refused.value.code is DeadLetterCode.DOCUMENT_UNAVAILABLE


def test_limits(root: Path) -> None:
    with pytest.raises(Refused) as refused:
        ClaimChecks(root).fetch(f"file://{root}/staying", 5)
    assert refused.value.code is DeadLetterCode.TOO_LARGE
    with pytest.raises(Refused) as refused:
        ClaimChecks(None).fetch(f"file://{root}/staying", 100)
    assert refused.value.code is DeadLetterCode.DOCUMENT_REFUSED
