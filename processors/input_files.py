"""Files that a person names on the command line: single ones, folders, zips.

Rules of this file: finding them in a fixed order and reading one when asked; what they hold is the caller's.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from processors.errors import UsageError

MEMBER_BYTES = 1 << 28
"""Unpacked size of a zip's member: deflate reaches 1000:1, so that a small file could ask for all memory."""


class Input:
    """One file or zip member: its path as shown and its size in bytes."""

    __slots__ = ("_read", "name", "size", "too_large")

    def __init__(self, name: str, size: int, read: Callable[[], bytes], too_large: bool = False) -> None:
        self.name, self.size, self._read = name, size, read
        self.too_large = too_large
        """A member of a zip that is not unpacked."""

    def read(self) -> bytes:
        """All its bytes. Raises UsageError if they cannot be had."""
        if self.too_large:
            raise UsageError(f"{self.name}: more than {MEMBER_BYTES >> 20} MiB in a zip: unpack it first")
        try:
            return self._read()
        except (OSError, zipfile.BadZipFile, RuntimeError) as error:
            raise UsageError(f"cannot read {self.name}: {error}") from error


def inputs_of(paths: Sequence[Path]) -> list[Input]:
    """Files as given, folders by path, zips by member. Raises UsageError for what cannot be read."""
    found: list[Input] = []
    for path in paths:
        try:
            for member in _files_below(path) if path.is_dir() else [path]:
                found.extend(_zip_members(member) if zipfile.is_zipfile(member) else [_file(member)])
        except OSError as error:
            raise UsageError(f"cannot read {error.filename or path}: {error.strerror}") from error
    return found


def _files_below(folder: Path) -> list[Path]:
    """By path. A folder that cannot be read is an error here, while `rglob` passes over it in silence."""

    def refuse(error: OSError) -> NoReturn:
        raise error

    walk = os.walk(folder, onerror=refuse)
    found = (Path(root, name) for root, _, names in walk for name in names)
    return sorted(path for path in found if path.is_file() or not path.exists())


def _file(path: Path) -> Input:
    with path.open("rb"):
        return Input(str(path), path.stat().st_size, path.read_bytes)


def _zip_members(path: Path) -> Iterator[Input]:
    with zipfile.ZipFile(path) as archive:
        members = sorted((m for m in archive.infolist() if not m.is_dir()), key=lambda m: m.filename)
    for member in members:
        name, reader = f"{path}/{member.filename}", _member_reader(path, member)
        yield Input(name, member.file_size, reader, member.file_size > MEMBER_BYTES)


def _member_reader(path: Path, member: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        with zipfile.ZipFile(path) as archive:  # never more than `file_size`, whatever is packed there
            return archive.read(member)

    return read
