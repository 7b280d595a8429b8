"""Events that carry no DICOM object: their typed fields, checked, as events of the core (CONTRACT 3).

Rules of this file: from fields to facts. The way of `instance.arrived` is the program's hottest: what does
not change within a series is checked once and remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

from processors.core.corrections import AnyEvent
from processors.core.events import (
    Accession,
    Event,
    InstanceArrived,
    InstanceDeleted,
    InstanceHeader,
    SelectionMade,
    SelectionWithdrawn,
    SeriesCompleted,
    SeriesHeader,
    Stamp,
    StudyUpdated,
)
from processors.errors import DeadLetterCode, Refused, WarningCode
from processors.wire import selections, uids
from processors.wire.corrections import correction_of
from processors.wire.event_fields import CorrectionFields, EventFields, MendedFields
from processors.wire.texts import bare, has_control
from processors.wire.uids import Warnings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_REMOVALS = frozenset({"instance.deleted", "selection.withdrawn", "instance.erased", "patient.unmerged"})
_new = tuple.__new__
"""Skips the constructors of named tuples, a sixth of an arrival's cost. The tests compare with them."""

SERIES_REMEMBERED = 4096
"""Series whose constant part is remembered, about 2 kB each. With fewer than arrive at the same time, every
arrival is checked anew, at some ten times the cost."""


def stamp_of(fields: EventFields, digest: bytes) -> Stamp:
    """`digest`: first 8 bytes of the SHA-256 of the record's value."""
    removal = fields.event in _REMOVALS
    return _new(Stamp, (_utc_us(fields.occurred_at), removal, fields.source, fields.event_id, digest))


def to_event(fields: EventFields, digest: bytes) -> AnyEvent:
    """The event its typed fields tell of; `digest` as in `stamp_of`.

    Raises Refused: the codes of UIDs, undecodable_record, and those of `selections.selection_of`.
    """
    if fields.event == "instance.arrived":
        return _arrived(fields, digest)
    if type(fields) is CorrectionFields:
        return correction_of(fields, stamp_of(fields, digest))
    return _OTHERS[fields.event](fields, digest)


def _utc_us(instant: datetime) -> int:
    return (instant - _epoch(instant.tzinfo)) // _MICROSECOND


@lru_cache(maxsize=64)
def _epoch(zone: tzinfo | None) -> datetime:
    """Two times of one zone subtract in a third of the time of two of different ones."""
    return _EPOCH.astimezone(zone)


class _SeriesPart(NamedTuple):
    """What arrivals of one series have in common, checked."""

    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    frame_of_reference_uid: str
    header: SeriesHeader
    warnings: Warnings


def _arrived(fields: EventFields, digest: bytes) -> InstanceArrived:
    study, series, sop_class, frame_of_reference, header, warnings = _series_part(
        fields.study_instance_uid,
        fields.series_instance_uid,
        fields.sop_class_uid,
        fields.frame_of_reference_uid,
        fields.modality,
        fields.series_number,
        fields.body_part_examined,
        fields.laterality,
        fields.patient_id,
        fields.issuer_of_patient_id,
        fields.accession_number,
        fields.issuer_of_accession_number,
    )
    sop_instance, of_instance = uids.required(fields.sop_instance_uid, uids.SOP_INSTANCE)
    if of_instance or type(fields) is MendedFields:
        warnings = _once(warnings + of_instance + _dropped(fields))
    stamp = _new(Stamp, (_utc_us(fields.occurred_at), False, fields.source, fields.event_id, digest))
    instance = _new(
        InstanceHeader, (sop_class, fields.instance_number, fields.number_of_frames, frame_of_reference)
    )
    expected = fields.number_of_series_related_instances
    return _new(
        InstanceArrived, (study, series, sop_instance, stamp, instance, header, True, expected, warnings)
    )


@lru_cache(maxsize=SERIES_REMEMBERED)
def _series_part(
    study_instance_uid: str | None,
    series_instance_uid: str | None,
    sop_class_uid: str | None,
    frame_of_reference_uid: str | None,
    *header_values: Any,
) -> _SeriesPart:
    study, of_study = uids.required(study_instance_uid, uids.STUDY)
    series, of_series = uids.required(series_instance_uid, uids.SERIES)
    sop_class, of_class = uids.required(sop_class_uid, uids.SOP_CLASS)
    frame_of_reference, of_frame = uids.optional(frame_of_reference_uid)
    header, of_header = _header(*header_values)
    warnings = _once(of_study + of_series + of_class + of_frame + of_header)
    return _SeriesPart(study, series, sop_class, frame_of_reference, header, warnings)


