"""Rows of `wire` as entries of the store, which are the changelog's records, too.

Rules of this file: the envelope around a row; no meaning.
"""

from __future__ import annotations

from processors.avro.envelope import encode_state
from processors.pipeline.records import StateEntry
from processors.wire.state import FORMAT, Row, kind_of


def entry_of(home: int, row: Row, stamp_ms: int = 0) -> StateEntry:
    """A row without a body makes the entry go."""
    if row.body is None:
        return StateEntry(home, row.key, None, row.due_at_ms)
    value = encode_state(kind_of(row.key), row.body, version=FORMAT, stamp_ms=stamp_ms)
    return StateEntry(home, row.key, value, row.due_at_ms)
