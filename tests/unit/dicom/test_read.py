"""Bytes to a data set: every envelope, every kind of damage, and nothing but `Refused` on the way out."""

from __future__ import annotations

import gc
import random
import struct
import sys
import zlib
from typing import cast

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from processors.core.events import Stamp
from processors.dicom import ReadingPolicy, event_of_object, without_pixel_data
from processors.dicom.data_set import Element
from processors.dicom.read import read_object
from processors.dicom.reading import DEFAULT_POLICY, Reading
from processors.dicom.values import items, text
from processors.errors import DeadLetterCode, Refused
from tests.builders.images import ct, encoded
from tests.builders.key_objects import golden_g3, golden_g4

SERIES_UID = b"2.999.1.2"


def bare(dataset: Dataset, *, implicit: bool = False, little: bool = True) -> bytes:
    """The data set without any envelope, as it travels over DIMSE."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, little
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def part_10(data_set: bytes, transfer_syntax_uid: str) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, UID("2.999.1.2.1")
    meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta)
    return b"\x00" * 128 + b"DICM" + buffer.getvalue() + data_set


def element(tag: int, vr: bytes, value: bytes, *, long: bool = False) -> bytes:
    """One explicit VR little endian element; `vr` may be anything."""
    length = struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr + length + value


def refusal(data: bytes, policy: ReadingPolicy = DEFAULT_POLICY) -> Refused:
    with pytest.raises(Refused) as caught:
        event_of_object(data, Stamp(0, False, "", "", b""), policy, dated=False)
    return caught.value


def test_nothing_of_an_object_stays_that_was_read() -> None:
    """Else a backlog of large reports would stay in memory until cycles are looked for."""
    data = golden_g3()
    gc.disable()
    try:
        before = sys.getrefcount(data)
        event_of_object(data, Stamp(0, False, "", "", b""), DEFAULT_POLICY, dated=False)
        without_pixel_data(data, DEFAULT_POLICY)
        assert sys.getrefcount(data) == before
    finally:
        gc.enable()


def series_uid(reading: Reading) -> str:
    return text(reading.dataset, "SeriesInstanceUID", reading)


INFERRED = "transfer_syntax_inferred"
UNWRAPPED = ["nonconformant_part10", INFERRED]


@pytest.mark.parametrize(
    ("data", "warnings"),
    [
        pytest.param(encoded(ct(1)), [], id="Part 10"),
        pytest.param(bare(ct(1)), UNWRAPPED, id="bare, explicit"),
        pytest.param(bare(ct(1), implicit=True), UNWRAPPED, id="bare, implicit"),
        pytest.param(bare(ct(1), little=False), UNWRAPPED, id="bare, big endian"),
        pytest.param(part_10(bare(ct(1), little=False), ExplicitVRBigEndian), [], id="big endian"),
        pytest.param(part_10(bare(ct(1), implicit=True), ImplicitVRLittleEndian), [], id="implicit"),
        pytest.param(part_10(bare(ct(1)), ImplicitVRLittleEndian), [INFERRED], id="says implicit, is not"),
        pytest.param(
            part_10(bare(ct(1)), DeflatedExplicitVRLittleEndian), [INFERRED], id="says deflated, is not"
        ),
        pytest.param(
            part_10(zlib.compress(bare(ct(1)), wbits=-15), DeflatedExplicitVRLittleEndian), [], id="deflated"
        ),
        pytest.param(encoded(ct(1))[128:], None, id="no preamble, prefix kept"),
        pytest.param(encoded(ct(1))[132:], ["nonconformant_part10"], id="meta without preamble"),
        pytest.param(b"\x00" * 128 + b"DICM" + bare(ct(1)), UNWRAPPED, id="preamble without meta"),
        pytest.param(encoded(ct(1)) + b"\x00" * 64, ["nonconformant_part10"], id="filled up"),
    ],
)
def test_reads_what_is_there_whatever_the_envelope_says(data: bytes, warnings: list[str] | None) -> None:
    if warnings is None:
        assert refusal(data).code == DeadLetterCode.NOT_DICOM
        return
    reading = read_object(data)
    assert series_uid(reading) == "2.999.1.2"
    assert reading.warnings == warnings


def test_the_prefix_within_a_value_of_a_bare_data_set_is_no_prefix() -> None:
    filler = element(0x00080008, b"CS", b"Y" * 120 + b"DICM" + b"Y" * 36)
    reading = read_object(filler + bare(ct(1)))
    assert series_uid(reading) == "2.999.1.2"
    assert reading.warnings == UNWRAPPED


def test_a_cut_within_an_element_of_the_header_is_refused() -> None:
    data = encoded(ct(1))
    refused = refusal(data[: data.index(b"\x20\x00\x0e\x00UI") + 12])
    assert (refused.code, refused.tag) == (DeadLetterCode.TRUNCATED_HEADER, "(0020,000E)")


def test_no_cut_of_an_object_ever_gives_another_uid() -> None:
    data = encoded(ct(1))
    for end in range(len(data)):
        try:
            event = event_of_object(data[:end], Stamp(0, False, "", "", b""), ReadingPolicy(), dated=False)
        except Refused:
            continue
        assert event[:3] == ("2.999.1", "2.999.1.2", "2.999.1.2.1")


@pytest.mark.parametrize("encapsulated", [False, True])
def test_a_cut_within_pixel_data_is_a_warning(encapsulated: bool) -> None:
    header = encoded(ct(1))
    fragments = (
        b"\xfe\xff\x00\xe0" + struct.pack("<I", 100) + b"\x01" * 100 + b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    )
    pixels = element(0x7FE00010, b"OB", b"\x01" * 100, long=True)
    if encapsulated:
        pixels = b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff" + fragments
    assert read_object(header + pixels).warnings == []
    assert read_object(header + pixels[:-20]).warnings == ["truncated_pixel_data"]


def nested(levels: int, *, defined: bool) -> bytes:
    """A CT with Content Sequences within each other."""
    undefined = b"\xff\xff\xff\xff"
    start = b"\x40\x00\x30\xa7SQ\x00\x00" + undefined + b"\xfe\xff\x00\xe0" + undefined
    end = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    content = start * levels + end * levels
    if defined:
        content = b""
        for _ in range(levels):
            item = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(content)) + content
            content = element(0x0040A730, b"SQ", item, long=True)
    return encoded(ct(1)) + content


@pytest.mark.parametrize("defined", [False, True])
def test_nesting_is_bounded(defined: bool) -> None:
    assert read_object(nested(30, defined=defined)).warnings == []
    assert refusal(nested(400, defined=defined)).code == DeadLetterCode.NESTING_TOO_DEEP
    assert refusal(nested(50_000, defined=False)).code == DeadLetterCode.NESTING_TOO_DEEP


@pytest.mark.parametrize("vr", [b"\x06\x00", b"??", b"QQ"])
@pytest.mark.parametrize("long", [False, True])
def test_an_element_with_a_junk_vr_costs_nothing_but_itself(vr: bytes, long: bool) -> None:
    data = encoded(ct(1))
    at = data.index(b"\x20\x00\x0d\x00UI")
    reading = read_object(data[:at] + element(0x00181000, vr, b"12345678", long=long) + data[at:])
    assert series_uid(reading) == "2.999.1.2"
    assert reading.warnings == ["bad_vr"]


def test_a_junk_vr_that_hides_the_uids_is_refused_as_such() -> None:
    data = encoded(ct(1))
    at = data.index(b"\x20\x00\x0d\x00UI")
    assert refusal(data[:at] + b"\x18\x00\x00\x10\x06\x00\x07" + data[at:]).code == DeadLetterCode.BAD_VR


def test_an_icon_longer_than_its_item_swallows_nothing() -> None:
    fragments = b"\xfe\xff\x00\xe0\x04\x00\x00\x00\x01\x02\x03\x04\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    icon = b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff" + fragments
    short = len(icon) - 16  # counted without the encapsulation
    item = b"\xfe\xff\x00\xe0" + struct.pack("<I", short) + icon
    sequence = b"\x88\x00\x00\x02SQ\x00\x00" + struct.pack("<I", short + 8) + item
    after = element(0x00900010, b"LO", b"here")
    reading = read_object(encoded(ct(1)) + sequence + after)
    (_, at, length) = cast("Element", reading.dataset.elements[0x00900010])
    assert reading.dataset.data[at : at + length] == b"here"
    assert len(items(reading.dataset, "IconImageSequence", reading)) == 1
    assert reading.warnings == ["dataset_incomplete"]


@pytest.mark.parametrize("defined", [False, True])
def test_a_un_sequence_is_read_as_implicit_little_endian(defined: bool) -> None:
    inner = Dataset()
    inner.StudyInstanceUID = "2.999.77"
    content = (
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + bare(inner, implicit=True) + b"\xfe\xff\x0d\xe0\x00\x00\x00\x00"
    )
    if not defined:
        content += b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
    length = struct.pack("<I", len(content) if defined else 0xFFFFFFFF)
    data = encoded(ct(1)) + b"\x40\x00\x75\xa3UN\x00\x00" + length + content
    reading = read_object(data)
    (study,) = items(reading.dataset, "CurrentRequestedProcedureEvidenceSequence", reading)
    assert text(study, "StudyInstanceUID", reading) == "2.999.77"
    assert reading.warnings == []


def test_limits_of_size() -> None:
    bomb = part_10(zlib.compress(bare(ct(1)) + b"\x00" * 100_000, wbits=-15), DeflatedExplicitVRLittleEndian)
    assert refusal(bomb, ReadingPolicy(max_inflated_bytes=50_000)).code == DeadLetterCode.TOO_LARGE
    assert refusal(bomb, ReadingPolicy(max_object_bytes=100)).code == DeadLetterCode.TOO_LARGE


def test_limits_of_time() -> None:
    slow = ReadingPolicy(time_budget_s=0)
    item = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
    nested = encoded(ct(1)) + element(0x0040A730, b"SQ", item * 1000, long=True)
    assert refusal(nested, slow).code == DeadLetterCode.TIME_BUDGET_EXCEEDED
    deflated = part_10(zlib.compress(bare(ct(1)), wbits=-15), DeflatedExplicitVRLittleEndian)
    assert refusal(deflated, slow).code == DeadLetterCode.TIME_BUDGET_EXCEEDED


def test_limits_of_number() -> None:
    assert refusal(encoded(ct(1)), ReadingPolicy(max_elements=5)).code == DeadLetterCode.TIME_BUDGET_EXCEEDED


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"GIF89a" * 100, b"\x00" * 128 + b"DICM", b"hello world, no image"]
)
def test_what_is_no_dicom_is_refused(data: bytes) -> None:
    assert refusal(data).code == DeadLetterCode.NOT_DICOM


@pytest.mark.parametrize(
    ("charset", "warnings"),
    [
        ("ISO_IR 192", []),
        ("ISO IR 192", []),
        ("ISO_2022_IR_6", ["text_undecodable"]),
        ("utf-8", []),
        ("Not Supplied", ["charset_unknown", "text_undecodable"]),
        ("hex", ["charset_unknown", "text_undecodable"]),
        ("punycode", ["charset_unknown", "text_undecodable"]),
        ("undefined", ["charset_unknown", "text_undecodable"]),
    ],
)
def test_character_sets_by_name(charset: str, warnings: list[str]) -> None:
    data = element(0x00080005, b"CS", charset.encode().ljust((len(charset) + 1) // 2 * 2)) + bare(ct(1))
    name = element(0x00200060, b"CS", "Ж ".encode())
    reading = read_object(part_10(data + name, "1.2.840.10008.1.2.1"))
    read = text(reading.dataset, "Laterality", reading)
    assert (reading.warnings, read == "Ж") == (warnings, "text_undecodable" not in warnings)


@pytest.mark.parametrize("whole", [golden_g3(), golden_g4(), encoded(ct(1)), nested(20, defined=False)])
def test_damaged_bytes_are_read_or_refused(whole: bytes) -> None:
    chance = random.Random(20260102)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 2, 6))):
            at = chance.randrange(128, len(data))
            patch = chance.choice((bytes([chance.randrange(256)]), b"\xff" * 4, b"SQ", b"UN", b"\x06\x00"))
            data[at : at + len(patch)] = patch
        try:
            event_of_object(bytes(data), Stamp(0, False, "", "", b""), ReadingPolicy(), dated=False)
        except Refused as refused:
            assert refused.message  # noqa: PT017  the only exception there may be


def meaning(said: bytes, character_set: bytes = b"") -> bytes:
    """An item of a sequence that holds one code, perhaps in a character set of its own."""
    code = element(0x00080104, b"LO", said)
    own = element(0x00080005, b"CS", character_set) if character_set else b""
    return own + element(0x0040A043, b"SQ", item(code), long=True)


def item(elements: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(elements)) + elements


def meanings(*of_items: bytes) -> list[str]:
    """Code Meaning of each item of a content sequence, after an image's own header."""
    header = bare(ct(1)) + element(0x0040A730, b"SQ", b"".join(map(item, of_items)), long=True)
    reading = read_object(header)
    found = []
    for content in items(reading.dataset, "ContentSequence", reading):
        (code,) = items(content, "ConceptNameCodeSequence", reading)
        found.append(text(code, "CodeMeaning", reading))
    return found


