"""Elements as received to values: nothing raises, nothing is truncated, nothing undecodable gets through."""

from __future__ import annotations

import struct

import pytest

from processors.dicom.data_set import DataSet
from processors.dicom.reading import Reading
from processors.dicom.uids import required_uid, uid
from processors.dicom.values import (
    coordinate,
    decimal,
    first,
    items,
    long_text,
    person_names,
    singles,
    tag_of,
    text,
    unsigned_numbers,
    whole_number,
    whole_numbers,
)
from processors.errors import DeadLetterCode, Refused, WarningCode


def reading_of(
    keyword: str, value: bytes, vr: str = "LO", *, charset: tuple[str, ...] = ("iso8859",)
) -> Reading:
    """A data set of one element, as it comes from a file; `charset` by Python's names."""
    dataset = DataSet(value, encodings=charset)
    dataset.elements[tag_of(keyword)] = (vr.encode(), 0, len(value))
    return Reading(dataset)


@pytest.mark.parametrize(
    ("value", "charset", "expected", "warnings"),
    [
        (b" Lung ", ("iso8859",), "Lung", []),
        (b"Lung\\Axial", ("iso8859",), "Lung\\Axial", ["multivalued_text"]),
        (b"a\x00\x1b\x07b", ("UTF8",), "a b", []),
        (b"  \x00", ("iso8859",), "", []),
        ("Ж".encode("cp1251"), ("iso8859",), "\ufffd", ["text_undecodable"]),
        ("relevé".encode(), ("UTF8",), "relevé", []),
        ("relevé".encode()[:-1], ("UTF8",), "relev\ufffd", ["text_undecodable"]),
        ("relevé".encode("latin-1"), ("latin_1",), "relevé", []),
        (b"\xed\xa0\x80", ("UTF8",), "\ufffd\ufffd\ufffd", ["text_undecodable"]),
        (b"\x1b$B;3ED\x1b(B", ("iso8859", "iso2022_jp"), "山田", []),
    ],
)
def test_text(value: bytes, charset: tuple[str, ...], expected: str, warnings: list[str]) -> None:
    reading = reading_of("SeriesDescription", value, charset=charset)
    assert text(reading.dataset, "SeriesDescription", reading) == expected
    assert reading.warnings == warnings


def test_long_text_keeps_lines_and_backslashes() -> None:
    reading = reading_of("TextValue", b" one \r\ntwo\\three\x07 ", "UT")
    assert long_text(reading.dataset, "TextValue", reading) == "one\ntwo\\three"
    assert reading.warnings == []


def test_the_first_of_several_modalities() -> None:
    reading = reading_of("Modality", b"CT\\PT", "CS")
    assert first(reading.dataset, "Modality", reading) == "CT"
    assert reading.warnings == ["multivalued_text"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" 7", 7),
        (b"+7", 7),
        (b"2.0 ", 2),
        (b"0", 0),
        (b"2147483647", 2147483647),
        (b"", None),
        (b"1.5 ", None),
        (b"-1", None),
        (b"2147483648", None),
        (b"987654321098765432109", None),
        (b"1e3", None),
        (b"1\\2", None),
    ],
)
def test_whole_numbers_are_never_truncated(value: bytes, expected: int | None) -> None:
    reading = reading_of("SeriesNumber", value, "IS")
    number = whole_number(reading.dataset, "SeriesNumber", reading, WarningCode.SERIES_NUMBER_UNUSABLE)
    assert number == expected
    assert reading.warnings == (["series_number_unusable"] if value and expected is None else [])


