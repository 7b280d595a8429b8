"""The WebSocket on which a hub tells of events, and is answered (FHIRcast 2.4, 2.5).

Rules of this file: messages in and answers out; what they mean is the caller's. websockets answers the hub's
pings and sends its own, from a thread, so that a hub that is gone is noticed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from processors.errors import Refused, Unavailable
from processors.fhircast.context import Json
from processors.http_service import tls_of
from processors.settings.neighbours import Fhircast
from processors.wire.json_text import dump, load

MESSAGE_BYTES = 16 * 1024 * 1024
"""Of one message: dozens of resources; more is refused by closing the channel (1009)."""
PING_S = 10.0
"""A hub that has not answered a ping for so long is gone."""


class Channel:
    """Used by one thread. Every method raises Unavailable once the channel is closed."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def receive(self, patience_s: float) -> Json | None:
        """The next message; None if none came in so long. What is no JSON object is {}."""
        try:
            said = load(_bytes(self._connection.recv(timeout=patience_s)))
        except TimeoutError:
            return None
        except Refused:
            return {}
        except ConnectionClosed as closed:
            raise _gone(closed) from None
        return said if isinstance(said, dict) else {}

    def confirmation(self, patience_s: float) -> Json:
        """The hub's word that the subscription holds. Raises Unavailable if it is denied or does not come."""
        until = time.monotonic() + patience_s
        while (left := until - time.monotonic()) > 0:
            said = self.receive(left)
            if said and said.get("hub.mode") == "subscribe":
                return said
            if said and said.get("hub.mode") == "denied":
                raise Unavailable("the hub denied the subscription")
        raise Unavailable("the hub did not confirm the subscription")

    def answer(self, event_id: str, status: int) -> None:
        try:
            self._connection.send(dump({"id": event_id, "status": status}).decode())
        except ConnectionClosed as closed:
            raise _gone(closed) from None


@contextmanager
def opened(endpoint: str, settings: Fhircast) -> Iterator[Channel]:
    """A channel until the end of the block; then it is closed with 1000, so that the hub misses nobody.

    Raises Unavailable if it cannot be opened, SettingsError for `ca_file`.
    """
    try:
        tls = tls_of("fhircast", settings.ca_file) if endpoint.startswith("wss:") else None
        opening = connect(
            endpoint,
            ssl=tls,
            proxy=None,
            open_timeout=settings.timeout_s,
            close_timeout=settings.timeout_s,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            max_size=MESSAGE_BYTES,
        )
    except (OSError, WebSocketException, InvalidURI) as failed:
        raise Unavailable(f"the hub's channel cannot be opened ({type(failed).__name__})") from None
    with opening as connection:
        try:
            yield Channel(connection)
        except Unavailable:
            connection.close()  # we leave, too, whoever else failed
            raise


def _gone(closed: ConnectionClosed) -> Unavailable:
    code: Any = closed.rcvd.code if closed.rcvd else "without a word"
    return Unavailable(f"the hub closed the channel ({code})")


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message
