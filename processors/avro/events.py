"""Input events in Avro: the members of the JSON event under the same names (CONTRACT 3).

Rules of this file: Avro record ↔ members only; what they mean is `wire`'s part. In Avro `dataset` is the JSON
model as text and `document` is bytes.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from functools import cache
from typing import Any

from processors.avro.framing import Codec
from processors.avro.registered import JSON_TEXT, Framed, Writers
from processors.errors import DeadLetterCode, Refused
from processors.schema_files import schema_texts
from processors.wire.json_text import dump, load

TOPIC = "dicom-instances"


def decode_event(value: bytes) -> dict[str, Any]:
    """Members that are said; `document` is bytes. Raises Refused(undecodable_record)."""
    return _members(decode_record(value))


def decode_record(value: bytes) -> dict[str, Any]:
    """All members as they were written, null where nothing is said. Raises Refused(undecodable_record)."""
    return _codec().decode(value)


def decode_registered(framed: Framed, writers: Writers) -> dict[str, Any] | bytes:
    """The members, or the JSON event as it is where its schema is a JSON Schema.

    Raises Refused(undecodable_record), or Delayed while the registry does not answer.
    """
    writer = writers.of(framed.schema_id)
    return framed.datum if writer is JSON_TEXT else _members(_codec().read(framed.datum, writer))


def _members(record: dict[str, Any]) -> dict[str, Any]:
    members: dict[str, Any] = _said(record)
    if "dataset" in members:
        members["dataset"] = load(members["dataset"].encode())
    return members


def encode_event(event: Mapping[str, Any]) -> bytes:
    """A JSON event as Avro; unknown members are left out.

    Raises Refused(undecodable_record) with the field whose value the schema cannot take.
    """
    members = dict(event)
    if members.get("dataset") is not None:
        members["dataset"] = dump(members["dataset"]).decode()
    try:
        if isinstance(members.get("document"), str):
            members["document"] = b64decode(members["document"], validate=True)
    except ValueError:
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "not base64", "document") from None
    field = _codec().problem(members)
    if field is not None:
        rule = "the field is missing or of the wrong type"
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, rule, field)
    return _codec().encode(members)


def _said(value: Any) -> Any:
    """Without the members that are null: Avro writes every field, JSON only what is said."""
    if isinstance(value, dict):
        return {name: _said(member) for name, member in value.items() if member is not None}
    return [_said(item) for item in value] if isinstance(value, list) else value


@cache
def _codec() -> Codec:
    return Codec(schema_texts(TOPIC))