def test_several_numbers() -> None:
    reading = reading_of("ReferencedFrameNumber", b"5\\1\\x\\3", "IS")
    assert whole_numbers(reading.dataset, "ReferencedFrameNumber", reading) == (5, 1, None, 3)
    reading = reading_of("ReferencedSegmentNumber", struct.pack("<3H", 3, 1, 2), "US")
    assert unsigned_numbers(reading.dataset, "ReferencedSegmentNumber", reading) == (3, 1, 2)
    reading = reading_of("ReferencedContentItemIdentifier", struct.pack("<2I", 1, 70000), "UL")
    assert unsigned_numbers(reading.dataset, "ReferencedContentItemIdentifier", reading) == (1, 70000)
    reading = reading_of("NumericValue", b"12.50 ", "DS")
    assert decimal(reading.dataset, "NumericValue", reading) == 12.5


@pytest.mark.parametrize(
    ("sent", "published"), [(95.3, 95.3), (301, 301), (0.1, 0.1), (1e-7, 1e-7), (-12.5, -12.5), (-0.0, 0)]
)
def test_coordinates_are_the_shortest_decimals_of_their_binary32(sent: float, published: float) -> None:
    reading = reading_of("GraphicData", struct.pack("<f", sent), "FL")
    (value,) = singles(reading.dataset, "GraphicData", reading)
    assert repr(coordinate(value)) == repr(published)


@pytest.mark.parametrize(
    ("name", "spoken"),
    [
        (b"Curie^Marie", ("Marie Curie",)),
        (b"Adams^John^Quincy^Rev.^B.A.", ("Rev. John Quincy Adams B.A.",)),
        (b"A^B^C^D^E^F", ("D B C A E",)),
        (b"Plain", ("Plain",)),
        (b"=Yamada^Tarou", ("Tarou Yamada",)),
        (b"One\\Two", ("One", "Two")),
        (b"^^^", ()),
    ],
)
def test_person_names(name: bytes, spoken: tuple[str, ...]) -> None:
    reading = reading_of("OperatorsName", name, "PN")
    assert person_names(reading.dataset, "OperatorsName", reading) == spoken


def test_a_sequence_that_is_none_is_empty_and_said_so() -> None:
    reading = reading_of("ContentSequence", b"no items at all", "SQ")
    assert items(reading.dataset, "ContentSequence", reading) == []
    assert reading.warnings == ["dataset_incomplete"]


@pytest.mark.parametrize(
    ("value", "expected", "warnings"),
    [
        (b"2.999.1\x00", "2.999.1", []),
        (b"2.999.1 ", "2.999.1", ["uid_padding_stripped"]),
        (b" 2.999.1\x00\x00", "2.999.1", ["uid_padding_stripped"]),
        (b"2.999.007", "2.999.007", ["uid_leading_zero"]),
        (b"2.999.0", "2.999.0", []),
        (b"9" * 64, "9" * 64, []),
    ],
)
def test_uids_that_may_pass(value: bytes, expected: str, warnings: list[str]) -> None:
    reading = reading_of("SeriesInstanceUID", value, "UI")
    assert required_uid(reading.dataset, "SeriesInstanceUID", reading) == expected
    assert reading.warnings == warnings


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", DeadLetterCode.MISSING_UID),
        (b" \x00", DeadLetterCode.MISSING_UID),
        (b"2.999.1\\2.999.2", DeadLetterCode.MULTIVALUED_UID),
        (b"9" * 65, DeadLetterCode.UID_TOO_LONG),
        (b"2.999.x", DeadLetterCode.INVALID_UID),
        (b"2.999.", DeadLetterCode.INVALID_UID),
        ("2.999.١".encode(), DeadLetterCode.INVALID_UID),
    ],
)
def test_uids_that_may_not(value: bytes, code: DeadLetterCode) -> None:
    reading = reading_of("SeriesInstanceUID", value, "UI", charset=("UTF8",))
    with pytest.raises(Refused) as refused:
        required_uid(reading.dataset, "SeriesInstanceUID", reading)
    assert (refused.value.code, refused.value.tag) == (code, "(0020,000E)")
    assert "2.999" not in refused.value.message
    assert uid(reading.dataset, "SeriesInstanceUID", reading) == ""
