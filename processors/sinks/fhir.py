"""`sink fhir`: the FHIR topic onto a FHIR server, from the first record on, for as long as it runs.

Rules of this file: reading, bringing, committing, and patience; the server is `fhir_server`'s.
"""

from __future__ import annotations

import threading
import time

from processors import telemetry
from processors.errors import Unavailable
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


def run(settings: Settings, stop: threading.Event) -> None:
    """Until `stop`; what the server has is committed. Raises SettingsError, or Unavailable without topic."""
    server = FhirServer(settings.fhir_server)
    group = f"{settings.kafka.get('group.id') or 'imaging-reference'}-sink-fhir"
    with Subscription(settings.kafka, group, settings.topics.fhir) as subscription:
        while not stop.is_set():
            began = time.monotonic()
            records = subscription.poll(RECORDS, PATIENCE_S)
            if not records:
                continue
            try:
                server.bring(newest(records), began + HOLD_S)
            except Unavailable as failed:
                telemetry.sink_unanswered("fhir", str(failed))
                subscription.rewind()
                stop.wait(RETRY_S)
            else:
                subscription.commit()
            telemetry.sink_brought("fhir", server.told, server.refused)
            server.told.clear()
            server.refused.clear()
