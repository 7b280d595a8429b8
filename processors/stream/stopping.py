"""SIGTERM and SIGINT, heard by a thread.

Rules of this file: a handler runs between two instructions of the main thread, which may hold the lock of a
log or of an event just then and would wait for itself for ever; so it does no more than `SimpleQueue.put`,
which is made for that.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue

from processors import telemetry


def on_stop(stop: Callable[[], None]) -> None:
    """From now on each of the signals is told and calls `stop`, on a thread of its own."""
    heard: SimpleQueue[int] = SimpleQueue()

    def listen() -> None:
        while True:
            telemetry.stopping(signal.Signals(heard.get()).name)
            stop()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: heard.put(number))
