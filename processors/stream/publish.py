"""`publish`: DICOM files and event files to the input topics.

Rules of this file: finding, reading and pacing; keys and topics are `input_producer`'s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from processors.errors import UsageError
from processors.pipeline.decode import split_event_file
from processors.settings import Settings
from processors.stream.input_producer import DICOM, INPUT_BYTES, NO_HEADERS, InputProducer

EVENT_SUFFIXES = (".json", ".ndjson")


def publish(
    paths: Sequence[Path],
    settings: Settings,
    rate: float | None = None,
    progress: Callable[[Path], None] = lambda _: None,
) -> int:
    """Send all and wait for the broker; at most `rate` records a second. `progress`: a file was handed over.
    Returns how many records the broker has.

    Raises UsageError if a file cannot be read or was too large, Unavailable if the broker did not take all.
    """
    producer, pace = InputProducer(settings), _Pace(rate)
    too_large = 0
    for path in _files(paths):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        is_events = path.suffix.lower() in EVENT_SUFFIXES
        for value in split_event_file(data) if is_events else (data,):
            if len(value) > INPUT_BYTES:
                too_large += 1
                continue
            pace.wait()
            producer.send(value, NO_HEADERS if is_events else DICOM)
        progress(path)
    producer.flush()
    producer.close()
    if too_large:
        raise UsageError(f"{too_large} files above 15 MiB were not sent: publish them as events with `uri`")
    return producer.delivered


class _Pace:
    """At most `rate` a second, with a second's worth of catching up; None: no limit."""

    def __init__(self, rate: float | None) -> None:
        self._interval_s = 1 / rate if rate else 0.0
        self._next_at = time.monotonic()
        self._pause = threading.Event()

    def wait(self) -> None:
        while (left := self._next_at - time.monotonic()) > 0:
            self._pause.wait(left)
        self._next_at = max(self._next_at, time.monotonic() - 1) + self._interval_s


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Files as given, folders by path."""
    for path in paths:
        if path.is_dir():
            yield from sorted(member for member in path.rglob("*") if member.is_file())
        else:
            yield path
