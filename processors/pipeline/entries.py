"""Rows of `wire` as entries of the store, which are the changelog's records, too.

Rules of this file: the envelope around a row; no meaning.
"""

from __future__ import annotations

from processors.avro.envelope import decode_state, encode_state
from processors.pipeline.records import StateEntry
from processors.wire.state import FORMAT, Row, kind_of
from processors.wire.upgrade import upgraded

LAYOUT_KEY = "!layout"
"""The entry of a home that is the loop's own (`stream.layout`), in no envelope. `!` sorts first."""

HELD_KEY = "!h|"
"""The entry of a home whose clock is held (`stream.holding`)."""
HELD = encode_state("!h", b"", version=FORMAT)


def entry_of(home: int, row: Row, stamp_ms: int = 0) -> StateEntry:
    """A row without a body makes the entry go."""
    if row.body is None:
        return StateEntry(home, row.key, None, row.due_at_ms)
    value = encode_state(kind_of(row.key), row.body, version=FORMAT, stamp_ms=stamp_ms)
    return StateEntry(home, row.key, value, row.due_at_ms)


def as_of_now(entry: StateEntry) -> StateEntry:
    """An entry of the changelog as this version writes it. Raises Unavailable if it can't read it."""
    if entry.value is None or entry.key == LAYOUT_KEY:
        return entry
    written = decode_state(entry.value)
    if written.version == FORMAT:
        return entry
    body = upgraded(written.version, written.kind, written.body)
    return entry._replace(value=encode_state(written.kind, body, version=FORMAT, stamp_ms=written.stamp_ms))
