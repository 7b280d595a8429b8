"""UIDs as they come: checked, bared of padding, never repaired (PS3.5 9.1).

Rules of this file: a UID that identity rests on is good or its record is refused; an optional one is good or
dropped with a warning. What the archive would answer to is kept, so a leading zero stays.
"""

from __future__ import annotations

import re
from functools import lru_cache

from processors.errors import DeadLetterCode, Refused, WarningCode

Warnings = tuple[str, ...]


def once(warnings: Warnings) -> Warnings:
    """Each of them, in order."""
    return tuple(dict.fromkeys(warnings))


STUDY = "(0020,000D)"
SERIES = "(0020,000E)"
SOP_INSTANCE = "(0008,0018)"
SOP_CLASS = "(0008,0016)"

MAX_LENGTH = 64
"""PS3.5 9.1, and FHIR's id."""

HEADS_REMEMBERED = 4096
"""As many as series, see `json_events.SERIES_REMEMBERED`: the UIDs of one mostly differ in the last number
only, so what is before it is checked once. About 150 bytes each."""

_is_plain = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*").fullmatch
"""Nothing to say about it but its length."""
_is_uid = re.compile(r"[0-9]+(?:\.[0-9]+)*").fullmatch
_PADDING = " \0"


@lru_cache(maxsize=HEADS_REMEMBERED)
def _is_plain_head(head: str) -> bool:
    return _is_plain(head) is not None


def required(text: str | None, tag: str) -> tuple[str, Warnings]:
    """The bare UID. `tag` names its attribute.

    Raises Refused: missing_uid, multivalued_uid, uid_too_long, invalid_uid.
    """
    if text and len(text) <= MAX_LENGTH:  # the way of nearly all UIDs
        head, _, last = text.rpartition(".")
        if last.isdigit() and last.isascii() and (last[0] != "0" or last == "0") and _is_plain_head(head):
            return text, ()
    uid = (text or "").strip(_PADDING)
    if not uid:
        raise Refused(DeadLetterCode.MISSING_UID, "this UID is required", tag)
    if "\\" in uid:
        raise Refused(DeadLetterCode.MULTIVALUED_UID, "this UID has one value", tag)
    if len(uid) > MAX_LENGTH:
        raise Refused(DeadLetterCode.UID_TOO_LONG, f"a UID has at most {MAX_LENGTH} characters", tag)
    if not _is_uid(uid):
        raise Refused(DeadLetterCode.INVALID_UID, "a UID is made of numbers with dots between them", tag)
    padded: Warnings = (WarningCode.UID_PADDING_STRIPPED,) if uid != text else ()
    return uid, padded if _is_plain(uid) else (*padded, WarningCode.UID_LEADING_ZERO)


def optional(text: str | None) -> tuple[str, Warnings]:
    """The bare UID, or empty: with `invalid_uid` when there was something that is none."""
    if not text:
        return "", ()
    try:
        return required(text, "")
    except Refused:
        return "", (WarningCode.INVALID_UID,)