def _header(
    modality: str | None, series_number: int | None, *texts: str | None
) -> tuple[SeriesHeader, Warnings]:
    """`texts`: the other members of the header in the order of EventFields."""
    warnings: list[str] = []
    first, *more = _text(modality, warnings).split("\\")
    if more:  # (0008,0060) has one value
        warnings.append(WarningCode.MULTIVALUED_TEXT)
    body_part, laterality, patient_id, issuer, accession, accession_issuer = (
        _text(t, warnings) for t in texts
    )
    header = SeriesHeader(
        modality=first.strip(),
        series_number=series_number,
        body_part_examined=body_part,
        laterality=laterality,
        patient_id=patient_id,
        issuer_of_patient_id=issuer,
        accession=Accession(accession, accession_issuer) if accession else None,
    )
    return header, tuple(warnings)


def _header_of(fields: EventFields) -> tuple[SeriesHeader, Warnings]:
    header, warnings = _header(
        fields.modality,
        fields.series_number,
        fields.body_part_examined,
        fields.laterality,
        fields.patient_id,
        fields.issuer_of_patient_id,
        fields.accession_number,
        fields.issuer_of_accession_number,
    )
    return header, warnings + _dropped(fields)


def _dropped(fields: EventFields) -> Warnings:
    return fields.dropped if type(fields) is MendedFields else ()


def _text(value: str | None, warnings: list[str]) -> str:
    """Without padding (PS3.5 6.2); FHIR's string has something to see and no control characters."""
    if not value:
        return ""
    text = bare(value)
    if not text:
        warnings.append(WarningCode.BAD_VR)
    elif has_control(text):
        warnings.append(WarningCode.TEXT_UNDECODABLE)
        return ""
    return text


def _reported(fields: EventFields, digest: bytes) -> InstanceArrived:
    """A report without its object is an instance like any other, if it says which."""
    if not (fields.study_instance_uid or fields.series_instance_uid or fields.sop_instance_uid):
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "a report needs its object or its UIDs", "document")
    return _arrived(fields, digest)


def _deleted(fields: EventFields, digest: bytes) -> InstanceDeleted:
    sop_instance, _ = uids.required(fields.sop_instance_uid, uids.SOP_INSTANCE)
    return InstanceDeleted(*_series_of(fields), sop_instance, stamp_of(fields, digest))


def _completed(fields: EventFields, digest: bytes) -> SeriesCompleted:
    return SeriesCompleted(
        *_series_of(fields), stamp_of(fields, digest), fields.number_of_series_related_instances
    )


def _updated(fields: EventFields, digest: bytes) -> StudyUpdated:
    study, _ = uids.required(fields.study_instance_uid, uids.STUDY)
    header, _ = _header_of(fields)
    return StudyUpdated(study, stamp_of(fields, digest), header)


def _selected(fields: EventFields, digest: bytes) -> SelectionMade:
    study, of_study = uids.required(fields.study_instance_uid, uids.STUDY)
    series, of_series = uids.required(fields.series_instance_uid, uids.SERIES)
    header, of_header = _header_of(fields)
    selection = selections.selection_of(fields.selection, study, series, fields.frame_of_reference_uid)
    return SelectionMade(
        study,
        series,
        selection.selection_id,
        stamp_of(fields, digest),
        selection.code,
        header,
        issued=selection.issued,
        performers=selection.performers,
        frame_of_reference_uid=selection.frame_of_reference_uid,
        items=selection.items,
        warnings=_once(of_study + of_series + of_header + selection.warnings),
    )


def _withdrawn(fields: EventFields, digest: bytes) -> SelectionWithdrawn:
    return SelectionWithdrawn(
        *_series_of(fields), selections.selection_id_of(fields.selection), stamp_of(fields, digest)
    )


def _series_of(fields: EventFields) -> tuple[str, str]:
    study, _ = uids.required(fields.study_instance_uid, uids.STUDY)
    series, _ = uids.required(fields.series_instance_uid, uids.SERIES)
    return study, series


def _once(warnings: Warnings) -> Warnings:
    return tuple(dict.fromkeys(warnings))


_OTHERS: dict[str, Callable[[EventFields, bytes], Event]] = {
    "report.arrived": _reported,
    "instance.deleted": _deleted,
    "series.completed": _completed,
    "study.updated": _updated,
    "selection.made": _selected,
    "selection.withdrawn": _withdrawn,
}
