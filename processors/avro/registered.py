"""Values framed for a Confluent schema registry: which schema is named, and where it is kept once asked for.

Rules of this file: ids and schemas; the registry is `stream.registry`'s, through `Registry`. Two forms
(Confluent's wire format): 00, the id in 4 bytes big-endian, the datum; or the header `__value_schema_id`,
which holds 00 and the id, or 01 and the 16 bytes of the schema's GUID, beside the bare datum.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from processors.avro.framing import refuse, writer_schema

HEADER = "__value_schema_id"
BY_ID, BY_GUID = b"\0", b"\1"
ID_SIZE, GUID_SIZE = 5, 17
"""With the byte that says which of the two it is."""

JSON_TEXT: Final = "JSON"
"""In place of an Avro schema: the datum is JSON, described by a JSON Schema."""

SchemaId = int | UUID


class Framed(NamedTuple):
    """A value whose schema only the registry knows."""

    schema_id: SchemaId
    datum: bytes


class RegisteredSchema(NamedTuple):
    kind: str
    """AVRO, JSON or PROTOBUF: the registry's `schemaType`."""
    text: str


class Registry(Protocol):
    """Where schemas are asked for. Blocking, for some seconds at most."""

    def schema(self, schema_id: SchemaId) -> RegisteredSchema:
        """Raises Refused(undecodable_record) for an id it does not know, Delayed while it does not answer."""
        ...


class Writers:
    """Schemas by id, each asked for once: what an id means never changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[SchemaId, Any] = {}

    def of(self, schema_id: SchemaId) -> Any:
        """For `Codec.read`, or JSON_TEXT. Raises as `Registry.schema`."""
        if schema_id not in self._known:
            found = self._registry.schema(schema_id)
            if found.kind not in ("AVRO", "JSON"):
                refuse("only schemas in Avro and JSON Schema are read")
            self._known[schema_id] = writer_schema(found.text) if found.kind == "AVRO" else JSON_TEXT
        return self._known[schema_id]


def known(writers: Writers | None) -> Writers:
    """Raises Refused(undecodable_record) where the site has no registry."""
    if writers is None:
        refuse("the value is framed for a schema registry, and schema_registry.url is not set")
    return writers


def framed_for_registry(value: bytes, headers: Iterable[tuple[str, bytes]] | None) -> Framed | None:
    """None: not framed. Raises Refused(undecodable_record) for a frame that is cut short.

    Ask after DICOM: the preamble of a Part 10 object may begin with the same 00 (PS3.10 7.1).
    """
    said = [id_ for name, id_ in headers or () if name == HEADER]
    if not said:
        return Framed(_id(value[:ID_SIZE]), value[ID_SIZE:]) if value.startswith(BY_ID) else None
    return Framed(_id(said[-1]), value)


def _id(said: bytes) -> SchemaId:
    if said.startswith(BY_ID) and len(said) == ID_SIZE:
        return int.from_bytes(said[1:])
    if said.startswith(BY_GUID) and len(said) == GUID_SIZE:
        return UUID(bytes=said[1:])
    return refuse("not the id of a schema in a registry")
