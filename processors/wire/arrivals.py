"""Arrivals with typed fields: nearly all records, read one by one or in columns (CONTRACT 3).

Rules of this file: from fields to facts, as cheaply as it can be had: what does not change within a series is
checked once and remembered, and the rest is done a column at a time. Whatever is out of the ordinary is left
to the way that takes one record at a time, which gives the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter, itemgetter
from typing import Any

from processors.core.events import InstanceArrived, InstanceHeader, Stamp
from processors.core.runs import Run
from processors.core.vocabulary import REPORTS
from processors.errors import DeadLetterCode, Refused
from processors.wire import uids
from processors.wire.event_fields import (
    NO_ARRIVAL,
    ArrivalFields,
    MendedFields,
    TypedFields,
    arrival_fields,
    arrival_from_record,
)
from processors.wire.series_fields import SERIES_FIELDS, header_of
from processors.wire.uids import Warnings, once

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST_US = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""What can be written. `0001-01-01T00:00:00+14:00` is RFC 3339, and the year before in UTC."""

SERIES_REMEMBERED = 4096
"""Series whose constant part is remembered, about 2 kB each. With fewer than arrive at the same time, every
arrival is checked anew, at some ten times the cost."""

PART_MOST = 2_000
"""Characters of what is remembered of a series: a sender's huge texts must not stay in memory."""

DIGEST_SIZE = 8
"""Bytes of the SHA-256 of a record's value that a Stamp keeps."""


def utc_us(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - _epoch(instant.tzinfo)) // _MICROSECOND


def occurred_at_us(fields: TypedFields) -> int:
    """Microseconds since 1970. Raises Refused(undecodable_record) outside of the years 1 to 9999 in UTC."""
    at_us = utc_us(fields.occurred_at)
    if not _FIRST_US <= at_us <= _LAST_US:
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "a time lies in the years 1 to 9999", "occurred_at")
    return at_us


@lru_cache(maxsize=64)
def _epoch(zone: tzinfo | None) -> datetime:
    """Two times of one zone subtract in a third of the time of two of different ones."""
    return _EPOCH.astimezone(zone)


class SeriesPart:
    """What arrivals of one series from one source have in common, checked."""

    __slots__ = (
        "frame_of_reference_uid",
        "head",
        "header",
        "plain",
        "said",
        "series",
        "sop_class_uid",
        "source",
        "study",
        "warnings",
    )

    def __init__(self, said: tuple[Any, ...]) -> None:
        """`said`: as `_said_of_series` takes it. Raises Refused: the codes of UIDs."""
        study, series, self.source, sop_class, frame_of_reference, *header = said
        self.said = said
        self.head = "?"
        """What SOP Instance UIDs begin with, their last number less; none begins with a question mark."""
        self.study, of_study = uids.required(study, uids.STUDY)
        self.series, of_series = uids.required(series, uids.SERIES)
        self.sop_class_uid, of_class = uids.required(sop_class, uids.SOP_CLASS)
        self.frame_of_reference_uid, of_frame = uids.optional(frame_of_reference)
        self.header, of_header = header_of(header)
        self.warnings = once(of_study + of_series + of_class + of_frame + of_header)
        self.plain = not self.warnings and self.sop_class_uid not in REPORTS
        """Of its arrivals nothing but instances is expected."""

    def are_sop_instances(self, column: list[Any]) -> bool:
        """Whether each is a bare UID without anything to say; None is none. Those of a series mostly differ
        in the last number only, and what the first and the last in order begin with, all do.
        """
        head = self.head
        if None not in column and min(column).startswith(head) and max(column).startswith(head):
            lasts = [uid[len(head) :] for uid in column]
            digits = "".join(lasts)
            if digits.isdecimal() and digits.isascii() and all(lasts):
                padded = [last for last in lasts if last[0] == "0" and last != "0"]
                return not padded and len(head) + max(map(len, lasts)) <= uids.MAX_LENGTH
        try:
            found = [uids.required(uid, uids.SOP_INSTANCE) for uid in column]
        except Refused:
            return False
        if any(map(itemgetter(1), found)):
            return False
        self.head = found[0][0][: found[0][0].rfind(".") + 1] or "?"
        return True


_said_of_series = attrgetter(
    "study_instance_uid",
    "series_instance_uid",
    "source",
    "sop_class_uid",
    "frame_of_reference_uid",
    *SERIES_FIELDS,
)
_parts: dict[tuple[str | None, str], SeriesPart] = {}
"""By series UID as sent, and source."""


def _part_of(said: tuple[Any, ...]) -> SeriesPart:
    """Raises Refused: the codes of UIDs."""
    part = _parts.get(said[1:3])
    if part is not None and part.said == said:
        return part
    part = SeriesPart(said)
    if sum(len(each) for each in said if isinstance(each, str)) <= PART_MOST:
        if len(_parts) >= SERIES_REMEMBERED:
            _parts.clear()
        _parts[said[1:3]] = part
    return part


