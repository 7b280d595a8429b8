"""SqliteStore: the local index of one changelog partition (processors.pipeline.ports.StateStore).

Rules of this file: SQLite and nothing of Kafka but the position, an integer. The changelog is the truth; this
file may be lost at any time, so it is never synced while in use (synchronous=OFF) and is thrown away whenever
it is in doubt: another format, another topic or partition count, damage, or a machine that went down while
the file was open.

    entry  key → value, due_at_ms (indexed where set), checksum of the three
    meta   format, identity, position, as_of_ms, boot
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

from processors.errors import Unavailable
from processors.pipeline.ports import Held
from processors.pipeline.records import StateEntry

FORMAT = "2"
"""Raised when the tables change; a file of another format is rebuilt from the changelog."""

LOCK_S = 0.2
"""A file that is locked belongs to a paused predecessor of ours: it is left to it, and a new one is made."""

PAGE_BYTES = 8192
"""An entry of instances has 2 to 3 kB: one of SQLite's usual pages of 4096 holds one and wastes the rest."""

_CLOSED = "closed"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, due_at_ms INTEGER, checksum INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS entry_due ON entry (due_at_ms, key) WHERE due_at_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_UPSERT = (
    "INSERT INTO entry VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE "
    "SET value = excluded.value, due_at_ms = excluded.due_at_ms, checksum = excluded.checksum"
)

_SELECT = "SELECT key, value, due_at_ms, checksum FROM entry WHERE key"


