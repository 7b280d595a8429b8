"""The hub's HTTP side: subscribing, the current context, requests (FHIRcast 2.4, 2.6, 2.9).

Rules of this file: HTTP. A hub that is busy or away (408, 429, 5xx, no connection) is asked again with
growing pauses, the same request with the same id; then it is Unavailable.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from processors.errors import Refused, SettingsError, Unavailable
from processors.fhircast.context import NOTHING_OPEN, Context, Json, context_of
from processors.settings.neighbours import Fhircast
from processors.wire.json_text import dump, load

RETRIES = 3
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOBODY = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_FORM = "application/x-www-form-urlencoded"


class Hub:
    """Used by one thread. Raises SettingsError if the settings name no hub or no session."""

    def __init__(self, settings: Fhircast) -> None:
        try:
            self._place = parse_url(settings.url)
        except LocationParseError:
            self._place = Url()
        if self._place.scheme not in ("http", "https") or not self._place.host or self._place.auth:
            raise SettingsError("fhircast.url: expected http(s)://host/path of the hub, without credentials")
        if not settings.topic:
            raise SettingsError("fhircast.topic is not set: the session that is subscribed to")
        self._url, self._settings = settings.url.rstrip("/"), settings
        self._token()
        retry = Retry(
            total=RETRIES,
            backoff_factor=0.25,
            backoff_max=5,
            backoff_jitter=0.25,
            status_forcelist=_PASSING,
            allowed_methods=None,  # POST, too: an update names its version, and a repeated one its id
            raise_on_status=False,
            redirect=0,
            respect_retry_after_header=False,  # it may be an hour, and a stop is not heard meanwhile
        )
        timeout = Timeout(connect=5, read=settings.timeout_s)
        self._pool = PoolManager(retries=retry, timeout=timeout, ca_certs=settings.ca_file or None)

    @property
    def host(self) -> str:
        return str(self._place.host)

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
        headers = {"Accept": "application/json", **self._token()}
        if kind:
            headers["Content-Type"] = kind
        try:
            answer = self._pool.request(method, url, body=body, headers=headers)
        except (HTTPError, OSError) as failed:
            raise Unavailable(f"the hub does not answer ({type(failed).__name__})") from None
        if answer.status in _PASSING:
            raise Unavailable(f"the hub answered {answer.status}")
        if answer.status in _NOBODY:
            raise Unavailable(f"the hub answered {answer.status}: check fhircast.token or token_file")
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            raise Unavailable(f"the hub answered {answer.status}: check fhircast.url")
        try:
            return answer.status, load(answer.data)
        except Refused:
            return answer.status, None

    def _allowed(self, endpoint: object) -> str:
        """A channel of the hub's own host, or of one that the site allows; encrypted where the hub is."""
        try:
            place = parse_url(endpoint) if isinstance(endpoint, str) else Url()
        except LocationParseError:
            place = Url()
        if place.scheme != "wss" and (place.scheme != "ws" or self._place.scheme == "https"):
            raise Unavailable("the hub named a channel that is no wss: address")
        hosts = {self.host.lower(), *(host.lower() for host in self._settings.channel_hosts)}
        if not place.host or place.host.lower() not in hosts:
            raise Unavailable("the hub named a channel on another host: see fhircast.channel_hosts")
        return str(endpoint)

    def _token(self) -> dict[str, str]:
        own = self._settings
        try:
            token = Path(own.token_file).read_text("ascii").strip() if own.token_file else own.token
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"fhircast.token_file: cannot read {own.token_file}") from None
        return {"Authorization": f"Bearer {token}"} if token else {}
