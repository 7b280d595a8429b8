"""An object without its pixel data makes the same event as the whole."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pydicom.data
import pytest

from processors.core.events import DocumentArrived, InstanceArrived, Stamp
from processors.dicom import ReadingPolicy, event_of_object, without_pixel_data
from processors.errors import DeadLetterCode, Refused, WarningCode
from tests.builders.images import ct, encoded
from tests.builders.key_objects import golden_g3

FILES = sorted(Path(pydicom.data.__file__).parent.glob("test_files/*.dcm"))
STAMP = Stamp(0, False, "", "", b"")
POLICY = ReadingPolicy()
OF_PIXELS = {WarningCode.TRUNCATED_PIXEL_DATA, WarningCode.NONCONFORMANT_PART10}
PIXEL_DATA = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")


def event(data: bytes) -> InstanceArrived | str:
    """Without what the cut may change: a warning of pixel data, or of bytes after them."""
    try:
        arrived = event_of_object(data, STAMP, POLICY, dated=True)
    except Refused as refused:
        return refused.code
    if isinstance(arrived, DocumentArrived):
        return str(arrived.document._replace(content_digest=b""))
    return arrived._replace(warnings=tuple(w for w in arrived.warnings if w not in OF_PIXELS))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_event_is_the_same(path: Path) -> None:
    data = path.read_bytes()
    expected = event(data)
    if isinstance(expected, DeadLetterCode):
        with suppress(Refused):
            assert event(without_pixel_data(data, POLICY)[0]) == expected
        return
    header, is_document = without_pixel_data(data, POLICY)
    assert event(header) == expected
    assert is_document == isinstance(expected, str)
    assert len(header) <= len(data) or path.name == "image_dfl.dcm"


def test_nothing_of_the_pixels_is_left() -> None:
    dataset = ct(1)
    dataset.BitsAllocated = 8
    dataset.PixelData = b"PIXELS" * 1000
    data = encoded(dataset)
    header, _ = without_pixel_data(data, POLICY)
    assert data.startswith(header)
    assert len(header) == data.index(PIXEL_DATA[0])


def test_a_document_is_one() -> None:
    data = golden_g3()
    assert without_pixel_data(data, POLICY) == (data, True)
