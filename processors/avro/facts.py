"""Facts ↔ Avro `ImagingReferenceFact`, the values of the analytics topic.

Rules of this file: no more than the encoding; the schema is `schemas/analytics-imaging-references`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, get_type_hints

from processors.avro.framing import ENCODE_ERRORS, Codec
from processors.core.fact import Fact, as_mapping
from processors.schema_files import schema_texts

TOPIC = "analytics-imaging-references"


def encode_fact(fact: Fact) -> bytes:
    """Raises ValueError, naming the field, if a value is not of the schema: that would be our own fault."""
    record = as_mapping(fact)
    try:
        if _numbers_are_whole(fact):
            return _codec().encode(record)
    except ENCODE_ERRORS:
        pass
    raise ValueError(f"fact does not fit its Avro schema: {_codec().problem(record)}")


def decode_fact(value: bytes) -> dict[str, Any]:
    """The fact by field names; times are microseconds UTC. Raises Refused(undecodable_record)."""
    return _codec().decode(value)


_NUMBERS = [
    position for position, hint in enumerate(get_type_hints(Fact).values()) if hint in (int, int | None)
]


def _numbers_are_whole(fact: Fact) -> bool:
    """What `Codec.encode` wants to be vouched for, at a tenth of what `Codec.problem` costs."""
    inputs = (type(number) is int for consumed in fact.inputs for number in consumed[1:])
    return all(type(fact[position]) in (int, type(None)) for position in _NUMBERS) and all(inputs)


@cache
def _codec() -> Codec:
    return Codec(schema_texts(TOPIC))
