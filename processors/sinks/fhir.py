"""`sink fhir`: the FHIR topic onto a FHIR server, from the first record on, for as long as it runs.

Rules of this file: reading, bringing, committing, and patience; the server is `fhir_server`'s.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

from processors import telemetry
from processors.errors import Unavailable
from processors.http import HealthServer
from processors.pipeline.records import Record
from processors.settings import Settings
from processors.sinks.fhir_server import FhirServer
from processors.sinks.resources import newest
from processors.stream.subscription import Subscription

RECORDS = 500
"""Read at once: several transactions, of which only the newest of each resource is brought."""
PATIENCE_S = 1.0
RETRY_S = 5.0
"""Until a server that did not answer is asked again."""
HOLD_S = 240.0
"""Below max.poll.interval.ms: beyond it the group may have given the partitions to another member."""


STUCK_S = 2 * HOLD_S
"""A turn that takes longer hangs for good."""


class FhirSink:
    """`run` blocks until `stop`; what the server has is committed. Also the `Health` of processors.http."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        """Raises SettingsError."""
        self._settings, self._stop = settings, stop
        self._server = FhirServer(settings.fhir_server)
        self._answers = False
        self._turned_at = time.monotonic()

    def live(self) -> bool:
        return time.monotonic() - self._turned_at < STUCK_S

    def ready(self) -> bool:
        """The server took what it was last brought."""
        return self._answers

    def run(self) -> None:
        """Raises Unavailable without broker or topic, or if the port of `/metrics` is taken."""
        own, kafka = self._settings.fhir_server, self._settings.kafka
        group = f"{kafka.get('group.id') or 'imaging-reference'}-sink-fhir"
        with ExitStack() as held:
            if own.http_port:
                held.enter_context(HealthServer(self._settings.http.host, own.http_port, self))
            topic = self._settings.topics.fhir
            subscription = held.enter_context(Subscription(kafka, group, topic))
            while not self._stop.is_set():
                self._turned_at = time.monotonic()
                records = subscription.poll(RECORDS, PATIENCE_S)
                if records:
                    self._bring(records, subscription)

    def _bring(self, records: list[Record], subscription: Subscription) -> None:
        """The very same again until the server has it: what is polled anew might end before the newest
        revision of a reference that was brought already, and an older one would be written over it.
        """
        wanted, server = newest(records), self._server
        while not self._stop.is_set():
            self._turned_at = time.monotonic()
            try:
                server.bring(wanted, self._turned_at + HOLD_S)
            except Unavailable as failed:
                telemetry.sink_unanswered("fhir", str(failed))
                self._answers = False
            else:
                self._answers = True
                subscription.commit()
            telemetry.sink_brought("fhir", server.told, server.refused)
            server.told.clear()
            server.refused.clear()
            if self._answers or self._stop.wait(RETRY_S) or not subscription.still_held():
                break
