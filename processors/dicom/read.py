"""Safe reading: the bytes of one DICOM object to a data set, whatever is wrong with them.

Rules of this file: the envelope (PS3.10) against what is really there, then `parser` on what is in it. Pixel
data is neither parsed nor copied. Only `Refused` leaves.
"""

from __future__ import annotations

import logging
import re
import struct
import zlib
from typing import NamedTuple

from processors.dicom.data_set import Buffer, encoding_of
from processors.dicom.element_headers import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    header_at,
    sniffed,
)
from processors.dicom.file_meta import EXPLICIT_VR_LITTLE_ENDIAN, file_meta
from processors.dicom.parser import parse
from processors.dicom.reading import DEFAULT_POLICY, Reading, ReadingPolicy
from processors.dicom.time_budget import TimeBudget
from processors.dicom.values import texts
from processors.errors import DeadLetterCode, Refused, WarningCode

# pydicom's messages quote values, which may be patient data: they must not reach the log.
logging.getLogger("pydicom").propagate = False

_PREAMBLE = 128
_INFLATED_FROM, _INFLATED_AT_ONCE = 1 << 16, 1 << 20
"""Bytes in and out of one step of inflating."""
_TRANSFER_SYNTAX, _MEDIA_CLASS = 0x00020010, 0x00020002
_DEFLATED = {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
_ENCODINGS = {"1.2.840.10008.1.2": IMPLICIT_LITTLE, "1.2.840.10008.1.2.2": EXPLICIT_BIG}
"""PS3.5 A: every other transfer syntax is explicit VR little endian outside pixel data."""


class _Envelope(NamedTuple):
    data_set_at: int
    transfer_syntax_uid: str = ""
    media_class_uid: str = ""
    conformant: bool = True


def read_object(data: Buffer, policy: ReadingPolicy = DEFAULT_POLICY) -> Reading:
    """Read one object: Part 10, or a bare data set, in any transfer syntax, said or not.

    Warnings: `nonconformant_part10`, `transfer_syntax_inferred`, `truncated_pixel_data`, `bad_vr`,
    `dataset_incomplete`, `charset_unknown`. Raises Refused: `not_dicom`, `truncated_header`, `too_large`,
    `nesting_too_deep`, `time_budget_exceeded` (by number of elements, or by the clock of the reading).
    """
    return _read(data, policy)[0]


def read_header(data: bytes, policy: ReadingPolicy = DEFAULT_POLICY) -> tuple[Reading, bytes]:
    """The same, and the object without its pixel data: a Part 10 object if the whole is one.

    What a deflated one held comes back in explicit VR little endian.
    """
    reading, data_set, end = _read(data, policy)
    if data_set is data:
        return reading, data[:end]
    return reading, file_meta(EXPLICIT_VR_LITTLE_ENDIAN, reading.meta_class_uid) + bytes(data_set[:end])


def _read(data: Buffer, policy: ReadingPolicy) -> tuple[Reading, Buffer, int]:
    """The reading, the bytes that hold the data set, and where its header ends in them."""
    if len(data) > policy.max_object_bytes:
        raise Refused(DeadLetterCode.TOO_LARGE, "the object is larger than this site reads")
    budget = TimeBudget(policy.time_budget_s)
    envelope = _envelope(data)
    warnings = [] if envelope.conformant else [WarningCode.NONCONFORMANT_PART10]
    data, start, encoding, inferred = _data_set(data, envelope, policy, budget)
    if inferred:
        warnings.append(WarningCode.TRANSFER_SYNTAX_INFERRED)
    parsed = parse(data, start, encoding, policy, budget)
    reading = Reading(parsed.data_set, [*warnings, *parsed.warnings], envelope.media_class_uid, budget)
    _check_charset(reading)
    return reading, data, parsed.end


def _envelope(data: Buffer) -> _Envelope:
    """Preamble, prefix and File Meta Information (PS3.10 7.1), each of which may be missing."""
    start = _PREAMBLE + 4
    marked = data[_PREAMBLE:start] == b"DICM"
    if marked and data[start : start + 2] != b"\x02\x00" and sniffed(data, 0):
        marked = False  # the four letters are part of a value
    at = start if marked else 0
    values: dict[int, str] = {}
    while data[at : at + 2] == b"\x02\x00":
        try:
            header = header_at(data, at, EXPLICIT_LITTLE) or header_at(data, at, IMPLICIT_LITTLE)
        except struct.error:
            header = None
        after = header.value_at + header.length if header else len(data) + 1
        if header is None or after > len(data):
            raise Refused(
                DeadLetterCode.TRUNCATED_HEADER, "the bytes end within the file meta", "(0002,0000)"
            )
        if header.tag in (_TRANSFER_SYNTAX, _MEDIA_CLASS):
            values[header.tag] = (
                bytes(data[header.value_at : after]).decode("ascii", "replace").strip(" \x00")
            )
        at = after
    return _Envelope(
        at,
        values.get(_TRANSFER_SYNTAX, ""),
        _uid_or_nothing(values.get(_MEDIA_CLASS, "")),
        marked and at > start,
    )


def _data_set(
    data: Buffer, envelope: _Envelope, policy: ReadingPolicy, budget: TimeBudget
) -> tuple[Buffer, int, Encoding, bool]:
    """Bytes, start and encoding of the data set, and whether the encoding was inferred from the bytes."""
    start, said = envelope.data_set_at, envelope.transfer_syntax_uid
    deflated = said in _DEFLATED
    if deflated:
        inflated = _inflated(data, start, policy.max_inflated_bytes, budget)
        data, start, deflated = (data, start, False) if inflated is None else (inflated, 0, True)
    seen = sniffed(data, start)
    if seen is None and (not said or (said in _DEFLATED and not deflated) or start >= len(data)):
        raise Refused(DeadLetterCode.NOT_DICOM, "there is no data set that can be recognised")
    declared = _ENCODINGS.get(said, EXPLICIT_LITTLE)
    inferred = not said or (said in _DEFLATED and not deflated) or (seen is not None and seen != declared)
    return data, start, seen or declared, inferred


def _inflated(data: Buffer, start: int, limit: int, budget: TimeBudget) -> bytearray | None:
    """The data set of a deflated object (PS3.5 A.5), None if it is not deflated at all."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = bytearray()
    try:
        for at in range(start, len(data), _INFLATED_FROM):
            left = data[at : at + _INFLATED_FROM]
            while left and not stream.eof:
                inflated += stream.decompress(left, _INFLATED_AT_ONCE)
                left = stream.unconsumed_tail
                budget.look()
                if len(inflated) > limit:
                    raise Refused(
                        DeadLetterCode.TOO_LARGE, "the inflated data set is larger than this site reads"
                    )
        inflated += stream.flush()
    except zlib.error:
        return None
    if not stream.eof:
        raise Refused(DeadLetterCode.TRUNCATED_HEADER, "the deflated data set ends before its last block")
    return inflated


def _check_charset(reading: Reading) -> None:
    """Warn of a Specific Character Set (0008,0005) that is none of PS3.3 C.12.1.1.2, nor nearly one."""
    for value in texts(reading.dataset, "SpecificCharacterSet", reading):
        if encoding_of(value) is None:
            reading.warn_once(WarningCode.CHARSET_UNKNOWN)


def _uid_or_nothing(value: str) -> str:
    return value if re.fullmatch(r"[0-9]+(\.[0-9]+)*", value) and len(value) <= 64 else ""
