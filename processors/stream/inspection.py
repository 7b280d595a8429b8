"""The state of this member's homes, read beside the loop: `/series/{uid}` and `/references/{id}`.

Rules of this file: SQLite read-only, a connection a question, on the thread that asks. A reader in WAL mode
sees the last commit and holds up no writer. What the rows mean is `pipeline.inspection`'s.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import UUID

from processors.pipeline.inspection import Known, Rows, reference_known, series_known
from processors.stream.store import path_of
from processors.wire.json_text import dump

LOCK_S = 2.0


class Inspection:
    """http.State over the files of `state_dir`; `homes`: those that are this member's now."""

    def __init__(self, state_dir: Path, homes: Callable[[], Iterable[int]], namespace: UUID) -> None:
        self._state_dir = state_dir
        self._homes = homes
        self._namespace = namespace

    def series(self, series_instance_uid: str) -> bytes | None:
        return self._asked("series", lambda homes: series_known(homes, series_instance_uid))

    def reference(self, reference_id: str) -> bytes | None:
        return self._asked("references", lambda homes: reference_known(homes, reference_id, self._namespace))

    def _asked(self, name: str, ask: Callable[[list[Rows]], list[Known]]) -> bytes | None:
        with ExitStack() as opened:
            try:
                homes: list[Rows] = [
                    StateFile(home, opened.enter_context(closing(_open(path_of(self._state_dir, home)))))
                    for home in sorted(self._homes())
                ]
                known = ask(homes)
            except sqlite3.Error as failed:
                raise OSError(f"a state file cannot be read now: {type(failed).__name__}") from failed
        return dump({name: known}) if known else None


class StateFile:
    """Rows of one home's file (`stream.store`)."""

    def __init__(self, home: int, db: sqlite3.Connection) -> None:
        self.home = home
        self._db = db

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        end = f"{prefix}\U0010ffff"
        found = self._db.execute(
            "SELECT key, value FROM entry WHERE key >= ? AND key < ? ORDER BY key", (prefix, end)
        )
        return iter(found.fetchall())

    def keys(self, pattern: str, containing: bytes = b"") -> Iterator[str]:
        """Looks at every key of the file, in SQLite's own code."""
        found = (
            self._db.execute(
                "SELECT key FROM entry WHERE key GLOB ? AND instr(value, ?)", (pattern, containing)
            )
            if containing
            else self._db.execute("SELECT key FROM entry WHERE key GLOB ?", (pattern,))
        )
        return iter([key for (key,) in found])


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_S)
