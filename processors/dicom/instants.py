"""DICOM dates and times as FHIR instants, or nothing: never the process's zone, never an invented second.

Rules of this file: DA, TM and (0008,0201) to instant text; what is unusable is dropped with a warning.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone, tzinfo

from processors.dicom.data_set import DataSet
from processors.dicom.reading import Reading
from processors.dicom.values import first
from processors.errors import WarningCode

_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})\Z")
_LEGACY_DATE = re.compile(r"([0-9]{4})\.([0-9]{2})\.([0-9]{2})\Z")
_TIME = re.compile(r"([0-9]{2})(:?)([0-9]{2})\2([0-9]{2})(?:\.([0-9]{1,6}))?\Z")
_OFFSET = re.compile(r"([+-])([0-9]{2})([0-5][0-9])\Z")


def instant_of(
    item: DataSet, date_keyword: str, time_keyword: str, reading: Reading, site_zone: tzinfo | None
) -> str:
    """`instant` of two elements of `item`, with the object's (0008,0201)."""
    return instant(
        first(item, date_keyword, reading),
        first(item, time_keyword, reading),
        first(reading.dataset, "TimezoneOffsetFromUTC", reading),
        site_zone,
        reading,
    )


def instant(da: str, tm: str, offset: str, site_zone: tzinfo | None, reading: Reading) -> str:
    """`2026-01-02T11:00:00+01:00` (FHIR instant: to the second, with offset), or "".

    Warnings: `date_legacy_form`, `date_unusable`, `time_unusable` (also for a legal TM without seconds),
    `tz_unusable`, `tz_absent`. An unusable offset counts as absent: the site's zone holds.
    """
    if not da:
        return ""
    day = _date(da, reading)
    clock = _time(tm, reading)
    if day is None or clock is None:
        return ""
    seconds, fraction = clock
    zone = _offset(offset, reading) or site_zone
    if zone is None:
        reading.warn_once(WarningCode.TZ_ABSENT)
        return ""
    away = datetime.combine(day, seconds, zone).utcoffset() or timedelta()
    if away % timedelta(minutes=1):  # local mean time before standard zones: FHIR has no seconds there
        reading.warn_once(WarningCode.TZ_UNUSABLE)
        return ""
    sign, minutes = ("-" if away < timedelta() else "+"), abs(away) // timedelta(minutes=1)
    return f"{day.isoformat()}T{seconds.isoformat()}{fraction}{sign}{minutes // 60:02}:{minutes % 60:02}"


def _date(da: str, reading: Reading) -> date | None:
    """PS3.5 6.2 DA: YYYYMMDD; the note there asks readers to take YYYY.MM.DD, too."""
    legacy = _LEGACY_DATE.match(da)
    match = legacy or _DATE.match(da)
    try:
        day = date(*map(int, match.groups())) if match else None
    except ValueError:
        day = None
    if day is None:
        reading.warn_once(WarningCode.DATE_UNUSABLE)
    elif legacy:
        reading.warn_once(WarningCode.DATE_LEGACY_FORM)
    return day


def _time(tm: str, reading: Reading) -> tuple[time, str] | None:
    """PS3.5 6.2 TM, to the second or finer; HH:MM:SS is the old form. A leap second is unusable."""
    match = _TIME.match(tm)
    try:
        seconds = time(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:
        seconds = None
    if match is None or seconds is None:
        reading.warn_once(WarningCode.TIME_UNUSABLE)
        return None
    fraction = (match[5] or "").rstrip("0")
    return seconds, f".{fraction}" if fraction else ""


def _offset(offset: str, reading: Reading) -> timezone | None:
    """PS3.3 C.12.1: ±HHMM from -1200 to +1400, -0000 not allowed."""
    if not offset:
        return None
    match = _OFFSET.match(offset)
    if match and offset != "-0000":
        minutes = int(match[1] + match[2]) * 60 + int(match[1] + match[3])
        if -12 * 60 <= minutes <= 14 * 60:
            return timezone(timedelta(minutes=minutes))
    reading.warn_once(WarningCode.TZ_UNUSABLE)
    return None
