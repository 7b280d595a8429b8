"""A bound on calls that have none of their own.

Rules of this file: one helper thread, nothing of Kafka. It is there for `send_offsets_to_transaction`, whose
timeout librdkafka 2.16 does not keep: when the group's coordinator went away it may block for good
(librdkafka issues 5456 and 5511).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

Answers = SimpleQueue[BaseException | None]
Calls = SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...], Answers]]


class Stuck(Exception):
    """The call did not return; its thread, and what it works on, are left to themselves."""


class Watchdog:
    """Makes calls one after the other in a thread of its own; used by one caller."""

    def __init__(self) -> None:
        self._calls: Calls | None = None

    def call(self, function: Callable[..., Any], *arguments: Any, within_s: float) -> None:
        """Raises what `function` raises, or Stuck after `within_s`."""
        if self._calls is None:
            self._calls = SimpleQueue()
            threading.Thread(target=_serve, args=(self._calls,), name="watchdog", daemon=True).start()
        answers: Answers = SimpleQueue()
        self._calls.put((function, arguments, answers))
        try:
            failed = answers.get(timeout=within_s)
        except Empty:
            self._calls = None
            raise Stuck from None
        if failed is not None:
            raise failed


def _serve(calls: Calls) -> None:
    while True:
        function, arguments, answers = calls.get()
        try:
            function(*arguments)
        except BaseException as failed:  # noqa: BLE001 (it is raised again where the call was made)
            answers.put(failed)
        else:
            answers.put(None)
