"""The DICOM JSON model (PS3.18 F) to a data set, tolerantly.

Rules of this file: JSON in, elements out, in the form a file gives them (bytes as sent, UTF-8), so that all
readers treat both alike. pydicom's own `from_json` raises at a name that is a string or a value of another
type.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
from collections.abc import Mapping

from processors.dicom.data_set import DataSet
from processors.dicom.element_headers import vr_of
from processors.dicom.reading import DEFAULT_POLICY, Reading, ReadingPolicy
from processors.dicom.time_budget import TimeBudget
from processors.errors import DeadLetterCode, Refused, WarningCode

_TAG = re.compile(r"[0-9A-Fa-f]{8}\Z")
_PACKED = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_BULK = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}
_CHARSET = 0x00080005


def read_json(model: Mapping[str, object], policy: ReadingPolicy = DEFAULT_POLICY) -> Reading:
    """Read a DICOM JSON model, whole object or header only; members that are no elements are left out.

    Warnings: `uid_padding_stripped`, `dataset_incomplete` (a value of another type, and not read). Raises
    Refused `nesting_too_deep` beyond `policy.max_depth` sequences.
    """
    reading = Reading(DataSet(bytearray(), encodings=("utf_8",)), budget=TimeBudget(policy.time_budget_s))
    _fill(reading.dataset, model, reading, policy.max_depth)
    return reading


def canonical_bytes(model: Mapping[str, object]) -> bytes:
    """The model as bytes that do not depend on the order of its members or on white space.

    Raises Refused `nesting_too_deep`: members that are no elements may be nested, too.
    """
    try:
        return json.dumps(model, sort_keys=True, separators=(",", ":"), default=str).encode("ascii")
    except RecursionError:
        raise Refused(DeadLetterCode.NESTING_TOO_DEEP, "the JSON is nested too deeply") from None


def _fill(dataset: DataSet, model: Mapping[str, object], reading: Reading, levels: int) -> None:
    """The elements of `model`; their values go to the end of the bytes that all items share."""
    values = dataset.data
    assert isinstance(values, bytearray)
    for name, member in model.items():
        reading.budget.step()
        if not _TAG.match(name) or not isinstance(member, Mapping):
            continue
        tag = int(name, 16)
        said = member.get("vr")
        known = isinstance(said, str) and len(said) == 2 and said.isascii()
        vr = str(said) if known else vr_of(tag).decode("ascii") or "UN"
        value = member.get("Value")
        if vr == "SQ":
            dataset.elements[tag] = _items(dataset, value, reading, levels)
        elif tag != _CHARSET:  # JSON text is Unicode, whatever the object it came from said
            packed = _packed(vr, value, member.get("InlineBinary"), reading)
            dataset.elements[tag] = (vr.encode("ascii"), len(values), len(packed))
            values += packed


def _items(outer: DataSet, value: object, reading: Reading, levels: int) -> list[DataSet]:
    if levels == 0:
        raise Refused(DeadLetterCode.NESTING_TOO_DEEP, "sequences are nested too deeply")
    if value is not None and not isinstance(value, list):
        reading.warn_once(WarningCode.DATASET_INCOMPLETE)
    found = []
    for entry in value if isinstance(value, list) else []:
        item = DataSet(outer.data, outer=outer)
        _fill(item, entry if isinstance(entry, Mapping) else {}, reading, levels - 1)
        found.append(item)
    return found


def _packed(vr: str, value: object, inline: object, reading: Reading) -> bytes:
    """The bytes a file would hold; empty for a missing, empty or unreadable value."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    try:
        if vr in _BULK:
            return base64.b64decode(inline, validate=True) if isinstance(inline, str) else b""
        if vr in _PACKED:
            numbers = [_number(v, vr in ("FL", "FD")) for v in values if v is not None]
            return struct.pack(f"<{len(numbers)}{_PACKED[vr]}", *numbers)
        if vr == "AT":
            tags = [int(str(v), 16) for v in values if v is not None]
            return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
        text = "\\".join(_text(vr, v) for v in values)
    except (ValueError, TypeError, OverflowError, struct.error, binascii.Error):
        reading.warn_once(WarningCode.DATASET_INCOMPLETE)
        return b""
    if vr == "UI" and text.endswith("\x00"):  # padding belongs to the file's encoding, not to the value
        reading.warn_once(WarningCode.UID_PADDING_STRIPPED)
    return text.encode("utf-8", "surrogatepass")


def _number(value: object, fraction: bool) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    number = float(value)
    if not math.isfinite(number) or (not fraction and not number.is_integer()):
        raise ValueError
    return number if fraction else int(value) if isinstance(value, int) else int(number)


def _text(vr: str, value: object) -> str:
    """One value as text: names by component group (PS3.18 F.2.2), a list or an object is no value."""
    if vr == "PN" and isinstance(value, Mapping):
        groups = [value.get(group) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(g if isinstance(g, str) else "" for g in groups).rstrip("=")
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    return str(value)
