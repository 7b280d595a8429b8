"""The members of a JSON or Avro event that references are made of (CONTRACT 3), before they mean anything.

Rules of this file: types and ranges only. A value that does not fit makes the strict decoding fail; then
`mend` drops what is optional, with a warning, and refuses what is not. Members that no reference needs (study
date, series description, retrieve URL …) are not read, like unknown ones.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NoReturn, get_args

import msgspec
from msgspec import Meta, Struct

from processors.errors import DeadLetterCode, Refused, WarningCode
from processors.wire import json_text

EventName = Literal[
    "instance.arrived",
    "instance.deleted",
    "series.completed",
    "study.updated",
    "report.arrived",
    "selection.made",
    "selection.withdrawn",
]
CORRECTIONS = frozenset({"patient.merged", "patient.unmerged", "instance.erased", "uid.changed"})
"""The rare ones: they take the way of what must be mended, and the struct of all has nothing of theirs."""
NAMES = frozenset(get_args(EventName)) | CORRECTIONS

_INT_MAX = 2**31 - 1
TEXT_MOST = 4096
"""Characters. What a sender says of an image is kept with each one: DICOM's texts have 64, ids of events some
tens, and a record of the changelog holds 64 images."""
Text = Annotated[str, Meta(min_length=1, max_length=TEXT_MOST)]
Short = Annotated[str, Meta(max_length=TEXT_MOST)]
Instant = Annotated[datetime, Meta(tz=True)]
Number = Annotated[int, Meta(ge=0, le=_INT_MAX)]
FrameCount = Annotated[int, Meta(ge=1, le=_INT_MAX)]


class TypedFields(Struct, frozen=True, gc=False):
    """Members by their names; None: not said. UIDs and texts are as sent, not yet checked."""

    event: EventName
    event_id: Text
    source: Text
    occurred_at: Instant
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    sop_instance_uid: str | None = None
    sop_class_uid: str | None = None
    instance_number: Number | None = None
    number_of_frames: FrameCount | None = None
    modality: Short | None = None
    series_number: Number | None = None
    body_part_examined: Short | None = None
    laterality: Short | None = None
    frame_of_reference_uid: Short | None = None
    patient_id: Short | None = None
    issuer_of_patient_id: Short | None = None
    accession_number: Short | None = None
    issuer_of_accession_number: Short | None = None
    number_of_series_related_instances: Number | None = None


class ArrivalFields(TypedFields, frozen=True, gc=False):
    """An arrival with typed fields and no object: nearly all events."""

    event: Literal["instance.arrived"]
    dataset: None = None
    document: None = None
    uri: None = None


class EventFields(TypedFields, frozen=True, gc=False):
    """Any event but a correction."""

    dataset: dict[str, Any] | None = None
    document: bytes | None = None
    uri: str | None = None
    selection: dict[str, Any] | None = None


class MendedFields(EventFields, frozen=True, gc=False):
    """Fields of an event with bad optional values, without them; or of a correction."""

    dropped: tuple[str, ...] = ()
    """A warning code for each value that was dropped."""


class CorrectionFields(MendedFields, frozen=True, gc=False):
    """What a correction replaces: the id or the UIDs that are no longer used."""

    prior_patient_id: str | None = None
    issuer_of_prior_patient_id: str | None = None
    prior_study_instance_uid: str | None = None
    prior_series_instance_uid: str | None = None
    prior_sop_instance_uid: str | None = None


def decode(value: bytes) -> EventFields:
    """Of equal names in an object the last one holds.

    Raises Refused: undecodable_record with the field as tag, unknown_event.
    """
    try:
        return _decoder.decode(value)
    except msgspec.ValidationError:
        pass
    except RecursionError:
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "not well-formed JSON in UTF-8") from None
    members = json_text.load(value)
    if not isinstance(members, dict):
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "an event is a JSON object")
    return mend(members)


def from_mapping(members: Mapping[str, Any]) -> EventFields:
    """The same from an Avro record: `document` may be bytes, `dataset` and `selection` JSON text,
    `occurred_at` microseconds since 1970 (UTC). Raises as `decode`.
    """
    occurred_at = members.get("occurred_at")
    if isinstance(occurred_at, int):
        members = {**members, "occurred_at": _of_us(occurred_at)}
    try:
        return msgspec.convert(members, EventFields)
    except msgspec.ValidationError:
        return mend(members)


def arrival_from_record(members: Mapping[str, Any]) -> ArrivalFields:
    """As `arrival_fields` of an Avro record; a null is nothing said."""
    return msgspec.convert(members, ArrivalFields)


def mend(members: Mapping[str, Any]) -> MendedFields:
    """Keep what fits its field; raises as `decode` where a required one does not."""
    kept: dict[str, Any] = {"event": _name(members.get("event"))}
    dropped: list[str] = []
    for field in ("event_id", "source"):
        kept[field] = _fit(members.get(field), Text, field)
    kept["occurred_at"] = _occurred_at(members.get("occurred_at"))
    for field in _IDENTITY:
        kept[field] = _fit(members.get(field), str | None, field)
    for field, type_ in _OPTIONAL.items():
        value = members.get(field)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        try:
            kept[field] = msgspec.convert(value, type_)
        except msgspec.ValidationError:
            dropped.append(_WARNINGS.get(field, WarningCode.BAD_VR))
    kept["document"] = _document(members.get("document"))
    kept["uri"] = _fit(members.get("uri"), str | None, "uri")
    for field in ("dataset", "selection"):
        kept[field] = _object(members.get(field), field)
    kept["dropped"] = tuple(dict.fromkeys(dropped))
    if kept["event"] not in CORRECTIONS:
        return MendedFields(**kept)
    prior = {field: _fit(members.get(field), Short | None, field) for field in _PRIOR}
    return CorrectionFields(**kept, **prior)


_decoder = msgspec.json.Decoder(EventFields)
arrival_fields = msgspec.json.Decoder(ArrivalFields).decode
"""Raises one of `NO_ARRIVAL` for anything else, which `decode` reads, or refuses with the reason."""
NO_ARRIVAL = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_Object = dict[str, Any] | None
_IDENTITY = ("study_instance_uid", "series_instance_uid", "sop_instance_uid", "sop_class_uid")
_PRIOR = CorrectionFields.__struct_fields__[-5:]
_OPTIONAL: dict[str, Any] = {
    "instance_number": Number | None,
    "number_of_frames": FrameCount | None,
    "modality": Short | None,
    "series_number": Number | None,
    "body_part_examined": Short | None,
    "laterality": Short | None,
    "frame_of_reference_uid": Short | None,
    "patient_id": Short | None,
    "issuer_of_patient_id": Short | None,
    "accession_number": Short | None,
    "issuer_of_accession_number": Short | None,
    "number_of_series_related_instances": Number | None,
}
_WARNINGS = {
    "frame_of_reference_uid": WarningCode.INVALID_UID,
    "series_number": WarningCode.SERIES_NUMBER_UNUSABLE,
}
_leap_second = re.compile(r"(.{10}[Tt ]\d\d:\d\d):60(.*)", re.DOTALL).fullmatch


def _name(value: Any) -> str:
    if not isinstance(value, str):
        _refuse("event", "the name of the event is required")
    if value not in NAMES:
        raise Refused(
            DeadLetterCode.UNKNOWN_EVENT, "the name of the event is not one of the contract", "event"
        )
    return value


def _fit(value: Any, type_: Any, field: str) -> Any:
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError:
        _refuse(field, "this field is missing, empty, too long or of the wrong type")


def _occurred_at(value: Any) -> datetime:
    leap = _leap_second(value) if isinstance(value, str) else None
    try:
        if leap:  # RFC 3339 5.7; a leap second is counted as the one after it
            return msgspec.convert(f"{leap[1]}:59{leap[2]}", Instant) + timedelta(seconds=1)
        return msgspec.convert(value, Instant)
    except (msgspec.ValidationError, OverflowError):
        _refuse("occurred_at", "a date and time with its offset is required (RFC 3339)")


def _of_us(since_1970: int) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=since_1970)
    except OverflowError:
        return None


def _document(value: Any) -> bytes | None:
    """Base64 may be broken into lines (RFC 2045)."""
    if value is None or isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        _refuse("document", "base64 text is expected")
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        _refuse("document", "not base64")


def _object(value: Any, field: str) -> dict[str, Any] | None:
    """An object, also as JSON text."""
    if isinstance(value, str):
        try:
            value = json_text.load(value.encode())
        except Refused as refused:
            _refuse(field, refused.message)
    fitting: dict[str, Any] | None = _fit(value, _Object, field)
    return fitting


def _refuse(field: str, rule: str) -> NoReturn:
    raise Refused(DeadLetterCode.UNDECODABLE_RECORD, rule, field)