def test_the_same_bytes_mean_what_they_mean_where_they_stand() -> None:
    """Short sequences are kept to be met again; but letters follow the character set around them."""
    latin, cyrillic = b"ISO_IR 100", b"ISO_IR 144"
    plain, other, letter = b"Length", b"Lengthy ", b"\xe4\xe4"
    assert meanings(meaning(plain), meaning(other), meaning(plain)) == ["Length", "Lengthy", "Length"]
    assert meanings(meaning(letter, latin), meaning(letter, cyrillic)) == ["ää", "фф"]
    assert meanings(meaning(plain, latin), meaning(plain, cyrillic)) == ["Length", "Length"]
    seven_bits = b'\x1b$B$"\x1b(B'
    there, here = meanings(meaning(seven_bits, b"\\ISO 2022 IR 87"), meaning(seven_bits))
    assert there == "あ" != here


def test_what_is_met_again_counts_in_the_depth_of_where_it_stands() -> None:
    policy = ReadingPolicy(max_depth=3)
    nested = element(0x0040A043, b"SQ", item(element(0x00400008, b"SQ", item(b""), long=True)), long=True)
    deeper = element(0x0040A730, b"SQ", item(nested), long=True)
    header = bare(ct(1))
    read_object(header + element(0x0040A730, b"SQ", item(nested) + item(b""), long=True), policy)
    with pytest.raises(Refused, match="nested"):
        read_object(header + element(0x0040A730, b"SQ", item(nested) + item(deeper), long=True), policy)
