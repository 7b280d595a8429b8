from __future__ import annotations

import pytest

from processors.multipart import parts_of

HEAD = b"Content-Type: application/dicom\r\n\r\n"


@pytest.mark.parametrize(
    ("content_type", "body", "parts"),
    [
        ("application/dicom", b"--b\r\nx", [b"--b\r\nx"]),
        ("", b"x", [b"x"]),
        (
            "multipart/related; boundary=b",
            b"preamble\r\n--b\r\n" + HEAD + b"1\r\n--b\r\n\r\n2\r\n--b--",
            [b"1", b"2"],
        ),
        ('Multipart/Related; boundary="b"', b"--b\r\n" + HEAD + b"\r\n\n--b \r\n--b--\r\n", [b"\r\n\n--b "]),
        ("multipart/related; boundary=b", b"--b\r\n" + HEAD + b"1\r\n--b\r\n" + HEAD + b"cut", [b"1"]),
        ("multipart/related; boundary=b", b"", []),
        ("multipart/related", b"--\r\n\r\n1\r\n----", []),
    ],
)
def test_parts(content_type: str, body: bytes, parts: list[bytes]) -> None:
    assert parts_of(body, content_type) == parts