# ---- one by one ------------------------------------------------------------------------------------------


def arrived(fields: TypedFields, digest: bytes) -> InstanceArrived:
    """`digest`: first bytes of the SHA-256 of the record's value. Raises Refused: the codes of UIDs."""
    part = _part_of(_said_of_series(fields))
    sop_instance_uid, warnings = uids.required(fields.sop_instance_uid, uids.SOP_INSTANCE)
    warnings = once(part.warnings + warnings + dropped(fields))
    stamp = Stamp(occurred_at_us(fields), False, part.source, fields.event_id, digest)
    numbers = fields.instance_number, fields.number_of_frames
    instance = InstanceHeader(part.sop_class_uid, *numbers, part.frame_of_reference_uid)
    expected = fields.number_of_series_related_instances
    path = part.study, part.series, sop_instance_uid
    return InstanceArrived(*path, stamp, instance, part.header, True, expected, warnings)


def dropped(fields: TypedFields) -> Warnings:
    return fields.dropped if isinstance(fields, MendedFields) else ()


# ---- in columns ------------------------------------------------------------------------------------------


RecordOf = Callable[[bytes], Mapping[str, Any] | None]


class StudyArrivals:
    """Positions in a portion of what is of one study."""

    __slots__ = ("parts", "plain", "positions")

    def __init__(self) -> None:
        self.plain = True
        """They may be folded in runs."""
        self.positions: list[int] = []
        self.parts: dict[SeriesPart, list[int]] = {}


class Portion:
    """Arrivals read in a row, before it is known what they are of. `record_of` reads a value that is no JSON:
    its members, or None if it cannot.
    """

    __slots__ = ("_fields", "_record_of", "_values")

    def __init__(self, record_of: RecordOf) -> None:
        self._record_of = record_of
        self._fields: list[ArrivalFields] = []
        self._values: list[bytes] = []

    def add(self, value: bytes) -> bool:
        """False: it is no arrival with typed fields, or a bad one, and not in the portion."""
        try:
            self._fields.append(arrival_fields(value))
        except NO_ARRIVAL:
            return self._add_record(value)
        self._values.append(value)
        return True

    def _add_record(self, value: bytes) -> bool:
        try:
            record = self._record_of(value)
            if record is None:
                return False
            self._fields.append(arrival_from_record(record))
        except NO_ARRIVAL:
            return False
        self._values.append(value)
        return True

    def by_study(self) -> dict[str, StudyArrivals]:
        """By study UID; what has none, or a bad UID, is under whatever it has, and not plain."""
        found: dict[str, StudyArrivals] = {}
        for n, fields in enumerate(self._fields):
            said = _said_of_series(fields)
            part = _parts.get(said[1:3])
            if part is None or part.said != said:
                try:
                    part = _part_of(said)
                except Refused:
                    _others(found, fields.study_instance_uid or "").positions.append(n)
                    continue
            of_study = found.get(part.study)
            if of_study is None:
                of_study = found[part.study] = StudyArrivals()
            of_study.positions.append(n)
            positions = of_study.parts.get(part)
            if positions is not None:
                positions.append(n)
            else:
                of_study.parts[part] = [n]
            if not part.plain or fields.number_of_series_related_instances is not None:
                of_study.plain = False
        return found

    def occurred_at_us(self, n: int) -> int:
        return utc_us(self._fields[n].occurred_at)

    def run(self, part: SeriesPart, positions: list[int]) -> Run | None:
        """Arrivals of one series; None: an instance's UID or time is bad, or a UID has something to say."""
        chosen = [self._fields[n] for n in positions]
        sops: Any = [fields.sop_instance_uid for fields in chosen]
        times_us = _all_utc_us([fields.occurred_at for fields in chosen])
        if not part.are_sop_instances(sops) or min(times_us) < _FIRST_US or max(times_us) > _LAST_US:
            return None
        return Run(
            part.study,
            part.series,
            part.header,
            part.sop_class_uid,
            part.frame_of_reference_uid,
            part.source,
            sops,
            [fields.instance_number for fields in chosen],
            [fields.number_of_frames for fields in chosen],
            times_us,
            [fields.event_id for fields in chosen],
            [sha256(self._values[n]).digest()[:DIGEST_SIZE] for n in positions],
        )


def _all_utc_us(times: list[datetime]) -> list[int]:
    """As `utc_us`; those of one sender have one offset."""
    if len({id(time.tzinfo) for time in times}) > 1:
        return list(map(utc_us, times))
    epoch = _epoch(times[0].tzinfo)
    return [(time - epoch) // _MICROSECOND for time in times]


def _others(found: dict[str, StudyArrivals], study_instance_uid: str) -> StudyArrivals:
    of_study = found.setdefault(study_instance_uid, StudyArrivals())
    of_study.plain = False
    return of_study
