"""A record's value to an event: which encoding it is, and which reader takes it (CONTRACT 3).

Rules of this file: the first bytes decide, then the content type; reading is done by `wire`, `avro` and
`dicom`. Nothing of the study is known here.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple

from processors.avro.events import decode_event, decode_record, decode_registered
from processors.avro.framing import is_single_object
from processors.avro.registered import Framed, Writers, framed_for_registry, known
from processors.core.corrections import AnyEvent
from processors.core.events import DocumentArrived, InstanceArrived, Stamp
from processors.dicom import ReadingPolicy, event_of_json, event_of_object
from processors.errors import DeadLetterCode, IgnoredReason, Refused
from processors.pipeline.claim_checks import ClaimChecks
from processors.pipeline.records import Record
from processors.wire import event_fields, json_events, json_text, uids
from processors.wire.event_fields import EventFields, MendedFields

DICOM_MARK = slice(128, 132)
"""PS3.10 7.1: `DICM` follows the preamble, whose own bytes mean nothing."""
ARRIVALS = frozenset({"instance.arrived", "report.arrived"})
"""Events that may carry an object."""
UNKNOWN_SOURCE = "unknown"


class Ignored(NamedTuple):
    """A good record that tells of nothing."""

    reason: IgnoredReason


class Decoder:
    """Stateless, but for what it was built with. May fetch what `claim_checks` lets it."""

    def __init__(
        self, policy: ReadingPolicy, claim_checks: ClaimChecks | None = None, writers: Writers | None = None
    ) -> None:
        self._policy = policy
        self._claim_checks = claim_checks or ClaimChecks()
        self._writers = writers

    def decode(self, record: Record, now_ms: int) -> AnyEvent | Ignored:
        """`now_ms`: when a bare object happened whose record has no timestamp, or one of the future.

        Raises Refused with the dead letter's code, or Delayed while the schema registry that the value needs
        does not answer; nothing else for whatever bytes.
        """
        value, headers = record.value, record.headers
        if value is None:
            return Ignored(IgnoredReason.TOMBSTONE)
        content_type = _content_type(record)
        if content_type == "application/dicom+json":
            return event_of_json(_model(value), *self._bare(record, value, now_ms))
        if value.startswith(b"{"):
            return self._event(event_fields.decode(value), value)
        if is_single_object(value):
            return self._event(event_fields.from_mapping(decode_event(value)), value)
        if value[DICOM_MARK] == b"DICM" or content_type == "application/dicom":
            return event_of_object(value, *self._bare(record, value, now_ms))
        if framed := framed_for_registry(value, headers):
            return self._event(self._registered(framed), value)
        raise Refused(
            DeadLetterCode.UNDECODABLE_RECORD,
            "neither a JSON object, nor Avro, nor DICOM with its mark or content type",
        )

    def _registered(self, framed: Framed) -> EventFields:
        members = decode_registered(framed, known(self._writers))
        if isinstance(members, bytes):
            return event_fields.decode(members)
        return event_fields.from_mapping(members)

    def _bare(self, record: Record, value: bytes, now_ms: int) -> tuple[Stamp, ReadingPolicy, bool]:
        """What the object's reader needs of a record without an envelope; it is not dated."""
        digest = sha256(value)
        source = _header(record, "source") or UNKNOWN_SOURCE
        if len(source) > event_fields.TEXT_MOST:
            raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "the header source is too long", "source")
        occurred_at_ms = min(record.timestamp_ms, now_ms) if record.timestamp_ms > 0 else now_ms
        return (
            Stamp(occurred_at_ms * 1000, False, source, digest.hexdigest(), digest.digest()[:8]),
            self._policy,
            False,
        )

    def _event(self, fields: EventFields, value: bytes) -> AnyEvent:
        digest = sha256(value).digest()[:8]
        if fields.dataset is None and fields.document is None and fields.uri is None:
            return json_events.to_event(fields, digest)
        if fields.event not in ARRIVALS:
            return json_events.to_event(fields, digest)
        return _with_fields(self._object(fields, json_events.stamp_of(fields, digest)), fields)

    def _object(self, fields: EventFields, stamp: Stamp) -> InstanceArrived | DocumentArrived:
        """Of more than one object, the one that came whole."""
        expected = fields.number_of_series_related_instances
        if fields.document is not None:
            return event_of_object(fields.document, stamp, self._policy, dated=True, expected=expected)
        if fields.dataset is not None:
            return event_of_json(fields.dataset, stamp, self._policy, dated=True, expected=expected)
        data = self._claim_checks.fetch(fields.uri or "", self._policy.max_object_bytes)
        return event_of_object(data, stamp, self._policy, dated=True, expected=expected)


def record_of(value: bytes) -> dict[str, Any] | None:
    """The members of an Avro value as they were written; None for any other, or one that cannot be read."""
    try:
        return decode_record(value) if is_single_object(value) else None
    except Refused:
        return None


def split_event_file(data: bytes) -> list[bytes]:
    """Values of the events of a `.json` file (one event or an array) or an `.ndjson` file, each as written.

    What cannot be read stays one value, so that `Decoder.decode` can say what is wrong with it.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").strip()
    events = json_text.elements(text)
    if events is not None:
        return events
    lines = [line.strip() for line in text.split(b"\n") if line.strip()]
    is_ndjson = any(line.startswith(b"{") and json_text.elements(line) for line in lines)
    return lines if is_ndjson else [text]


def _with_fields(
    event: InstanceArrived | DocumentArrived, fields: EventFields
) -> InstanceArrived | DocumentArrived:
    """The object's event, if the typed UIDs beside it agree, with the warnings of the envelope."""
    path = event.document.path if isinstance(event, DocumentArrived) else event
    for said, read, tag in (
        (fields.study_instance_uid, path.study_instance_uid, uids.STUDY),
        (fields.series_instance_uid, path.series_instance_uid, uids.SERIES),
        (fields.sop_instance_uid, path.sop_instance_uid, uids.SOP_INSTANCE),
    ):
        if said and uids.required(said, tag)[0] != read:
            raise Refused(
                DeadLetterCode.UNDECODABLE_RECORD, "the event and its object name different UIDs", tag
            )
    if not isinstance(fields, MendedFields) or not fields.dropped:
        return event
    if isinstance(event, DocumentArrived):
        document = event.document
        return event._replace(document=document._replace(warnings=document.warnings + fields.dropped))
    return event._replace(warnings=event.warnings + fields.dropped)


def _model(value: bytes) -> dict[str, object]:
    """A DICOM JSON model, bare or as the one element of an array (PS3.18 F.2)."""
    model = json_text.load(value)
    if isinstance(model, list) and len(model) == 1:
        model = model[0]
    if not isinstance(model, dict):
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "application/dicom+json is one DICOM JSON object")
    return model


def _content_type(record: Record) -> str:
    return _header(record, "content-type").partition(";")[0].strip().lower()


def _header(record: Record, name: str) -> str:
    """The last header of this name, or empty; bytes that are no UTF-8 are replaced."""
    values = [value for key, value in record.headers or () if key == name and value]
    return values[-1].decode(errors="replace") if values else ""
