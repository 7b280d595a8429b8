"""Values of single elements, read tolerantly: a bad optional value is dropped or mended with a warning.

Rules of this file: every reader of this room gets at elements through these functions, by DICOM keyword, and
never through pydicom's own conversions, which raise, truncate (an IS of 1.5) or warn with values in the text.
They work on the element's bytes as received. An absent and an empty element are the same: "" or an empty
tuple.
"""

from __future__ import annotations

import math
import re
import struct
import warnings as python_warnings
from functools import cache

from pydicom.charset import decode_bytes, default_encoding
from pydicom.datadict import tag_for_keyword

from processors.dicom.data_set import DataSet, Element
from processors.dicom.element_headers import vr_of
from processors.dicom.reading import Reading
from processors.errors import WarningCode

MAX_WHOLE_NUMBER = 2_147_483_647
"""Upper bound of both IS (PS3.5 6.2) and FHIR unsignedInt."""

_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_PADDING = " \x00"
_TEXT_DELIMITERS = {0x5C, 0x5E, 0x3D, 0x0A, 0x0C, 0x0D, 0x09}


@cache
def tag_of(keyword: str) -> int:
    """Tag of a DICOM keyword; a keyword the dictionary lacks is a programming error (KeyError)."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag)


def tag_text(keyword: str) -> str:
    """`(0020,000D)`, as dead letters name an attribute."""
    tag = tag_of(keyword)
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def has(item: DataSet, keyword: str) -> bool:
    """True if the element is there, even when empty."""
    return tag_of(keyword) in item.elements


def raw_text(item: DataSet, keyword: str, reading: Reading) -> str:
    """The element's text as sent: decoded, neither split at backslashes nor stripped; "" if absent."""
    element = _element(item, keyword, reading)
    return _decoded(item.value_of(element), item, reading) if element is not None else ""


def text(item: DataSet, keyword: str, reading: Reading) -> str:
    """Text of a single-valued element. Several values are rejoined with a backslash (`multivalued_text`)."""
    value = clean(raw_text(item, keyword, reading))
    if "\\" in value:
        reading.warn_once(WarningCode.MULTIVALUED_TEXT)
    return value


def long_text(item: DataSet, keyword: str, reading: Reading) -> str:
    """Text of an LT, ST or UT element: a backslash is a character, line breaks stay."""
    lines = raw_text(item, keyword, reading).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(_CONTROL.sub("", line).replace("\t", " ").rstrip() for line in lines).strip()


def first(item: DataSet, keyword: str, reading: Reading) -> str:
    """First value of an element that ought to have one (a second: `multivalued_text`), as Modality."""
    values = texts(item, keyword, reading)
    if len(values) > 1:
        reading.warn_once(WarningCode.MULTIVALUED_TEXT)
    return values[0] if values else ""


def texts(item: DataSet, keyword: str, reading: Reading) -> tuple[str, ...]:
    """Non-empty values of an element that may have several."""
    return tuple(filter(None, map(clean, raw_text(item, keyword, reading).split("\\"))))


def person_names(item: DataSet, keyword: str, reading: Reading) -> tuple[str, ...]:
    """PN values as people write them, `Marie Curie` for `Curie^Marie` (PS3.5 6.2.1): prefix, given, middle,
    family, suffix of the first component group that says anything.
    """
    return tuple(filter(None, map(_spoken, raw_text(item, keyword, reading).split("\\"))))


def whole_number(
    item: DataSet, keyword: str, reading: Reading, unusable: WarningCode | None = None
) -> int | None:
    """An IS from 0 to 2147483647. `2.0` is 2; `1.5` and `-1` are None with warning `unusable`."""
    value = clean(raw_text(item, keyword, reading))
    number = _whole(value)
    if value and number is None and unusable:
        reading.warn(unusable)
    return number


def whole_numbers(item: DataSet, keyword: str, reading: Reading) -> tuple[int | None, ...]:
    """All values of an IS; None for each that is no whole number from 0 to 2147483647."""
    value = clean(raw_text(item, keyword, reading))
    return tuple(_whole(clean(part)) for part in value.split("\\")) if value else ()


