"""UIDs: the one thing that may not be guessed, since identity rests on it.

Rules of this file: reading UI values. The four UIDs of an instance must be right or the object is refused;
any other UID that is not is dropped with a warning. A leading zero in a component is kept: archives hold
such UIDs, and they are their only key.
"""

from __future__ import annotations

import re

from processors.core.events import DocumentPath
from processors.dicom.data_set import DataSet
from processors.dicom.reading import Reading
from processors.dicom.values import raw_text, tag_text
from processors.errors import DeadLetterCode, Refused, WarningCode

MAX_LENGTH = 64
"""PS3.5 9.1; FHIR `id` has the same bound."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)*\Z")
_LEADING_ZERO = re.compile(r"(^|\.)0[0-9]")
_PADDING = " \x00"


def required_uid(item: DataSet, keyword: str, reading: Reading) -> str:
    """A UID that identity rests on, bare.

    Raises Refused: `missing_uid`, `multivalued_uid`, `uid_too_long`, `invalid_uid`, with the attribute's tag;
    `bad_vr` instead of `missing_uid` where unreadable elements may have held it.
    """
    values = _values(item, keyword, reading)
    if not values:
        unreadable = WarningCode.BAD_VR in reading.warnings
        code = DeadLetterCode.BAD_VR if unreadable else DeadLetterCode.MISSING_UID
        raise Refused(code, f"{keyword} is absent, empty or unreadable", tag_text(keyword))
    problem = _problem(values)
    if problem:
        raise Refused(problem, f"{keyword} is not one UID as PS3.5 9.1 defines it", tag_text(keyword))
    if _LEADING_ZERO.search(values[0]):
        reading.warn_once(WarningCode.UID_LEADING_ZERO)
    return values[0]


def uid(item: DataSet, keyword: str, reading: Reading) -> str:
    """An optional UID; "" if absent, and with warning `invalid_uid` if it is not one UID."""
    values = _values(item, keyword, reading)
    if not values:
        return ""
    if _problem(values):
        reading.warn_once(WarningCode.INVALID_UID)
        return ""
    if _LEADING_ZERO.search(values[0]):
        reading.warn_once(WarningCode.UID_LEADING_ZERO)
    return values[0]


def path_of(reading: Reading) -> DocumentPath:
    """Study, series and SOP Instance UID of the object itself. Raises Refused as `required_uid`."""
    return DocumentPath(
        required_uid(reading.dataset, "StudyInstanceUID", reading),
        required_uid(reading.dataset, "SeriesInstanceUID", reading),
        required_uid(reading.dataset, "SOPInstanceUID", reading),
    )


def _values(item: DataSet, keyword: str, reading: Reading) -> list[str]:
    sent = raw_text(item, keyword, reading)
    values = [value.strip(_PADDING) for value in sent.split("\\")]
    if not any(values):
        return []
    if "\\".join(values) != sent.removesuffix("\x00"):  # one NUL makes the length even (PS3.5 9.1)
        reading.warn_once(WarningCode.UID_PADDING_STRIPPED)
    return values


def _problem(values: list[str]) -> DeadLetterCode | None:
    if len(values) > 1:
        return DeadLetterCode.MULTIVALUED_UID
    if len(values[0]) > MAX_LENGTH:
        return DeadLetterCode.UID_TOO_LONG
    return None if _UID.match(values[0]) else DeadLetterCode.INVALID_UID
