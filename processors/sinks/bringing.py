"""The FHIR topic to a neighbouring system, from the first record on, for as long as it runs.

Rules of this file: reading, bringing, committing, and patience; what is brought and how is the destination's.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Protocol

from processors import telemetry
from processors.errors import Unavailable
from processors.http import HealthServer
from processors.pipeline.records import Record
from processors.settings import Settings
from processors.sinks.resources import Wanted, newest
from processors.stream.subscription import Subscription

RECORDS = 500
"""Read at once: several transactions, of which only the newest of each resource is brought."""
PATIENCE_S = 1.0
RETRY_S = 5.0
"""Until a destination that did not answer is asked again."""
HOLD_S = 240.0
"""Below max.poll.interval.ms: beyond it the group may have given the partitions to another member."""


STUCK_S = 2 * HOLD_S
"""A turn that takes longer hangs for good."""


class Destination(Protocol):
    """`told` and `refused` are emptied by the sink once they are counted."""

    told: Counter[str]
    """What became of what: written, unchanged, deleted, refused, skipped."""
    refused: list[tuple[str, int]]
    """(id, status) of what the other side will not take."""

    def bring(self, wanted: Sequence[Wanted], until: float) -> None:
        """All of it is there, or refused, when this returns; done twice it is the same as done once.

        Raises Unavailable when the other side does not answer, or `until` (monotonic) passes: then others may
        have taken over, and an older version must not be written over their newer one.
        """
        ...


def one_by_one(
    destination: Destination, part: list[Wanted], status: int, bring: Callable[[list[Wanted]], None]
) -> None:
    """Which of a part is not taken that was refused as a whole, with `status`: halves are brought until one
    is left, which is refused for itself.
    """
    if len(part) == 1:
        destination.told["refused"] += 1
        destination.refused.append((part[0].id, status))
        return
    middle = len(part) // 2
    bring(part[:middle])
    bring(part[middle:])


class Sink:
    """`run` blocks until `stop`; what the destination has is committed. Also the `Health` of processors.http.

    `name`: as in `imaging-reference sink NAME`; a part of the group's name.
    """

    def __init__(
        self, name: str, destination: Destination, settings: Settings, http_port: int, stop: threading.Event
    ) -> None:
        self._name, self._destination, self._settings = name, destination, settings
        self._http_port, self._stop = http_port, stop
        self._answers = False
        self._turned_at = time.monotonic()

    def live(self) -> bool:
        return time.monotonic() - self._turned_at < STUCK_S

    def ready(self) -> bool:
        """The destination took what it was last brought."""
        return self._answers

    def run(self) -> None:
        """Raises Unavailable without broker or topic, or if the port of `/metrics` is taken."""
        kafka = self._settings.kafka
        group = f"{kafka.get('group.id') or 'imaging-reference'}-sink-{self._name}"
        with ExitStack() as held:
            if self._http_port:
                held.enter_context(HealthServer(self._settings.http.host, self._http_port, self))
            topic = self._settings.topics.fhir
            subscription = held.enter_context(Subscription(kafka, group, topic))
            while not self._stop.is_set():
                self._turned_at = time.monotonic()
                records = subscription.poll(RECORDS, PATIENCE_S)
                if records:
                    self._bring(records, subscription)

    def _bring(self, records: list[Record], subscription: Subscription) -> None:
        """The very same again until the destination has it: what is polled anew might end before the newest
        revision of a reference that was brought already, and an older one would be written over it.
        """
        wanted, destination = newest(records), self._destination
        while not self._stop.is_set():
            self._turned_at = time.monotonic()
            try:
                destination.bring(wanted, self._turned_at + HOLD_S)
            except Unavailable as failed:
                self._answers = False
                telemetry.sink_unanswered(self._name, str(failed))
            else:
                self._answers = True
                subscription.commit()
            telemetry.sink_brought(self._name, destination.told, destination.refused)
            destination.told.clear()
            destination.refused.clear()
            if self._answers or self._stop.wait(RETRY_S) or not subscription.still_held():
                break
