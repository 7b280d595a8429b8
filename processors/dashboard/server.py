"""The server of the live page: a socket, the pages, the feed, in threads of this process.

Rules of this file: lifecycle. It binds to loopback unless told otherwise, and then asks for a token.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import uvicorn

from processors.dashboard.feed import Feed
from processors.dashboard.gate import Gate
from processors.dashboard.site import Site
from processors.errors import Unavailable
from processors.settings import Settings
from processors.stream.broker import admin_of

START_S = 10.0
STOP_S = 5

HISTORY_H = 24.0
"""Hours of facts that are read at the start: a day's work, some seconds of reading."""

OPEN_AT_LEAST_MS = 3_600_000
"""How far back the changelog is read for series that wait, if the hard stop is shorter."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where the page is. `token`: what is asked for beyond loopback; empty: one is made."""

    host: str = "127.0.0.1"
    port: int = 0
    token: str = ""

    @property
    def open_to_others(self) -> bool:
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True


class Dashboard:
    """Serves from construction until `close`. Raises Unavailable when the address cannot be bound,
    SettingsError where no broker could ever be asked.

    `hours`: facts and dead letters that are counted from the start; None: all there are. `own_lag`: see Feed.
    """

    def __init__(
        self,
        settings: Settings,
        door: Door,
        images: Sequence[Path] = (),
        hours: float | None = HISTORY_H,
        own_lag: Callable[[], dict[str, int]] | None = None,
    ) -> None:
        admin_of(settings.kafka)  # else the feed would ask for ever
        self._socket = _bound(door)
        self._made = secrets.token_urlsafe(24) if door.open_to_others and not door.token else ""
        token = (door.token or self._made) if door.open_to_others else ""
        self._host = door.host
        self.port = int(self._socket.getsockname()[1])
        now_ms = time.time_ns() // 1_000_000
        since_ms = None if hours is None else now_ms - round(hours * 3_600_000)
        hard_stop_ms = round(2_000 * settings.completeness.hard_stop_s)
        changelog_ms = None if hours is None else now_ms - max(OPEN_AT_LEAST_MS, hard_stop_ms)
        self._feed = Feed(settings, since_ms, changelog_ms, own_lag)
        self._site = Site(settings, self._feed, _counted(since_ms), images)
        config = uvicorn.Config(
            Gate(self._site.app, token),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=16_384,
        )
        self._server = uvicorn.Server(config)
        sockets = [self._socket]
        self._thread = threading.Thread(
            target=self._server.run, args=(sockets,), name="dashboard", daemon=True
        )
        self._feed.start()
        self._thread.start()
        self._await_start()

    @property
    def address(self) -> str:
        """What to open in a browser of this machine; a token that was made here is in it, a given one not."""
        host = "localhost" if self._host in ("0.0.0.0", "::") else self._host  # noqa: S104 (every address)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/" + (f"?token={quote(self._made)}" if self._made else "")

    def close(self) -> None:
        self._site.push.close()
        self._server.should_exit = True
        self._thread.join()
        self._feed.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _await_start(self) -> None:
        until = time.monotonic() + START_S
        while not self._server.started:
            self._thread.join(0.02)
            if not self._thread.is_alive() or time.monotonic() > until:
                self.close()
                raise Unavailable("the live page did not start")


def _bound(door: Door) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in door.host else socket.AF_INET
        return socket.create_server((door.host, door.port), family=family, backlog=64)
    except OSError as error:
        raise Unavailable(
            f"{door.host}:{door.port} cannot be bound ({error.strerror}): give another --port"
        ) from None


def _counted(since_ms: int | None) -> str:
    if since_ms is None:
        return "Figures count everything on the topics."
    since = datetime.fromtimestamp(since_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    return f"Figures count what was published since {since} UTC."
