"""State entries of purged studies, and how far a home has come in setting their clocks.

Rules of this file: keys and MessagePack, no meaning. FORMAT of `wire.state` covers it.
    <study>|p   what stays of a study that was purged: about 40 bytes a reference, 60 a series of
                them, 20 a document
    !r|         under which retention this home's clocks were set
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import msgspec

from processors.core.remnant import Line, Mark, Remnant

RETENTION = "!r|"

_encode = msgspec.msgpack.Encoder().encode


class _RemnantRow(NamedTuple):
    series: list[str]
    lines: list[tuple[bytes, int, str, int, Mark, str]]
    """A reference's id, and its line, with the place of its series in `series`."""
    documents: list[tuple[Mark, Mark]]


class Retention(NamedTuple):
    """`days`: as the clocks of this home's studies have it, up to and with `cursor`; all, if that is None.

    `since_day`: studies count as heard of then, if they were not later; nobody noted it before.
    """

    days: int
    since_day: int = -1
    cursor: str | None = None


_remnant = msgspec.msgpack.Decoder(_RemnantRow).decode
_retention = msgspec.msgpack.Decoder(Retention).decode


def encode_remnant(remnant: Remnant) -> bytes | None:
    """None: nothing is left."""
    if not (remnant.lines or remnant.documents):
        return None
    series = sorted({line.series_instance_uid for line in remnant.lines.values()})
    places = {uid: place for place, uid in enumerate(series)}
    lines = [
        (UUID(i).bytes, line.revision, line.kind, places[line.series_instance_uid], line.maker, line.modality)
        for i, line in remnant.lines.items()
    ]
    return _encode(_RemnantRow(series, lines, sorted(remnant.documents)))


def decode_remnant(body: bytes) -> Remnant:
    row, remnant = _remnant(body), Remnant()
    for reference_id, revision, kind, place, maker, modality in row.lines:
        line = Line(revision, kind, row.series[place], maker, modality)
        remnant.lines[str(UUID(bytes=reference_id))] = line
    remnant.documents = set(row.documents)
    return remnant


def part_of(reference_id: str) -> bytes:
    """What of an entry's body tells whether it may hold this reference."""
    return UUID(reference_id).bytes


def encode_retention(retention: Retention) -> bytes:
    return _encode(retention)


def decode_retention(body: bytes) -> Retention:
    return _retention(body)
