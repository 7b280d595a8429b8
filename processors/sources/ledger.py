"""What a source remembers over a restart: how far it got, what it sent.

Rules of this file: text keys and values in one SQLite file, and no meaning. Keys that might name a patient,
as paths do, are hashed by the caller. Losing the file repeats events and loses none.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from processors.errors import Unavailable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, value TEXT NOT NULL, at_s INTEGER NOT NULL)
    WITHOUT ROWID
"""


class Ledger:
    """Writes last once a method returns; used by any number of threads of one process.

    Raises Unavailable if the folder cannot be written, or another process has the same ledger.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                folder / f"source-{name}.sqlite", isolation_level=None, check_same_thread=False, timeout=1.0
            )
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            raise Unavailable(
                f"the source's ledger in {folder} cannot be used ({error}): is another one running?"
            ) from error

    def get(self, key: str) -> str | None:
        with self._lock:
            row = self._db.execute("SELECT value FROM entry WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, entries: Iterable[tuple[str, str]]) -> None:
        """All or none."""
        now_s = int(time.time())
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", ((k, v, now_s) for k, v in entries)
            )
            self._db.execute("COMMIT")

    def remove(self, keys: Iterable[str]) -> None:
        with self._lock:
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM entry WHERE key = ?", ((key,) for key in keys))
            self._db.execute("COMMIT")

    def scan(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Entries whose key begins with `prefix`, in key order, as they were when asked."""
        with self._lock:
            rows = self._db.execute(
                "SELECT key, value FROM entry WHERE key >= ? AND key < ? ORDER BY key",
                (prefix, prefix + "\U0010ffff"),
            ).fetchall()
        return iter(rows)

    def forget_older(self, prefix: str, seconds: float) -> None:
        """Drop entries of `prefix` that were put longer ago than that."""
        with self._lock:
            self._db.execute(
                "DELETE FROM entry WHERE key >= ? AND key < ? AND at_s < ?",
                (prefix, prefix + "\U0010ffff", int(time.time() - seconds)),
            )

    def close(self) -> None:
        with self._lock:
            self._db.close()
