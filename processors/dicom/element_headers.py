"""Single element headers in bytes (PS3.5 7.1): tag, VR, length, and where the value starts.

Rules of this file: one header at a time, no state; what follows from them is `structure`'s.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

from pydicom.datadict import dictionary_VR
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, VR

from processors.dicom.data_set import Buffer

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float, Double Float and Pixel Data: bulk that no reader here needs."""

_KNOWN = frozenset(str(vr).encode("ascii") for vr in VR if len(str(vr)) == 2)
_LONG = frozenset(str(vr).encode("ascii") for vr in EXPLICIT_VR_LENGTH_32)
SHORT = _KNOWN - _LONG
"""VRs with a length of 16 bits; none of them is a sequence or bulk data."""
_HIGHEST_FIRST_GROUP = 0x0010
"""A data set begins with group 0008, a command's remains with 0000; patient groups only when cut by hand."""


_LITTLE, _BIG = struct.Struct("<HH2sH"), struct.Struct(">HH2sH")
_LITTLE_LENGTH, _BIG_LENGTH = struct.Struct("<I"), struct.Struct(">I")


class Encoding(NamedTuple):
    implicit: bool
    little: bool


IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG = (
    Encoding(True, True),
    Encoding(False, True),
    Encoding(False, False),
)


class ElementHeader(NamedTuple):
    tag: int
    vr: bytes
    """Two letters, empty in implicit VR and for item tags."""
    length: int
    """In bytes, or UNDEFINED."""
    value_at: int


def header_at(data: Buffer, at: int, encoding: Encoding) -> ElementHeader | None:
    """The header at `at`; None if its VR is unknown. Raises struct.error if it is cut short."""
    implicit, little = encoding
    group, element, vr, short = (_LITTLE if little else _BIG).unpack_from(data, at)
    tag = group << 16 | element
    if implicit or group == 0xFFFE:
        return ElementHeader(
            tag, b"", (_LITTLE_LENGTH if little else _BIG_LENGTH).unpack_from(data, at + 4)[0], at + 8
        )
    if vr not in _KNOWN:
        return None
    if vr not in _LONG:
        return ElementHeader(tag, vr, short, at + 8)
    return ElementHeader(
        tag, vr, (_LITTLE_LENGTH if little else _BIG_LENGTH).unpack_from(data, at + 8)[0], at + 12
    )


def junk_header_at(data: Buffer, at: int, end: int, encoding: Encoding) -> ElementHeader | None:
    """An element whose VR bytes are junk, read so that the next element fits, with the VR it ought to have.

    Tried: 16 bit length, implicit VR's 32 bit length (VR empty: the bytes are part of it), 32 bit length.
    None if none of them leads to a header with a known VR and a higher tag, or to `end`.
    """
    order = "<" if encoding.little else ">"
    group, element = struct.unpack_from(f"{order}HH", data, at)
    tag = group << 16 | element
    known = vr_of(tag)
    sent = data[at + 4 : at + 6]
    letters = sent.isalpha() and sent.isupper()
    readings = [(f"{order}H", 6, 8, known if known and known not in _LONG else b"ST")]
    readings += [] if letters else [(f"{order}I", 4, 8, b"")]
    readings += [(f"{order}I", 8, 12, b"UN")]
    for form, length_at, value_at, vr in readings:
        if at + value_at > end:
            continue
        length = struct.unpack_from(form, data, at + length_at)[0]
        header = ElementHeader(tag, vr, length, at + value_at)
        if _fits(data, header, end, encoding):
            return header
    return None


def is_sequence(header: ElementHeader) -> bool:
    """SQ; also UN and implicit VR if the dictionary says SQ, or of undefined length and no bulk data."""
    if header.vr == b"SQ":
        return True
    if header.vr not in (b"", b"UN"):
        return False
    known = vr_of(header.tag)
    return known == b"SQ" or (header.length == UNDEFINED and (not known or header.vr == b"UN"))


def tag_text_of(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@lru_cache(maxsize=8192)
def vr_of(tag: int) -> bytes:
    """The dictionary's VR of a tag (the first, where it may have several), or empty."""
    try:
        return dictionary_VR(tag)[:2].encode("ascii")
    except KeyError:
        return b""


def sniffed(data: Buffer, at: int) -> Encoding | None:
    """The encoding of a data set that begins at `at`, or None if none does: a low group, and a VR or a length
    that leads to a next element.
    """
    if len(data) < at + 8:
        return None
    for encoding in (EXPLICIT_LITTLE, EXPLICIT_BIG, IMPLICIT_LITTLE):
        header = header_at(data, at, encoding) if len(data) >= at + 12 or encoding.implicit else None
        if (
            header
            and header.tag >> 16 <= _HIGHEST_FIRST_GROUP
            and (header.vr or _fits(data, header, len(data), encoding))
        ):
            return encoding
    return None


def _fits(data: Buffer, header: ElementHeader, end: int, encoding: Encoding) -> bool:
    """Whether after the element comes `end`, or a header with a higher tag and a VR that can be."""
    if header.length == UNDEFINED:
        following = header_at(data, header.value_at, encoding) if header.value_at + 8 <= end else None
        return following is not None and following.tag in (ITEM, SEQUENCE_END)
    after = header.value_at + header.length
    if after == end:
        return True
    if after + 12 > end:
        return False
    following = header_at(data, after, encoding)
    return following is not None and (following.tag > header.tag or following.tag == ITEM_END)
