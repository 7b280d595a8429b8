"""Avro values on Kafka: single-object encoding, and knowing the registry's framing when it is met.

Rules of this file: bytes ↔ records by schema, no meaning. A value is C3 01, the writer schema's CRC-64-AVRO
fingerprint in little-endian order, the datum (Avro 1.11, Single-object encoding); so a reader always has the
writer's schema. Logical types are left out when reading and writing: a timestamp is an integer on both sides,
and fastavro never sees a datetime whose zone it would guess.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from typing import Any, NoReturn, cast

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form
from fastavro.validation import ValidationError, validate

from processors.errors import DeadLetterCode, Refused
from processors.wire.json_text import load

MARKER = b"\xc3\x01"
HEADER_SIZE = 10
"""Marker and fingerprint."""
REGISTRY_HEADER = "__value_schema_id"
"""Where Confluent's serializers put the schema's id when it is not before the value."""

_READ_ERRORS = (
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,  # and UnicodeDecodeError
    struct.error,
)
"""What fastavro raises over bytes that are not of the schema."""
ENCODE_ERRORS = (AttributeError, KeyError, OverflowError, TypeError, ValueError, struct.error)
"""What it raises over a record that is not."""


def is_single_object(value: bytes) -> bool:
    return value.startswith(MARKER)


def refuse_registry(value: bytes, headers: Iterable[tuple[str, bytes]] | None) -> None:
    """Raise Refused(undecodable_record) for a value that only a schema registry can explain.

    Ask after DICOM: the preamble of a Part 10 object may begin with the same 00 (PS3.10 7.1).
    """
    if value.startswith(b"\0") or any(name == REGISTRY_HEADER for name, _ in headers or ()):
        _refuse("the value is framed for a schema registry, and schema_registry.url is not set")


class Codec:
    """One record type, both ways. Read-only after construction, so threads may share it.

    `schemas`: its versions as JSON text, oldest first. All are read, into the newest; the newest is written.
    """

    def __init__(self, schemas: Sequence[str]) -> None:
        parsed = [parse_schema(_physical(load(text.encode()))) for text in schemas]
        self._schema = parsed[-1]
        self._header = _header(self._schema)
        self._writers = {_header(schema): schema for schema in parsed[:-1]}

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """Single-object encoding.

        The caller vouches for whole numbers where the schema has a long: fastavro writes 1.5 as 1. Other
        wrong types raise what fastavro happens to raise, of `ENCODE_ERRORS`.
        """
        out = BytesIO()
        out.write(self._header)
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
                _refuse("the Avro schema of this fingerprint is not known here, or the value is no Avro")
            writer, reader = known, self._schema
        source = BytesIO(value)
        source.seek(HEADER_SIZE)
        try:
            record = cast("dict[str, Any]", schemaless_reader(source, writer, reader))
        except _READ_ERRORS:
            _refuse("the Avro value does not fit its schema")
        if source.tell() != len(value):
            _refuse("the Avro value goes on after its record")
        return record


def _header(schema: Any) -> bytes:
    return MARKER + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def _physical(schema: Any) -> Any:
    """Without logical types; the fingerprint is the same, since the canonical form has none (Avro 1.11)."""
    if isinstance(schema, dict):
        return {name: _physical(value) for name, value in schema.items() if name != "logicalType"}
    return [_physical(value) for value in schema] if isinstance(schema, list) else schema


def _refuse(rule: str) -> NoReturn:
    raise Refused(DeadLetterCode.UNDECODABLE_RECORD, rule) from None
