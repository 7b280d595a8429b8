"""JSON text to plain values and back.

Rules of this file: no knowledge of events or resources, only of RFC 8259.
"""

from __future__ import annotations

from typing import Any

import msgspec

from processors.errors import DeadLetterCode, Refused


def dump(obj: Any) -> bytes:
    """UTF-8 without spaces, members in the order of the mapping."""
    return msgspec.json.encode(obj)


def load(data: bytes) -> Any:
    """Any JSON value; of equal names in an object the last one holds (RFC 8259 leaves it open).

    Raises Refused(undecodable_record) for what is no JSON, no UTF-8, or nested too deep for the decoder.
    """
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "not well-formed JSON in UTF-8") from None


def elements(data: bytes) -> list[bytes] | None:
    """The elements of a JSON array, or the one other value, as written; None if `data` is no JSON."""
    try:
        if data.startswith(b"["):
            return [bytes(raw) for raw in _array.decode(data)]
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return [data]


_array = msgspec.json.Decoder(list[msgspec.Raw])
