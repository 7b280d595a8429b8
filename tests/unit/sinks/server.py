"""A FHIR server in a thread: versions, batch, transaction and If-Match as FHIR R5 3.2 has them, and bad days.

Rules of this file: what `sinks.fhir_server` asks of a server, no more.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Json = dict[str, Any]


class Conflict(Exception):
    pass


class Server:
    """`history`: path → contents by version, None where deleted. `before`: called with each bundle, may give
    the status in the server's place, and `quotes` what it says then. `lose_answers`: so many transactions are
    done and then not answered.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Json | None]] = {}
        self.before: Callable[[Json], int] = lambda _: 0
        self.quotes: Callable[[Json], Json] = lambda _: {}
        self.lose_answers = 0
        self._written = threading.Event()
        self.stale_status = 412
        self.headers: list[dict[str, str]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/fhir"

    def current(self, path: str) -> Json | None:
        versions = self.history.get(path, [])
        if not versions or versions[-1] is None:
            return None
        own = {"versionId": str(len(versions)), "lastUpdated": "2026-01-01T00:00:00Z"}
        meta = {**versions[-1].get("meta", {}), **own}
        return {**versions[-1], "meta": meta}

    def wait(self, within_s: float = 0.2) -> None:
        """Until the next transaction."""
        self._written.wait(within_s)
        self._written.clear()

    def answer(self, bundle: Json) -> tuple[int, Json]:
        if status := self.before(bundle):
            return status, self.quotes(bundle)
        if bundle["type"] == "batch":
            return 200, {"entry": [self._got(entry["request"]["url"]) for entry in bundle["entry"]]}
        try:
            for entry in bundle["entry"]:
                self._check(entry)
        except Conflict:
            return self.stale_status, {}
        for entry in bundle["entry"]:
            self.history.setdefault(entry["request"]["url"], []).append(entry.get("resource"))
        self._written.set()
        return 200, {"entry": [{"response": {"status": "200 OK"}} for _ in bundle["entry"]]}

    def _got(self, path: str) -> Json:
        found = self.current(path)
        if found is not None:
            return {"resource": found, "response": {"status": "200 OK"}}
        return {"response": {"status": "410 Gone" if path in self.history else "404 Not Found"}}

    def _check(self, entry: Json) -> None:
        wanted = entry["request"].get("ifMatch")
        if wanted is not None and wanted != f'W/"{len(self.history.get(entry["request"]["url"], []))}"':
            raise Conflict

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server.headers.append(dict(self.headers))
                bundle = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, said = server.answer(bundle)
                if bundle["type"] == "transaction" and server.lose_answers:
                    server.lose_answers -= 1
                    self.close_connection = True
                    return
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