def unsigned_numbers(item: DataSet, keyword: str, reading: Reading) -> tuple[int, ...]:
    """Values of a binary US or UL element, or of an SL that ought not to be negative."""
    packed = _packed(item, keyword, reading)
    if packed is None:
        return tuple(n for n in whole_numbers(item, keyword, reading) if n is not None)
    data, order, vr = packed
    size, letter = (4, "I") if vr in ("UL", "SL") else (2, "H")
    return struct.unpack(f"{order}{len(data) // size}{letter}", data[: len(data) // size * size])


def singles(item: DataSet, keyword: str, reading: Reading) -> tuple[float, ...]:
    """Values of an FL element (binary32), NaN and infinities as they are; empty if its length is no multiple
    of 4.
    """
    packed = _packed(item, keyword, reading)
    if packed is None:
        sent = clean(raw_text(item, keyword, reading))
        return tuple(_float(value) for value in sent.split("\\")) if sent else ()
    data, order, _ = packed
    return struct.unpack(f"{order}{len(data) // 4}f", data) if len(data) % 4 == 0 else ()


def decimal(item: DataSet, keyword: str, reading: Reading) -> float | None:
    """First finite value of a DS, or None."""
    values = map(_float, clean(raw_text(item, keyword, reading)).split("\\"))
    return next(filter(math.isfinite, values), None)


def decimals(item: DataSet, keyword: str, reading: Reading) -> tuple[int | float, ...]:
    """All values of a DS, ints when whole; NaN for each that is no number."""
    sent = raw_text(item, keyword, reading).strip(_PADDING)
    return tuple(_plain(_float(value)) for value in sent.split("\\")) if sent else ()


def coordinate(value: float) -> int | float:
    """The shortest decimal that gives the same binary32; an int when whole. `value` is finite."""
    single = struct.pack("<f", value)
    candidates = (float(f"{value:.{digits}g}") for digits in range(1, 10))  # nine digits tell any binary32
    shortest = next((candidate for candidate in candidates if struct.pack("<f", candidate) == single), value)
    return _plain(shortest)


def items(item: DataSet, keyword: str, reading: Reading) -> list[DataSet]:
    """Items of a sequence; one that is none counts as empty (`dataset_incomplete`)."""
    reading.budget.step()
    element = item.elements.get(tag_of(keyword))
    if isinstance(element, list):
        return element
    if element is not None and element[2]:
        reading.warn_once(WarningCode.DATASET_INCOMPLETE)
    return []


def clean(value: str) -> str:
    """Without padding and control characters; white space within is one space."""
    return " ".join(_CONTROL.sub(" ", value).split())


def _element(item: DataSet, keyword: str, reading: Reading) -> Element | None:
    """The element that is no sequence, or None."""
    reading.budget.step()
    element = item.elements.get(tag_of(keyword))
    return element if isinstance(element, tuple) else None


def _whole(value: str) -> int | None:
    if not _WHOLE.match(value) or len(value) > 32:
        return None
    number = int(value.split(".", maxsplit=1)[0])
    return number if 0 <= number <= MAX_WHOLE_NUMBER else None


def _plain(number: float) -> int | float:
    """An int when whole, so that JSON has no `.0`; beyond 1e15 the digits would be invented."""
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _float(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def _packed(item: DataSet, keyword: str, reading: Reading) -> tuple[bytes, str, str] | None:
    """Bytes, struct byte order and VR of an element held in binary; None for text.

    In implicit VR and as UN, the VR is the dictionary's.
    """
    element = _element(item, keyword, reading)
    if element is None:
        return b"", "<", ""
    sent = element[0].decode("ascii")
    if sent in ("IS", "DS"):
        return None
    order = "<" if item.little or sent == "UN" else ">"
    vr = vr_of(tag_of(keyword)).decode("ascii") if sent in ("", "UN") else sent
    return item.value_of(element), order, vr


def _decoded(value: bytes, item: DataSet, reading: Reading) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    encodings = item.encodings
    if b"\x1b" in value:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            decoded = decode_bytes(value, encodings, _TEXT_DELIMITERS)
    else:
        # pydicom's name of the default repertoire, iso8859, would make any byte a Latin-1 letter (PS3.5
        # 6.1.2.1)
        encoding = "ascii" if encodings[0] == default_encoding else encodings[0]
        decoded = value.decode(encoding, errors="replace")
    if "\ufffd" in decoded:
        reading.warn_once(WarningCode.TEXT_UNDECODABLE)
    return _without_surrogates(decoded, reading)


def _without_surrogates(value: str, reading: Reading) -> str:
    """A lone surrogate cannot be written as UTF-8: the producer would fail long after reading."""
    if _SURROGATE.search(value) is None:
        return value
    reading.warn_once(WarningCode.TEXT_UNDECODABLE)
    return _SURROGATE.sub("\ufffd", value)


def _spoken(name: str) -> str:
    for group in name.split("="):
        family, given, middle, prefix, suffix, *_ = [*map(clean, group.split("^")), "", "", "", "", ""]
        spoken = " ".join(filter(None, (prefix, given, middle, family, suffix)))
        if spoken:
            return spoken
    return ""
