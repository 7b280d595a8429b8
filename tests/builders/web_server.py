"""A web server on loopback that answers as a test says, and remembers what it was asked.

Rules of this file: the standard library's server in a thread; nothing of the product.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    """Content-Length to claim; None: the true one; -1: none is said."""


@dataclass
class WebServer:
    port: int
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    """(path with query, headers in lower case) in order."""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@contextmanager
def serving(answer: Callable[[str], Reply]) -> Iterator[WebServer]:
    """`answer`: path with query → reply; called in the server's threads."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            reply = answer(self.path)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.length != -1:
                length = len(reply.body) if reply.length is None else reply.length
                self.send_header("Content-Length", str(length))
            else:
                self.close_connection = True
            self.end_headers()
            self.wfile.write(reply.body)
            if reply.length is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    seen = WebServer(server.server_address[1])
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
