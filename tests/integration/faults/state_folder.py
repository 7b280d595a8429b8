"""What may happen to a member's state folder while the member is dead.

Rules of this file: files only, choices from a seed; no process.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from enum import StrEnum
from pathlib import Path
from random import Random


class Fate(StrEnum):
    KEPT = "kept"
    LOST = "lost"
    STALE = "stale"
    CORRUPTED = "corrupted"


class StateFolder:
    """`folder` of a member, and `archive`, where its earlier states are kept to come back as stale ones."""

    def __init__(self, folder: Path, archive: Path, seed: int) -> None:
        self._folder = folder
        self._archive = archive
        self._random = Random(seed)
        self._kept = 0

    def meet(self, fate: Fate) -> str:
        """Let it happen; says what was done. Every state met is also kept for later."""
        if not self._folder.exists():
            return "there is none"
        earlier = self._archive / str(self._random.randrange(max(self._kept - 3, 0), max(self._kept, 1)))
        shutil.copytree(self._folder, self._archive / str(self._kept))
        self._kept += 1
        if fate is Fate.LOST:
            shutil.rmtree(self._folder)
        elif fate is Fate.STALE and earlier.exists():
            shutil.rmtree(self._folder)
            shutil.copytree(earlier, self._folder)
            return f"state {earlier.name} of {self._kept}"
        elif fate is Fate.CORRUPTED:
            return self._corrupt()
        return ""

    def _corrupt(self) -> str:
        """Some files of the folder, each in its own way."""
        done = []
        files = sorted(path for path in self._folder.iterdir() if path.stat().st_size)
        if not files:
            return "nothing is in it"
        for path in self._random.sample(files, self._random.randint(1, len(files))):
            if not path.exists() or not path.stat().st_size:
                continue  # SQLite cleared it away when it looked at another
            damage = self._random.choice((_value, _value, _page, _bytes, _cut, _noise, _swapped, _gone))
            damage(path, self._random)
            done.append(f"{path.name} {damage.__name__.strip('_')}")
        return ", ".join(done)


def _page(path: Path, random: Random) -> None:
    """A page as after a write that never arrived."""
    data = bytearray(path.read_bytes())
    start = random.randrange(len(data)) // 4096 * 4096
    data[start : start + 4096] = random.randbytes(len(data[start : start + 4096]))
    path.write_bytes(data)


def _value(path: Path, random: Random) -> None:
    """A bit of a value, where SQLite itself finds nothing wrong."""
    path = path.with_name(path.name.removesuffix("-wal").removesuffix("-shm"))
    values = []
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(path)) as db:
        values = [row[0] for row in db.execute("SELECT value FROM entry WHERE length(value) > 32")]
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if values:
        data = bytearray(path.read_bytes())
        at = data.index(random.choice(values)[:32]) + random.randrange(32)
        data[at] ^= 1 << random.randrange(8)
        path.write_bytes(data)


def _bytes(path: Path, random: Random) -> None:
    """Single bits that fell over."""
    data = bytearray(path.read_bytes())
    for _ in range(max(1, len(data) // 1024)):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    path.write_bytes(data)


def _cut(path: Path, random: Random) -> None:
    path.write_bytes(path.read_bytes()[: random.randrange(path.stat().st_size)])


def _noise(path: Path, random: Random) -> None:
    path.write_bytes(random.randbytes(path.stat().st_size))


def _swapped(path: Path, random: Random) -> None:
    """Another home's file in its place."""
    path.write_bytes(random.choice(sorted(path.parent.glob("*.sqlite"))).read_bytes())


def _gone(path: Path, _: Random) -> None:
    path.unlink()
