"""SIGTERM and SIGINT, heard by a thread.

Rules of this file: a handler runs between two instructions of the main thread, which may hold the lock of a
log or of an event just then and would wait for itself for ever; so it does no more than `SimpleQueue.put`,
which is made for that.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from processors import telemetry

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def on_stop(stop: Callable[[], None]) -> None:
    """From now on each of the signals is told and calls `stop`, on a thread of its own."""
    _heard_by(stop)


@contextmanager
def until_signalled() -> Iterator[threading.Event]:
    """An event that each of the signals sets; the handlers before are put back."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard = _heard_by(stop.set)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        heard.put(None)


def _heard_by(stop: Callable[[], None]) -> SimpleQueue[int | None]:
    """Where the signals are put; None ends the thread."""
    heard: SimpleQueue[int | None] = SimpleQueue()

    def listen() -> None:
        while (number := heard.get()) is not None:
            telemetry.stopping(signal.Signals(number).name)
            stop()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    for number in SIGNALS:
        signal.signal(number, lambda number, _: heard.put(number))
    return heard
