"""Facts ↔ Avro `ImagingReferenceFact`, the values of the analytics topic.

Rules of this file: no more than the encoding; the schema is `schemas/analytics-imaging-references`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple, get_type_hints

from processors.avro.framing import ENCODE_ERRORS, Codec, is_single_object
from processors.avro.registered import Writers, framed_for_registry, known
from processors.core.fact import Fact, as_mapping
from processors.schema_files import schema_texts

TOPIC = "analytics-imaging-references"


class FactFraming(NamedTuple):
    """What says a fact's schema: bytes before the datum, or a header."""

    prefix: bytes | None = None
    """None: single-object encoding."""
    header: tuple[str, bytes] | None = None


SINGLE_OBJECT = FactFraming()


def encode_fact(fact: Fact, framing: FactFraming = SINGLE_OBJECT) -> bytes:
    """Raises ValueError, naming the field, if a value is not of the schema: that would be our own fault."""
    record = as_mapping(fact)
    try:
        if _numbers_are_whole(fact):
            return _codec().encode(record, framing.prefix)
    except ENCODE_ERRORS:
        pass
    raise ValueError(f"fact does not fit its Avro schema: {_codec().problem(record)}")


def decode_fact(
    value: bytes, headers: Iterable[tuple[str, bytes]] | None = None, writers: Writers | None = None
) -> dict[str, Any]:
    """The fact by field names, however it is framed; times are microseconds UTC.

    `writers`: of a site whose facts are framed for a registry. Raises Refused(undecodable_record), or Delayed
    while the registry does not answer.
    """
    if is_single_object(value) or (framed := framed_for_registry(value, headers)) is None:
        return _codec().decode(value)
    return _codec().read(framed.datum, known(writers).of(framed.schema_id))


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
