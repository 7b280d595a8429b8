"""The hub's HTTP side: subscribing, the current context, requests (FHIRcast 2.4, 2.6, 2.9).

Rules of this file: what is asked of a hub, and what its answers say. A request that is asked again has the
same id, and an update names its version; so it is done once.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from processors.errors import Refused, SettingsError, Unavailable
from processors.fhircast.context import NOTHING_OPEN, Context, Json, context_of
from processors.http_service import HttpService, place_of
from processors.settings.neighbours import Fhircast
from processors.wire.json_text import dump, load

_FORM = "application/x-www-form-urlencoded"


class Hub:
    """Used by one thread. Raises SettingsError if the settings name no hub or no session."""

    def __init__(self, settings: Fhircast) -> None:
        own = settings
        self._service = HttpService(
            "fhircast", "the hub", own.url, own.timeout_s, own.ca_file, own.token, own.token_file
        )
        if not settings.topic:
            raise SettingsError("fhircast.topic is not set: the session that is subscribed to")
        self._url, self._settings = self._service.url, settings

    @property
    def host(self) -> str:
        return self._service.host

    def subscribe(self, events: str, endpoint: str = "") -> str:
        """The endpoint of the channel; `endpoint`: the one whose lease is to be renewed.

        Raises Unavailable if the hub does not answer or refuses, or names an endpoint that is not allowed.
        """
        fields = {"hub.events": events, "hub.lease_seconds": str(self._settings.lease_s)}
        answer = self._subscription("subscribe", endpoint, fields)
        if not isinstance(answer, dict):
            raise Unavailable("the hub accepted the subscription, but named no channel")
        return self._allowed(answer.get("hub.channel.endpoint"))

    def unsubscribe(self, endpoint: str) -> None:
        """Raises Unavailable as `subscribe`."""
        self._subscription("unsubscribe", endpoint, {})

    def context(self) -> Context:
        """What is open, and what was shared; nothing is if the hub knows no such session, or does not tell.

        Raises Unavailable if it does not answer or lets nobody in.
        """
        status, said = self._ask("GET", f"{self._url}/{quote(self._settings.topic, safe='')}")
        if status >= HTTPStatus.BAD_REQUEST or not isinstance(said, dict):
            return NOTHING_OPEN
        return context_of(said, str(said.get("context.type", "")))

    def request(self, event: Json) -> int:
        """Ask for an event to be made; the hub's status. Raises Unavailable as `context`."""
        return self._ask("POST", self._url, dump(event), "application/json")[0]

    def _subscription(self, mode: str, endpoint: str, more: dict[str, str]) -> Any:
        fields = {
            "hub.channel.type": "websocket",
            "hub.mode": mode,
            "hub.topic": self._settings.topic,
            **more,
            "subscriber.name": self._settings.subscriber,
        }
        if endpoint:
            fields["hub.channel.endpoint"] = endpoint
        status, answer = self._ask("POST", self._url, urlencode(fields).encode(), _FORM)
        if status >= HTTPStatus.BAD_REQUEST:
            raise Unavailable(f"the hub answered {status} to {mode}: check fhircast.topic")
        return answer

    def _ask(self, method: str, url: str, body: bytes | None = None, kind: str = "") -> tuple[int, Any]:
        """Status, and the JSON of an answer that has one."""
        headers = {"Accept": "application/json"}
        if kind:
            headers["Content-Type"] = kind
        answer = self._service.ask(method, url, body, headers)
        try:
            return answer.status, load(answer.body)
        except Refused:
            return answer.status, None

    def _allowed(self, endpoint: object) -> str:
        """A channel of the hub's own host, or of one that the site allows; encrypted where the hub is."""
        place = place_of(endpoint)
        if place.scheme != "wss" and (place.scheme != "ws" or self._service.is_encrypted):
            raise Unavailable("the hub named a channel that is no wss: address")
        hosts = {self.host.lower(), *(host.lower() for host in self._settings.channel_hosts)}
        if not place.host or place.host.lower() not in hosts:
            raise Unavailable("the hub named a channel on another host: see fhircast.channel_hosts")
        return str(endpoint)
