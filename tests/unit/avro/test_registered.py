"""Values framed for a registry: which schema they name, read by it, and asked for once."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from processors.avro.events import decode_registered
from processors.avro.facts import FactFraming, decode_fact, encode_fact
from processors.avro.framing import Codec
from processors.avro.registered import (
    HEADER,
    Framed,
    RegisteredSchema,
    SchemaId,
    Writers,
    framed_for_registry,
    known,
)
from processors.core.fact import as_mapping
from processors.errors import DeadLetterCode, Refused
from processors.schema_files import schema_texts
from tests.unit.avro.test_facts import MOST

GUID = UUID("89791762-2336-4186-9674-299b90a802e2")
EVENT = {"event": "series.completed", "event_id": "1", "source": "A", "occurred_at": "2025-01-01T00:00:00Z"}


class Shelf:
    """A registry of what a test lays on it."""

    def __init__(self, **schemas: RegisteredSchema) -> None:
        self.asked: list[SchemaId] = []
        self._schemas = schemas

    def schema(self, schema_id: SchemaId) -> RegisteredSchema:
        self.asked.append(schema_id)
        return self._schemas[f"id{schema_id}"]


def avro(fields: dict[str, Any], name: str = "imaging_reference.InputEvent") -> str:
    members = [{"name": field, "type": type_} for field, type_ in fields.items()]
    return json.dumps({"type": "record", "name": name, "fields": members})


def datum(schema: str, record: dict[str, Any]) -> bytes:
    return Codec([schema]).encode(record, b"")


@pytest.mark.parametrize(
    ("value", "headers", "framed"),
    [
        (b"\0\0\0\1\7rest", None, Framed(263, b"rest")),
        (b"rest", [(HEADER, b"\0\0\0\1\7")], Framed(263, b"rest")),
        (b"rest", [(HEADER, b"\0\0\0\0\0"), (HEADER, b"\1" + GUID.bytes)], Framed(GUID, b"rest")),
        (b"rest", [("source", b"A")], None),
        (b"", None, None),
    ],
)
def test_where_the_id_is(value: bytes, headers: list[tuple[str, bytes]] | None, framed: Framed) -> None:
    assert framed_for_registry(value, headers) == framed


@pytest.mark.parametrize(
    ("value", "header"),
    [(b"\0", None), (b"\0\0\0\1", None), (b"x", b""), (b"x", b"\1\0\0\0\1"), (b"x", b"\2" + GUID.bytes)],
)
def test_a_frame_that_is_cut_or_unknown(value: bytes, header: bytes | None) -> None:
    with pytest.raises(Refused) as refused:
        framed_for_registry(value, None if header is None else [(HEADER, header)])
    assert refused.value.code is DeadLetterCode.UNDECODABLE_RECORD


def test_without_a_registry_the_setting_is_named() -> None:
    with pytest.raises(Refused, match=r"schema_registry\.url"):
        known(None)


def test_an_event_of_an_older_and_wider_schema_is_resolved_and_asked_for_once() -> None:
    writer = avro({"occurred_at": "string", "event": "string", "extra": "long", "event_id": "string"})
    writer = writer.replace('"occurred_at"', '"source", "type": "string"}, {"name": "occurred_at"')
    shelf = Shelf(id7=RegisteredSchema("AVRO", writer))
    writers = Writers(shelf)
    framed = Framed(7, datum(writer, {**EVENT, "extra": 5}))
    assert decode_registered(framed, writers) == decode_registered(framed, writers) == EVENT
    assert shelf.asked == [7]


def test_json_is_left_as_it_is() -> None:
    writers = Writers(Shelf(id1=RegisteredSchema("JSON", '{"type": "object"}')))
    assert decode_registered(Framed(1, b'{"event": "x"}'), writers) == b'{"event": "x"}'


@pytest.mark.parametrize(
    "schema",
    [
        RegisteredSchema("PROTOBUF", "message A {}"),
        RegisteredSchema("AVRO", "no schema"),
        RegisteredSchema("AVRO", '{"type": "record", "name": "A", "fields": 5}'),
        RegisteredSchema("AVRO", avro({"event": "Unknown"})),
        RegisteredSchema("AVRO", avro({"event": "string"})),
        RegisteredSchema("AVRO", avro(dict.fromkeys(EVENT, "string"), "other.Event")),
        RegisteredSchema("AVRO", avro(dict.fromkeys(EVENT, "double"))),
    ],
    ids=["protobuf", "text", "malformed", "unknown type", "field missing", "other name", "other type"],
)
def test_a_schema_that_is_of_no_use_names_no_value(schema: RegisteredSchema) -> None:
    with pytest.raises(Refused) as refused:
        decode_registered(Framed(1, b"\x10Doe^Jane" * 20), Writers(Shelf(id1=schema)))
    assert refused.value.code is DeadLetterCode.UNDECODABLE_RECORD
    assert "Doe" not in refused.value.message


@pytest.mark.parametrize(
    "framing",
    [FactFraming(b"\0\0\0\0\3"), FactFraming(b"", (HEADER, b"\0\0\0\0\3"))],
    ids=["prefix", "header"],
)
def test_a_fact_is_read_however_it_is_framed(framing: FactFraming) -> None:
    value = encode_fact(MOST, framing)
    headers = [framing.header] if framing.header else []
    newest = schema_texts("analytics-imaging-references")[-1]
    writers = Writers(Shelf(id3=RegisteredSchema("AVRO", newest)))
    assert decode_fact(value, headers, writers) == as_mapping(MOST)
    with pytest.raises(Refused):
        decode_fact(value, headers)
