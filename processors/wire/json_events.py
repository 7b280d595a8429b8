"""Events that carry no DICOM object: their typed fields, checked, as events of the core (CONTRACT 3).

Rules of this file: from fields to facts; arrivals, nearly all there is, are `arrivals`'.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

from processors.core.corrections import AnyEvent
from processors.core.events import (
    Event,
    InstanceArrived,
    InstanceDeleted,
    SelectionMade,
    SelectionWithdrawn,
    SeriesCompleted,
    SeriesHeader,
    Stamp,
    StudyUpdated,
)
from processors.errors import DeadLetterCode, Refused
from processors.wire import selections, uids
from processors.wire.arrivals import arrived, dropped, occurred_at_us
from processors.wire.corrections import correction_of
from processors.wire.event_fields import CorrectionFields, EventFields
from processors.wire.series_fields import SERIES_FIELDS, header_of
from processors.wire.uids import Warnings, once

_REMOVALS = frozenset({"instance.deleted", "selection.withdrawn", "instance.erased", "patient.unmerged"})


def stamp_of(fields: EventFields, digest: bytes) -> Stamp:
    """`digest`: first 8 bytes of the SHA-256 of the record's value. Raises Refused: undecodable_record."""
    removal = fields.event in _REMOVALS
    return Stamp(occurred_at_us(fields), removal, fields.source, fields.event_id, digest)


def to_event(fields: EventFields, digest: bytes) -> AnyEvent:
    """The event its typed fields tell of; `digest` as in `stamp_of`.

    Raises Refused: the codes of UIDs, undecodable_record, and those of `selections.selection_of`.
    """
    if fields.event == "instance.arrived":
        return arrived(fields, digest)
    if type(fields) is CorrectionFields:
        return correction_of(fields, stamp_of(fields, digest))
    return _OTHERS[fields.event](fields, digest)


_header_fields = attrgetter(*SERIES_FIELDS)


def _header_of(fields: EventFields) -> tuple[SeriesHeader, Warnings]:
    header, warnings = header_of(_header_fields(fields))
    return header, warnings + dropped(fields)


def _reported(fields: EventFields, digest: bytes) -> InstanceArrived:
    """A report without its object is an instance like any other, if it says which."""
    if not (fields.study_instance_uid or fields.series_instance_uid or fields.sop_instance_uid):
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "a report needs its object or its UIDs", "document")
    return arrived(fields, digest)


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
        warnings=once(of_study + of_series + of_header + selection.warnings),
    )


def _withdrawn(fields: EventFields, digest: bytes) -> SelectionWithdrawn:
    return SelectionWithdrawn(
        *_series_of(fields), selections.selection_id_of(fields.selection), stamp_of(fields, digest)
    )


def _series_of(fields: EventFields) -> tuple[str, str]:
    study, _ = uids.required(fields.study_instance_uid, uids.STUDY)
    series, _ = uids.required(fields.series_instance_uid, uids.SERIES)
    return study, series


_OTHERS: dict[str, Callable[[EventFields, bytes], Event]] = {
    "report.arrived": _reported,
    "instance.deleted": _deleted,
    "series.completed": _completed,
    "study.updated": _updated,
    "selection.made": _selected,
    "selection.withdrawn": _withdrawn,
}
