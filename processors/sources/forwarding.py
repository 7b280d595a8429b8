"""From a source to the broker, for sources that nobody waits for: as long as it takes, then move the mark.

Rules of this file: patience and counting. What is sent and where the mark is kept are the source's.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from processors import telemetry
from processors.errors import Forbidden, Unavailable
from processors.pipeline.records import Headers
from processors.sources.events import Outgoing
from processors.stream.input_producer import InputProducer

RETRY_S = 5.0
"""Until records that the broker refused are sent again: it is down, and asking does not raise it."""
_LOOK_S = 0.5
"""How soon a stop is noticed while the broker is silent."""


class Publisher(Protocol):
    """What somebody waits for goes here: `InputProducer`, to whoever needs no more of it."""

    def deliver(self, value: bytes, headers: Headers) -> None:
        """Blocks until the broker has it; raises Unavailable."""
        ...


class Forwarder:
    """`source`: which kind, for logs and metrics."""

    def __init__(self, source: str, producer: InputProducer, stop: threading.Event) -> None:
        self._source, self._producer, self.stop = source, producer, stop

    def forward(self, records: Sequence[Outgoing]) -> bool:
        """True when the broker has all; False if `stop` was set before: none may be counted as sent."""
        while not self.stop.is_set():
            try:
                for record in records:
                    self._producer.send(record.value, record.headers)
                while not self._producer.answered(_LOOK_S):
                    if self.stop.is_set():
                        return False
            except Forbidden:
                raise  # sending again does not help
            except Unavailable as failed:
                telemetry.broker_unreachable(str(failed))
                self.stop.wait(RETRY_S)
            else:
                telemetry.source_sent(self._source, len(records))
                return True
        return False
