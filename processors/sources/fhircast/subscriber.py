"""The subscription: kept alive, its events published and then answered, what was missed caught up with.

Rules of this file: order and patience.

    subscribe → channel → confirmation → GET the context: what was shared meanwhile → events, one by one
    event → the broker has what follows from it → the ledger → 200

A crash anywhere before the 200 finds the event again: the context holds what was shared, and a hub may repeat
what was not answered. An event that the broker does not take in time is answered with 500, as hubs wait for
some 10 s only, and the source leaves, since a hub tells everybody of a subscriber that is silent; the event
is kept, and published before the source comes back.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress

from processors import telemetry
from processors.errors import Unavailable
from processors.fhircast.channel import Channel, opened
from processors.fhircast.context import (
    NOTHING_OPEN,
    REPORT,
    Json,
    context_of,
    keyed,
    resources_of,
    studies_of,
    text,
)
from processors.fhircast.hub import Hub
from processors.settings.neighbours import Fhircast
from processors.sources.fhircast.changes import KIND, Changes, Shared
from processors.sources.fhircast.memory import Memory
from processors.sources.forwarding import Publisher
from processors.sources.ledger import Ledger

EVENTS = (
    "DiagnosticReport-open,DiagnosticReport-close,DiagnosticReport-update,DiagnosticReport-select,SyncError"
)
OK, MALFORMED, NOT_TAKEN = 200, 400, 500
RENEW = 0.75
"""Part of a lease after which it is renewed: the rest is for a hub that is away."""
RENEW_AGAIN_S = 5.0
LOOK_S = 0.5
"""How soon a stop, or the end of a lease, is noticed while the hub is silent."""
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0
"""Before the next try after a lost channel; doubled each time."""
_NOTHING = Changes([], {})


class _NotTaken(Unavailable):
    """By the broker; the hub is well."""


class FhircastSource:
    def __init__(self, settings: Fhircast, hub: Hub, ledger: Ledger, publisher: Publisher) -> None:
        self._settings, self._hub, self._publisher = settings, hub, publisher
        self._memory = Memory(ledger)
        self._shared = Shared(self._memory, settings.source)
        self._context = NOTHING_OPEN
        self._pending = _NOTHING

    def run(self, stop: threading.Event) -> None:
        """Until `stop`, which unsubscribes. Raises SettingsError."""
        pause_s, endpoint = FIRST_PAUSE_S, ""
        while not stop.is_set():
            try:
                self._publish(self._pending)
                endpoint = endpoint or self._hub.subscribe(EVENTS)
                with opened(endpoint, self._settings) as channel:
                    lease_s = _lease(channel.confirmation(self._settings.timeout_s), self._settings.lease_s)
                    pause_s = FIRST_PAUSE_S
                    telemetry.source_subscribed(KIND, lease_s)
                    self._catch_up()
                    endpoint = self._listen(channel, endpoint, lease_s, stop)
            except Unavailable as failed:
                if endpoint and isinstance(failed, _NotTaken):
                    self._leave(endpoint)
                endpoint = ""
                telemetry.source_waiting(KIND, str(failed))
                stop.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - so that not all come at once
                pause_s = min(2 * pause_s, MAX_PAUSE_S)

    def _listen(self, channel: Channel, endpoint: str, lease_s: float, stop: threading.Event) -> str:
        """The endpoint to go on with, which a hub may change when a lease is renewed."""
        renew_at = time.monotonic() + RENEW * lease_s
        while not stop.is_set():
            if time.monotonic() >= renew_at:
                renewed = self._renewed(endpoint)
                if renewed and renewed != endpoint:
                    return renewed
                renew_at = time.monotonic() + (RENEW * lease_s if renewed else RENEW_AGAIN_S)
            said = channel.receive(LOOK_S)
            if said is None:
                continue
            if said.get("hub.mode") == "denied":
                raise Unavailable("the hub ended the subscription")
            if said.get("hub.mode") == "subscribe":  # the word on a renewal
                lease_s = _lease(said, lease_s)
                renew_at = time.monotonic() + RENEW * lease_s
            else:
                self._heard(said, channel)
        self._leave(endpoint)
        return ""

    def _leave(self, endpoint: str) -> None:
        with suppress(Unavailable):  # its lease will end by itself
            self._hub.unsubscribe(endpoint)

    def _renewed(self, endpoint: str) -> str:
        """Empty: not yet."""
        try:
            return self._hub.subscribe(EVENTS, endpoint)
        except Unavailable as failed:
            telemetry.source_waiting(KIND, str(failed))
            return ""

    def _heard(self, said: Json, channel: Channel) -> None:
        event, event_id = said.get("event"), said.get("id")
        if not isinstance(event_id, str):
            if "status" not in said:  # a hub's word on a request, which has no id either
                telemetry.source_left_out(KIND, "no_event")
            return
        if not isinstance(event, dict) or not isinstance(event.get("hub.event"), str):
            telemetry.source_left_out(KIND, "no_event")
            channel.answer(event_id, MALFORMED)
            return
        if event.get("hub.topic") != self._settings.topic:
            telemetry.source_ignored(KIND, "other_topic")
            channel.answer(event_id, OK)
            return
        name = event["hub.event"].casefold()
        missed = self._follow(event, name)
        changes = _NOTHING
        if name == "diagnosticreport-update":
            changes = self._shared.of_update(said, self._context)
        elif name == "diagnosticreport-select":
            changes = self._shared.of_select(said, self._context)
            missed = missed or self._shared.misses(said)
        try:
            self._publish(changes)
        except _NotTaken:
            channel.answer(event_id, NOT_TAKEN)
            raise
        channel.answer(event_id, OK)
        if missed:
            self._catch_up()

    def _follow(self, event: Json, name: str) -> bool:
        """Keep to what is open; True: an event before this one was missed. One that the context had already,
        as when it was told between a subscription and the first look, misses nothing.
        """
        version, prior = text(event.get("context.versionId")), text(event.get("context.priorVersionId"))
        if name == "diagnosticreport-open":
            self._context = context_of(event, REPORT)
        elif name == "diagnosticreport-close":
            self._context = NOTHING_OPEN
        elif name in ("diagnosticreport-update", "diagnosticreport-select"):
            known = self._context.version
            studies = {
                key: uid for _, each in keyed(event) for key, uid in studies_of(resources_of(each)).items()
            }
            self._context = self._context._replace(
                version=version or known, studies=self._context.studies | studies
            )
            return bool(prior and known and known not in (prior, version))
        elif name == "syncerror":
            telemetry.source_left_out(KIND, "sync_error")
        else:
            telemetry.source_ignored(KIND, "other_event")
        return False

    def _catch_up(self) -> None:
        self._memory.forget()
        self._context = self._hub.context()
        self._publish(self._shared.of_content(self._context))

    def _publish(self, changes: Changes) -> None:
        """Raises _NotTaken if the broker does not take it; then it is published before anything else."""
        self._pending = changes
        try:
            for each in changes.records:
                self._publisher.deliver(each.value, each.headers)
        except Unavailable as failed:
            telemetry.broker_unreachable(str(failed))
            raise _NotTaken("the broker does not take what was shared") from None
        self._memory.put(changes.remembered)
        self._pending = _NOTHING
        if changes.records:
            telemetry.source_sent(KIND, len(changes.records))


def _lease(said: Json, asked_s: float) -> float:
    """As the hub granted it, a number or its text; what was asked for where it does not say."""
    try:
        return max(float(said.get("hub.lease_seconds", asked_s)), 1.0)
    except (TypeError, ValueError):
        return asked_s
