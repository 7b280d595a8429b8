"""A site's time zone: an IANA name or an offset.

Rules of this file: text to `tzinfo`, nothing else.
"""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_OFFSET = re.compile(r"([+-])(0\d|1[0-4]):([0-5]\d)")


def zone(text: str) -> tzinfo | None:
    """`Europe/Zurich` or `+01:00` → tzinfo; empty → None; anything else is a ValueError."""
    if not text:
        return None
    if offset := _OFFSET.fullmatch(text):
        minutes = int(offset[2]) * 60 + int(offset[3])
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            "site_time_zone: expected an IANA name as Europe/Zurich or an offset as +01:00"
        ) from None
