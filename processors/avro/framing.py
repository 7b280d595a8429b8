"""Avro values on Kafka: single-object encoding, and reading by another writer's schema.

Rules of this file: bytes ↔ records by schema, no meaning. A value is C3 01, the writer schema's CRC-64-AVRO
fingerprint in little-endian order, the datum (Avro 1.11, Single-object encoding); so a reader always has the
writer's schema. Logical types are left out when reading and writing: a timestamp is an integer on both sides,
and fastavro never sees a datetime whose zone it would guess.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, NoReturn, cast

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException, fingerprint, to_parsing_canonical_form
from fastavro.validation import ValidationError, validate

from processors.errors import DeadLetterCode, Refused
from processors.wire.json_text import load

MARKER = b"\xc3\x01"
HEADER_SIZE = 10
"""Marker and fingerprint."""

_READ_ERRORS = (
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    SchemaResolutionError,
    TypeError,
    ValueError,  # and UnicodeDecodeError
    struct.error,
)
"""What fastavro raises over bytes that are not of the schema."""
ENCODE_ERRORS = (AttributeError, KeyError, OverflowError, TypeError, ValueError, struct.error)
"""What it raises over a record that is not."""


def is_single_object(value: bytes) -> bool:
    return value.startswith(MARKER)


def writer_schema(text: str) -> Any:
    """Another writer's schema, for `Codec.read`. Raises Refused(undecodable_record) if it is no Avro."""
    try:
        return parse_schema(_physical(load(text.encode())))
    except (*_READ_ERRORS, SchemaParseException):
        refuse("the schema that the registry holds under this id is no Avro schema")


class Codec:
    """One record type, both ways. Read-only after construction, so threads may share it.

    `schemas`: its versions as JSON text, oldest first. All are read, into the newest; the newest is written.
    """

    def __init__(self, schemas: Sequence[str]) -> None:
        parsed = [parse_schema(_physical(load(text.encode()))) for text in schemas]
        self._schema = parsed[-1]
        self._header = _header(self._schema)
        self._writers = {_header(schema): schema for schema in parsed[:-1]}

    def encode(self, record: Mapping[str, Any], prefix: bytes | None = None) -> bytes:
        """Single-object encoding, or the datum after another `prefix`.

        The caller vouches for whole numbers where the schema has a long: fastavro writes 1.5 as 1. Other
        wrong types raise what fastavro happens to raise, of `ENCODE_ERRORS`.
        """
        out = BytesIO()
        out.write(self._header if prefix is None else prefix)
        schemaless_writer(out, self._schema, record)
        return out.getvalue()

    def problem(self, record: Mapping[str, Any]) -> str | None:
        """Name of a field whose value is missing, of another type or out of a long's range, or None.

        Exact, and dearer than encoding by far.
        """
        try:
            validate(record, self._schema)
        except ValidationError as error:
            return (error.errors[0].field or "").rpartition(".")[2] if error.errors else ""
        return None

    def decode(self, value: bytes) -> dict[str, Any]:
        """The record, members of the newest version. Raises Refused(undecodable_record), naming no value."""
        header = value[:HEADER_SIZE]
        writer, reader = self._schema, None
        if header != self._header:
            known = self._writers.get(header)
            if known is None:
                refuse("the Avro schema of this fingerprint is not known here, or the value is no Avro")
            writer, reader = known, self._schema
        return self._datum(value, HEADER_SIZE, writer, reader)

    def read(self, datum: bytes, writer: Any) -> dict[str, Any]:
        """As `decode`, of what `writer_schema` gave: resolved into the newest version by Avro's rules."""
        return self._datum(datum, 0, writer, self._schema)

    def _datum(self, value: bytes, start: int, writer: Any, reader: Any) -> dict[str, Any]:
        source = BytesIO(value)
        source.seek(start)
        try:
            record = cast("dict[str, Any]", schemaless_reader(source, writer, reader))
        except _READ_ERRORS:
            refuse("the Avro value does not fit its schema, or its schema not ours")
        if source.tell() != len(value):
            refuse("the Avro value goes on after its record")
        return record


def _header(schema: Any) -> bytes:
    return MARKER + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def _physical(schema: Any) -> Any:
    """Without logical types; the fingerprint is the same, since the canonical form has none (Avro 1.11)."""
    if isinstance(schema, dict):
        return {name: _physical(value) for name, value in schema.items() if name != "logicalType"}
    return [_physical(value) for value in schema] if isinstance(schema, list) else schema


def refuse(rule: str) -> NoReturn:
    raise Refused(DeadLetterCode.UNDECODABLE_RECORD, rule) from None
