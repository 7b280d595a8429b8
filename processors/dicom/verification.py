"""When a report was verified: what tells which of its versions prevails.

Rules of this file: Verification Flag and Verification DateTime (PS3.3 C.17.2) to one number; no references.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from processors.dicom.reading import Reading
from processors.dicom.values import first, items

_DT = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})?([0-9]{2})?)?(?:\.([0-9]{1,6}))?(\S*)\Z"
)
"""PS3.5 6.2 DT, to the day or finer."""
_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def verified_at_us(reading: Reading, site_zone: tzinfo | None) -> int | None:
    """The latest Verification DateTime (0040,A030) of a report that is verified and final, µs UTC since 1970.

    None for all others. Without any offset it counts as UTC: it is compared, and never shown.
    """
    if first(reading.dataset, "VerificationFlag", reading) != "VERIFIED":
        return None
    if first(reading.dataset, "PreliminaryFlag", reading) == "PRELIMINARY":
        return None
    offset = first(reading.dataset, "TimezoneOffsetFromUTC", reading)
    verifiers = items(reading.dataset, "VerifyingObserverSequence", reading)
    times = (_us(first(v, "VerificationDateTime", reading), offset, site_zone) for v in verifiers)
    return max((time for time in times if time is not None), default=None)


def _us(dt: str, offset: str, site_zone: tzinfo | None) -> int | None:
    match = _DT.match(dt)
    if match is None:
        return None
    *date_time, fraction, own_offset = match.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in date_time)
    zone = _zone(own_offset) or _zone(offset) or site_zone or UTC
    try:
        of_second_us = int((fraction or "").ljust(6, "0"))
        local = datetime(year, month, day, hour, minute, second, of_second_us, zone)
        return (local - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def _zone(offset: str) -> timezone | None:
    match = _OFFSET.match(offset)
    if match is None:
        return None
    minutes = int(match[1] + match[2]) * 60 + int(match[1] + match[3])
    return timezone(timedelta(minutes=minutes)) if abs(minutes) < 24 * 60 else None
