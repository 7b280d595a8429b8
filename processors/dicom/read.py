"""Safe reading: the bytes of one DICOM object to a data set, whatever is wrong with them.

Rules of this file: the envelope (PS3.10) against what is really there, then `structure`, then pydicom on what
that leaves. Pixel data is neither parsed nor copied. Only `Refused` leaves.
"""

from __future__ import annotations

import logging
import re
import struct
import warnings as python_warnings
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from pydicom.charset import python_encoding
from pydicom.filereader import read_dataset

from processors.dicom.element_headers import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    header_at,
    sniffed,
)
from processors.dicom.reading import DEFAULT_POLICY, Reading, ReadingPolicy
from processors.dicom.structure import Shape, shape_of
from processors.dicom.values import texts
from processors.errors import DeadLetterCode, Refused, WarningCode

if TYPE_CHECKING:
    from pydicom import Dataset

# pydicom's messages quote values, which may be patient data: they must not reach the log.
logging.getLogger("pydicom").propagate = False

_PREAMBLE = 128
_TRANSFER_SYNTAX, _MEDIA_CLASS = 0x00020010, 0x00020002
_DEFLATED = {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
_ENCODINGS = {"1.2.840.10008.1.2": IMPLICIT_LITTLE, "1.2.840.10008.1.2.2": EXPLICIT_BIG}
"""PS3.5 A: every other transfer syntax is explicit VR little endian outside pixel data."""


class _Envelope(NamedTuple):
    data_set_at: int
    transfer_syntax_uid: str = ""
    media_class_uid: str = ""
    conformant: bool = True


def read_object(data: bytes, policy: ReadingPolicy = DEFAULT_POLICY) -> Reading:
    """Read one object: Part 10, or a bare data set, in any transfer syntax, said or not.

    Warnings: `nonconformant_part10`, `transfer_syntax_inferred`, `truncated_pixel_data`, `bad_vr`,
    `dataset_incomplete`, `charset_unknown`. Raises Refused: `not_dicom`, `truncated_header`, `too_large`,
    `nesting_too_deep`, `time_budget_exceeded` (by number of elements, not by a clock).
    """
    if len(data) > policy.max_object_bytes:
        raise Refused(DeadLetterCode.TOO_LARGE, "the object is larger than this site reads")
    envelope = _envelope(data)
    warnings = [] if envelope.conformant else [WarningCode.NONCONFORMANT_PART10]
    data, start, encoding, inferred = _data_set(data, envelope, policy)
    if inferred:
        warnings.append(WarningCode.TRANSFER_SYNTAX_INFERRED)
    shape = shape_of(data, start, encoding, policy)
    dataset = _parsed(_patched(data, start, shape), encoding)
    reading = Reading(dataset, [*warnings, *shape.warnings], envelope.media_class_uid)
    _check_charset(reading)
    return reading


def _envelope(data: bytes) -> _Envelope:
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
            values[header.tag] = data[header.value_at : after].decode("ascii", "replace").strip(" \x00")
        at = after
    return _Envelope(
        at,
        values.get(_TRANSFER_SYNTAX, ""),
        _uid_or_nothing(values.get(_MEDIA_CLASS, "")),
        marked and at > start,
    )


def _data_set(data: bytes, envelope: _Envelope, policy: ReadingPolicy) -> tuple[bytes, int, Encoding, bool]:
    """Bytes, start and encoding of the data set, and whether the encoding was inferred from the bytes."""
    start, said = envelope.data_set_at, envelope.transfer_syntax_uid
    deflated = said in _DEFLATED
    if deflated:
        inflated = _inflated(data, start, policy.max_inflated_bytes)
        data, start, deflated = (data, start, False) if inflated is None else (inflated, 0, True)
    seen = sniffed(data, start)
    if seen is None and (not said or (said in _DEFLATED and not deflated) or start >= len(data)):
        raise Refused(DeadLetterCode.NOT_DICOM, "there is no data set that can be recognised")
    declared = _ENCODINGS.get(said, EXPLICIT_LITTLE)
    inferred = not said or (said in _DEFLATED and not deflated) or (seen is not None and seen != declared)
    return data, start, seen or declared, inferred


def _inflated(data: bytes, start: int, limit: int) -> bytes | None:
    """The data set of a deflated object (PS3.5 A.5), None if it is not deflated at all."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = stream.decompress(memoryview(data)[start:], limit)
    except zlib.error:
        return None
    if stream.unconsumed_tail:
        raise Refused(DeadLetterCode.TOO_LARGE, "the inflated data set is larger than this site reads")
    if not stream.eof:
        raise Refused(DeadLetterCode.TRUNCATED_HEADER, "the deflated data set ends before its last block")
    return inflated


def _patched(data: bytes, start: int, shape: Shape) -> bytes:
    """The header's bytes with lengths and VRs mended; the only copy that is made."""
    if not shape.patches:
        return data[start : shape.end]
    header = bytearray(data[start : shape.end])
    for at, patch in shape.patches.items():
        if at < shape.end:
            header[at - start : at - start + len(patch)] = patch
    return bytes(header)


def _parsed(header: bytes, encoding: Encoding) -> Dataset:
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            return read_dataset(BytesIO(header), encoding.implicit, encoding.little)
    except RecursionError:
        raise Refused(DeadLetterCode.NESTING_TOO_DEEP, "sequences are nested too deeply") from None
    except MemoryError:
        raise Refused(DeadLetterCode.TOO_LARGE, "the header does not fit into memory") from None
    except Exception:  # noqa: BLE001  pydicom raises whatever the bytes provoke; its text may quote values
        raise Refused(DeadLetterCode.NOT_DICOM, "the data set cannot be parsed") from None


def _check_charset(reading: Reading) -> None:
    """Warn of a Specific Character Set (0008,0005) that is none of PS3.3 C.12.1.1.2, nor nearly one."""
    for value in texts(reading.dataset, "SpecificCharacterSet", reading):
        if _letters(value) not in _CHARSETS:
            reading.warn_once(WarningCode.CHARSET_UNKNOWN)


def _letters(charset: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", charset.upper())


_CHARSETS = frozenset(map(_letters, python_encoding))


def _uid_or_nothing(value: str) -> str:
    return value if re.fullmatch(r"[0-9]+(\.[0-9]+)*", value) and len(value) <= 64 else ""
