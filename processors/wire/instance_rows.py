"""A chunk of instances, column by column: nearly all there is of state, and what each arrival writes anew.

Rules of this file: columns and MessagePack, no meaning. FORMAT of `wire.state` covers it. What is the same
for all, or grows by the same, is written once; digests are as good as random and stay out of the compression,
whose codes suit digits better without them. A column costs a step or two in C, not one an instance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise, repeat
from operator import sub
from typing import Any, NamedTuple, TypeVar

import msgspec

from processors.core.instances import History, InstanceState
from processors.wire.packing import pack, unpack

_BETWEEN = "\0"
_encode = msgspec.msgpack.Encoder().encode
_Texts = str | list[str]
"""A NUL between each two; a list if one has a NUL of its own."""
_Numbers = list[int | None]
"""The first, and by how much each is more than the one before; with a None in it as they are."""
Cell = TypeVar("Cell")


class _Columns(NamedTuple):
    """The last of a list stands for all that follow. Positions follow from the chunk's number."""

    size: int
    sop_instance_uids: _Texts
    sop_class_uids: list[str]
    numbers: _Numbers
    frames: list[int | None]
    frame_of_reference_uids: list[str]
    occurred_at_us: _Numbers
    sources: list[str]
    event_ids: _Texts
    digest_sizes: list[int]
    histories: list[History | None]
    volumes: list[str]


_chunk = msgspec.msgpack.Decoder(tuple[bytes, bytes]).decode
"""The columns, compressed; the digests, one behind the other."""
_columns = msgspec.msgpack.Decoder(_Columns).decode


def encode_instances(instances: Sequence[tuple[Any, ...]]) -> bytes:
    """At least one, each an InstanceState or its fields, at positions that follow each other."""
    uids, classes, numbers, frames, frame_uids, at_us, sources, events, digests, _, histories, volumes = zip(
        *instances, strict=True
    )
    columns = (
        len(instances),
        _texts(uids),
        _once(classes),
        _numbers(numbers),
        _once(frames),
        _once(frame_uids),
        _numbers(at_us),
        _once(sources),
        _texts(events),
        _once(list(map(len, digests))),
        _once(histories),
        _once(volumes),
    )
    return _encode((pack(_encode(columns)), b"".join(digests)))


def decode_instances(body: bytes, first: int) -> Iterator[InstanceState]:
    """`first`: position of the first."""
    packed, digests = _chunk(body)
    columns = _columns(unpack(packed))
    count = columns.size
    ends = list(accumulate(_all(columns.digest_sizes, count), initial=0))
    rows = zip(
        _all_texts(columns.sop_instance_uids),
        _all(columns.sop_class_uids, count),
        _all_numbers(columns.numbers, count),
        _all(columns.frames, count),
        _all(columns.frame_of_reference_uids, count),
        _all_numbers(columns.occurred_at_us, count),
        _all(columns.sources, count),
        _all_texts(columns.event_ids),
        [digests[start:end] for start, end in pairwise(ends)],
        range(first, first + count),
        _all(columns.histories, count),
        _all(columns.volumes, count),
        strict=True,
    )
    return map(tuple.__new__, repeat(InstanceState), rows)


def _once(column: Sequence[Cell]) -> Sequence[Cell]:
    """One of them if all are the same."""
    return column[:1] if column.count(column[0]) == len(column) else column


def _all(column: list[Cell], count: int) -> list[Cell]:
    return column if len(column) == count else column + column[-1:] * (count - len(column))


def _texts(column: Sequence[str]) -> str | Sequence[str]:
    joined = _BETWEEN.join(column)
    return joined if joined.count(_BETWEEN) == len(column) - 1 else column


def _all_texts(column: _Texts) -> list[str]:
    return column.split(_BETWEEN) if isinstance(column, str) else column


def _numbers(column: Sequence[Any]) -> Sequence[int | None]:
    try:
        steps = list(map(sub, column[1:], column))
    except TypeError:  # at a None; dearer to look for one
        return _once(column)
    return [column[0], *_once(steps)] if steps else column


def _all_numbers(column: list[Any], count: int) -> list[int | None]:
    whole = _all(column, count)
    try:
        return list(accumulate(whole))
    except TypeError:
        return whole
