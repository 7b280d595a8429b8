"""The doors of the pipeline: what it needs of a state store, and the store in memory.

Rules of this file: protocols and the in-memory implementation that is shipped (`assemble`, tests, the demo's
tests). `stream.store` implements the same protocol over SQLite; both are held to `tests/contract`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from processors.pipeline.records import StateEntry

Held = tuple[str, bytes, int | None]
"""Key, value, and when its clock runs out."""


class StateStore(Protocol):
    """State of one home partition. Reads see what `put` wrote, also before `commit`.

    Blocking; used by one thread. Keys are text, ordered by code point.
    """

    def get(self, key: str) -> bytes | None: ...

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """All entries whose key begins with `prefix`, in key order."""
        ...

    def entries(self, prefix: str) -> Iterator[Held]:
        """As `scan`, with the clocks, and read as it goes: for all of a large store, which nobody changes."""
        ...

    def first_key(self, start: str) -> str | None:
        """The first key that is `start` or comes after it; None: there is none."""
        ...

    def due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        """(key, due_at_ms) of entries whose clock runs out at or before `until_ms`, earliest first."""
        ...

    def next_due_ms(self) -> int | None:
        """The earliest clock, or None."""
        ...

    def put(self, entries: Iterable[StateEntry]) -> None:
        """Write, visible to later reads; lasting only after `commit`."""
        ...

    def commit(self, position: int) -> None:
        """Make the writes since the last commit last; `position`: next changelog offset not held here."""
        ...

    def rollback(self) -> None:
        """Forget the writes since the last commit."""
        ...

    def position(self) -> int:
        """Next changelog offset to read for this store to be up to date; 0 for an empty one."""
        ...


class MemoryStore:
    """A StateStore in dictionaries; `scan` and `due` sort, so it is for small states."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[bytes, int | None]] = {}
        self._undo: dict[str, tuple[bytes, int | None] | None] = {}
        self._position = 0

    def get(self, key: str) -> bytes | None:
        row = self._rows.get(key)
        return row[0] if row else None

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        for key in sorted(k for k in self._rows if k.startswith(prefix)):
            yield key, self._rows[key][0]

    def entries(self, prefix: str) -> Iterator[Held]:
        for key in sorted(k for k in self._rows if k.startswith(prefix)):
            yield key, *self._rows[key]

    def first_key(self, start: str) -> str | None:
        return min((key for key in self._rows if key >= start), default=None)

    def due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        found = [(k, d) for k, (_, d) in self._rows.items() if d is not None and d <= until_ms]
        return sorted(found, key=lambda row: (row[1], row[0]))[:limit]

    def next_due_ms(self) -> int | None:
        return min((d for _, d in self._rows.values() if d is not None), default=None)

    def put(self, entries: Iterable[StateEntry]) -> None:
        for entry in entries:
            self._undo.setdefault(entry.key, self._rows.get(entry.key))
            if entry.value is None:
                self._rows.pop(entry.key, None)
            else:
                self._rows[entry.key] = (entry.value, entry.due_at_ms)

    def commit(self, position: int) -> None:
        self._undo.clear()
        self._position = position

    def rollback(self) -> None:
        for key, row in self._undo.items():
            if row is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = row
        self._undo.clear()

    def position(self) -> int:
        return self._position
