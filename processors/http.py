"""Health, metrics and state for operators: /livez, /readyz, /metrics, /series/{uid}, /references/{id}.

Rules of this file: reads only, no patient data. It binds to loopback unless the site says otherwise
(`[http]`), and never decides what live or ready means, nor what is known of a series: it asks.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Protocol, Self

from processors import telemetry
from processors.errors import Unavailable

_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"


class Health(Protocol):
    """Asked from other threads than the loop's; must not block."""

    def live(self) -> bool:
        """The loop turns; False: restart this process."""
        ...

    def ready(self) -> bool:
        """Partitions are assigned and their state is restored."""
        ...


class State(Protocol):
    """Asked from other threads than the loop's. None: the id is not known; raises OSError: not now."""

    def series(self, series_instance_uid: str) -> bytes | None:
        """JSON."""
        ...

    def reference(self, reference_id: str) -> bytes | None:
        """JSON."""
        ...


class NothingKnown:
    """The state of a process that holds none."""

    def series(self, _: str) -> None:
        return None

    def reference(self, _: str) -> None:
        return None


class HealthServer:
    """Serves from a thread of its own from construction until `close`.

    Raises Unavailable when the address cannot be bound. `port` is the one bound, also where 0 was asked for.
    """

    def __init__(self, host: str, port: int, health: Health, state: State | None = None) -> None:
        try:
            self._server = _Server((host, port), health, state or NothingKnown())
        except OSError as error:
            raise Unavailable(
                f"{host}:{port} cannot be bound ({error.strerror}): set http.port to a free port, or to 0"
            ) from None
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="http", daemon=True
        )
        self._thread.start()
        telemetry.serving(host, self.port)

    def close(self) -> None:
        """Stop answering; blocks until the thread has ended."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_PATHS = b"/livez /readyz /metrics /series/{uid} /references/{id}\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], health: Health, state: State) -> None:
        self.health = health
        self.state = state
        super().__init__(address, _Answers)

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news, and its address is nobody's business."""
        telemetry.request_failed(type(sys.exception()).__name__)


class _Answers(BaseHTTPRequestHandler):
    server: _Server
    server_version = "imaging-reference"
    sys_version = ""
    timeout = 10
    """Seconds a client may take over its request, so that idle ones hold no thread for ever."""

    def do_GET(self) -> None:
        match self.path.partition("?")[0].split("/")[1:]:
            case ["livez"]:
                self._verdict(self.server.health.live())
            case ["readyz"]:
                self._verdict(self.server.health.ready())
            case ["metrics"]:
                self._send(HTTPStatus.OK, *telemetry.exposition())
            case ["series", uid]:
                self._known(self.server.state.series, uid)
            case ["references", reference_id]:
                self._known(self.server.state.reference, reference_id)
            case _:
                self._send(HTTPStatus.NOT_FOUND, _TEXT, _PATHS)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _known(self, ask: Callable[[str], bytes | None], of: str) -> None:
        try:
            known = ask(of)
        except OSError:
            self._verdict(good=False)
            return
        if known is None:
            self._send(HTTPStatus.NOT_FOUND, _JSON, b'{"error": "not known to this member"}\n')
        else:
            self._send(HTTPStatus.OK, _JSON, known)

    def _verdict(self, good: bool) -> None:
        if good:
            self._send(HTTPStatus.OK, _TEXT, b"ok\n")
        else:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"not yet\n")

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Probes every few seconds are no news."""
