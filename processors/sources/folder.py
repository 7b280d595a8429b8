"""`source folder`: files that are there and files that come, each sent once it is whole.

Rules of this file: watching, waiting and remembering; what a file becomes is `events`'. A path may name a
patient: it is hashed in the ledger, and never logged. Symbolic links are not followed, so nothing outside of
the folder is read.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from watchfiles import watch

from processors import telemetry
from processors.errors import Unavailable, UsageError
from processors.pipeline.decode import split_event_file
from processors.sources.events import Outgoing, arrival_of
from processors.sources.forwarding import Forwarder
from processors.sources.ledger import Ledger
from processors.stream.input_producer import INPUT_BYTES, NO_HEADERS
from processors.stream.publish import EVENT_SUFFIXES

KIND = "folder"
OLD_S = 60.0
"""A file that was not touched for so long is whole: a backlog need not be looked at twice."""
LOOK_MS = 250
"""How often files that are being written are looked at, and how soon a stop is noticed."""
RESCAN_S = 300.0
"""Everything is looked at so often: of changes on a network share the system tells nothing."""
READ_BYTES = 64 * 1024 * 1024
"""Of a file. An image's header is far smaller, and a document beyond it fits no record anyway."""
BATCH_BYTES = 32 * 1024 * 1024
BATCH_FILES = 500
_UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload", "~")
"""Names that copying programs give a file until it is whole; hidden ones are left alone, too."""


class Mark(NamedTuple):
    """Whether a file changed: any write moves one of these."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class FolderSource:
    """`settle_s`: a file is whole when nothing changed for so long."""

    def __init__(
        self,
        folders: Sequence[Path],
        name: str,
        settle_s: float,
        ledger: Ledger,
        forwarder: Forwarder,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._name, self._settle_s = name, settle_s
        self._ledger, self._forwarder, self._monotonic = ledger, forwarder, monotonic
        self._writing: dict[Path, tuple[Mark, float]] = {}
        """Files not yet whole: as last seen, and since when."""

    def run(self) -> None:
        """Until the forwarder's `stop`. Raises UsageError for a folder that is not there, Unavailable."""
        for folder in self._folders:
            if not folder.is_dir():
                raise UsageError(f"{folder} is not a folder")
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # of a lease (`_has_writer`) that somebody breaks
        scanned_at = -RESCAN_S
        for changed in _changes(self._folders, self._forwarder.stop):
            now = self._monotonic()
            if now - scanned_at >= RESCAN_S:
                scanned_at = now
                self.scan()
            self.look(changed)
            if self._forwarder.stop.is_set():
                return

    def scan(self) -> None:
        """Look at every file, and forget those that are gone, so that they count anew if they come back."""
        present = set()
        for path in _files_below(self._folders):
            present.add(_key_of(path))
            self._see(path)
        gone = [key for key, _ in self._ledger.scan("path/") if key not in present]
        self._ledger.remove(gone)

    def look(self, changed: Iterable[Path]) -> None:
        """Take note of what changed and send what has become whole."""
        for path in changed:
            for file in _files_below([path]) if path.is_dir() else [path]:
                self._see(file)
        for batch in self._batches(self._whole()):
            records = [record for _, found in batch for record in found]
            if not self._forwarder.forward(records):
                return
            self._ledger.put(marked for marked, _ in batch)

    def _see(self, path: Path) -> None:
        mark = _mark_of(path)
        known = self._writing.get(path)
        if mark is None or _is_unfinished(path):
            self._writing.pop(path, None)
        elif known is None or known[0] != mark:
            if (self._ledger.get(_key_of(path)) or "").startswith(_text_of(mark)):
                self._writing.pop(path, None)
            else:
                self._writing[path] = (mark, self._monotonic())

    def _whole(self) -> Iterator[tuple[Path, Mark]]:
        """Files nobody writes to any more; taken from the list by being asked for."""
        for path in list(self._writing):
            self._see(path)
            mark, since = self._writing.get(path, (None, 0.0))
            if mark is None:
                continue
            rested_s = time.time() - max(mark.mtime_ns, mark.ctime_ns) / 1e9
            if self._monotonic() - since >= self._settle_s or rested_s >= max(OLD_S, self._settle_s):
                del self._writing[path]
                yield path, mark

    def _batches(
        self, files: Iterator[tuple[Path, Mark]]
    ) -> Iterator[list[tuple[tuple[str, str], list[Outgoing]]]]:
        """Ledger entry and records of each file, as many as are sent and waited for together."""
        batch: list[tuple[tuple[str, str], list[Outgoing]]] = []
        size = 0
        for path, mark in files:
            data = _read(path, mark.inode)
            if data is None or _mark_of(path) != mark:
                self._see(path)  # written to, or changed under our eyes
                continue
            digest = sha256(data).hexdigest()
            key = _key_of(path)
            known = (self._ledger.get(key) or "").endswith(digest)  # touched, but the same
            records = [] if known else self._records(path, data, mark)
            batch.append(((key, f"{_text_of(mark)} {digest}"), records))
            size += sum(len(record.value) for record in records)
            if size >= BATCH_BYTES or len(batch) >= BATCH_FILES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _records(self, path: Path, data: bytes, mark: Mark) -> list[Outgoing]:
        if path.suffix.lower() in EVENT_SUFFIXES:
            found = [Outgoing(value, NO_HEADERS) for value in split_event_file(data)]
            fitting = [record for record in found if len(record.value) <= INPUT_BYTES]
        else:
            arrival = arrival_of(data, self._name, datetime.fromtimestamp(mark.ctime_ns / 1e9, UTC))
            found, fitting = [], [arrival] if arrival else []
        if (mark.size > READ_BYTES and found) or len(fitting) < len(found) or not (found or fitting):
            telemetry.source_left_out(KIND, "too_large", inode=mark.inode)
        return fitting


def _changes(folders: Sequence[Path], stop: threading.Event) -> Iterator[list[Path]]:
    """Paths that changed, again and again; nothing at first, once the watch stands."""
    try:
        for changes in watch(
            *folders,
            watch_filter=None,
            debounce=2 * LOOK_MS,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
            stop_event=stop,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            yield [Path(path) for _, path in changes]
    except OSError as error:
        raise Unavailable(
            f"the folder cannot be watched: {error.strerror or type(error).__name__}"
        ) from error


def _files_below(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for root, folders_in, names in os.walk(folder):
            folders_in[:] = sorted(each for each in folders_in if not each.startswith("."))
            yield from (Path(root, name) for name in sorted(names))


def _is_unfinished(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower().endswith(_UNFINISHED)


def _mark_of(path: Path) -> Mark | None:
    """None for what is no regular file, empty, or not there any more."""
    try:
        found = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return None
    return Mark(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _read(path: Path, inode: int) -> bytes | None:
    """None if it is gone or somebody writes to it. One that may not be read is looked at again by a scan."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return None if _has_writer(file.fileno()) else file.read(READ_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        telemetry.source_left_out(KIND, "unreadable", inode=inode, reason=error.strerror or "")
        return None


def _has_writer(descriptor: int) -> bool:
    """Whether a process of this machine has it open for writing: then the system grants no read lease."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:  # otherwise: another's file, or a file system without leases
        return error.errno == errno.EAGAIN
    return False


def _key_of(path: Path) -> str:
    return f"path/{sha256(os.fsencode(path)).hexdigest()}"


def _text_of(mark: Mark) -> str:
    return f"{mark.size}:{mark.mtime_ns}:{mark.ctime_ns}:{mark.inode}"