class SqliteStore:
    """State of one home partition in one file, used by one thread.

    `identity` names the changelog partition the file mirrors (cluster, topic, topic id, count): a file made
    for another one is emptied on opening. Raises Unavailable if the folder cannot be made,
    sqlite3.DatabaseError if the disk is full (`disk_is_full`) or the file goes bad (`discard` it then).
    """

    def __init__(self, path: Path, identity: str) -> None:
        self._path = path
        self._identity = identity
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as failed:
            raise Unavailable(f"state.dir: {path.parent} cannot be made: {failed.strerror}") from failed
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as failed:
            if disk_is_full(failed):
                raise
            discard(path)
            self._db = self._open()
        self._writing = False
        self._position = int(self._meta("position") or 0)

    # ---- the StateStore protocol ----------------------------------------------------------------------

    def get(self, key: str) -> bytes | None:
        row = self._db.execute(f"{_SELECT} = ?", (key,)).fetchone()
        return _checked(row)[1] if row else None

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Read whole before it is returned, so that the caller may `put` while it iterates."""
        return map(_checked, self._range(prefix).fetchall())

    def entries(self, prefix: str) -> Iterator[Held]:
        for row in self._range(prefix):
            yield *_checked(row), row[2]

    def _range(self, prefix: str) -> sqlite3.Cursor:
        end = _after(prefix)
        if end is None:
            return self._db.execute(f"{_SELECT} >= ? ORDER BY key", (prefix,))
        return self._db.execute(f"{_SELECT} >= ? AND key < ? ORDER BY key", (prefix, end))

    def first_key(self, start: str) -> str | None:
        row = self._db.execute("SELECT min(key) FROM entry WHERE key >= ?", (start,)).fetchone()
        return row[0] if row else None

    def due(self, until_ms: int, limit: int) -> list[tuple[str, int]]:
        return self._db.execute(
            "SELECT key, due_at_ms FROM entry WHERE due_at_ms <= ? ORDER BY due_at_ms, key LIMIT ?",
            (until_ms, limit),
        ).fetchall()

    def next_due_ms(self) -> int | None:
        row = self._db.execute("SELECT min(due_at_ms) FROM entry WHERE due_at_ms IS NOT NULL").fetchone()
        return None if row is None else row[0]

    def put(self, entries: Iterable[StateEntry]) -> None:
        last = {entry.key: entry for entry in entries}
        if not last:
            return
        self._begin()
        kept = [
            (e.key, e.value, e.due_at_ms, _checksum(e.key, e.value, e.due_at_ms))
            for e in last.values()
            if e.value is not None
        ]
        gone = [(e.key,) for e in last.values() if e.value is None]
        if kept:
            self._db.executemany(_UPSERT, kept)
        if gone:
            self._db.executemany("DELETE FROM entry WHERE key = ?", gone)

    def commit(self, position: int, as_of_ms: int | None = None) -> None:
        """`as_of_ms`: when a restore that is under way began; None: the file holds all there is by now."""
        self._begin()
        self._set_meta("position", str(position))
        self._set_meta("as_of_ms", str(_now_ms() if as_of_ms is None else as_of_ms))
        self._db.execute("COMMIT")
        self._writing = False
        self._position = position

    def rollback(self) -> None:
        self._writing = False
        if self._db.in_transaction:  # SQLite ends one itself when the disk is full
            self._db.execute("ROLLBACK")

    def position(self) -> int:
        return self._position

    # ---- the file's life ------------------------------------------------------------------------------

    def as_of_ms(self) -> int:
        """Wall clock at which the file held, or began to read, all of its changelog; 0 for a new one."""
        return int(self._meta("as_of_ms") or 0)

    def clear(self) -> None:
        """Forget everything: the file no longer fits its changelog. The next position is 0."""
        self.rollback()
        self._db.execute("DELETE FROM entry")
        self._db.execute("DELETE FROM meta WHERE name IN ('position', 'as_of_ms')")
        self._position = 0

    def close(self, current: bool = True) -> None:
        """Uncommitted writes are lost. `current`: everything of the changelog up to now is in the file.

        Synced once, so that a machine going down later cannot harm it.
        """
        try:
            self.rollback()
            self._db.execute("PRAGMA synchronous = FULL")
            if current and self._position:
                self._set_meta("as_of_ms", str(_now_ms()))
            self._set_meta("boot", _CLOSED)
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._db.close()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=LOCK_S, isolation_level=None)
        try:
            db.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a file just made; others keep theirs
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = OFF")
            db.executescript(_SCHEMA)
            meta = dict(db.execute("SELECT name, value FROM meta"))
            fits = meta.get("format") == FORMAT and meta.get("identity") == self._identity
            if not fits or meta.get("boot") not in (_CLOSED, _boot()):
                db.executescript("DROP TABLE entry; DROP TABLE meta;" + _SCHEMA)
            wanted = {"format": FORMAT, "identity": self._identity, "boot": _boot()}
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", wanted.items())
        except sqlite3.DatabaseError:
            db.close()
            raise
        return db

    def _begin(self) -> None:
        if not self._writing:
            self._db.execute("BEGIN IMMEDIATE")
            self._writing = True

    def _meta(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _set_meta(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def path_of(state_dir: Path, home: int) -> Path:
    return state_dir / f"home-{home:04d}.sqlite"


def _checksum(key: str, value: bytes, due_at_ms: int | None) -> int:
    return crc32(value, crc32(key.encode(), (due_at_ms or 0) & 0xFFFFFFFF))


def _checked(row: tuple[str, bytes, int | None, int]) -> tuple[str, bytes]:
    """SQLite finds damage to its pages' structure, not to what they hold."""
    key, value, due_at_ms, checksum = row
    if _checksum(key, value, due_at_ms) != checksum:
        raise sqlite3.DatabaseError("an entry is not what was written")
    return key, value


def disk_is_full(failed: sqlite3.DatabaseError) -> bool:
    """What was written before is as good as ever."""
    return getattr(failed, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def discard(path: Path) -> None:
    """Remove a store's file with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _boot() -> str:
    """Which start of the machine this is; without /proc all look alike and damage is met on reading."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _after(prefix: str) -> str | None:
    """The first text after every text that begins with `prefix`; None if there is none.

    Code points 0xD800–0xDFFF are no characters and are skipped; SQLite compares UTF-8, which orders alike.
    """
    for end in range(len(prefix) - 1, -1, -1):
        point = ord(prefix[end]) + 1
        if point == 0xD800:
            point = 0xE000
        if point <= 0x10FFFF:
            return prefix[:end] + chr(point)
    return None
