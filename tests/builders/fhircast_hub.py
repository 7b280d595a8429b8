"""A FHIRcast hub (STU3 with content sharing) on loopback: HTTP and WebSocket for real, and bad days.

Rules of this file: what FHIRcast 3.0.0 says a hub does (2.4 to 2.10, 3.6) in one session; nothing of ours.
"""

from __future__ import annotations

import json
import ssl
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

Json = dict[str, Any]
TOPIC = "fdb2f928-5546-4f52-87a0-0648e9ded065"
OVER = {"hub.mode": "denied", "hub.topic": TOPIC, "hub.events": "", "hub.reason": "over"}


@dataclass
class Subscription:
    name: str
    events: str
    lease_s: str
    connection: ServerConnection | None = None
    renewals: int = 0


@dataclass
class Hub:
    """`start` and `stop` any number of times, on the same ports; a stop loses subscriptions, as a crash."""

    token: str = ""
    lease_s: str = "7200"
    tls: ssl.SSLContext | None = None
    deaf: bool = False
    """Answers are lost on their way; what was told is told again to who subscribes under the same name."""
    moves_channels: bool = False
    """A renewal is given a new channel."""
    refuse: Callable[[Json], int] = lambda _: 0
    """Of each request: 0, or the status that is answered in the hub's place."""
    quotes: bool = False
    """Whatever was asked stands in the answer, as in diagnostics of an OperationOutcome."""
    swallow: int = 0
    """So many updates are accepted (202) and not made."""
    keeps: Callable[[Json], Json] = lambda resource: resource
    """What becomes of a resource that is shared."""
    tells_content: bool = True
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    content: dict[str, Json] = field(default_factory=dict)
    context: list[Json] = field(default_factory=list)
    requests: list[Json] = field(default_factory=list)
    """Events asked for over HTTP."""
    forms: list[dict[str, str]] = field(default_factory=list)
    answers: list[tuple[str, int]] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    """Codes with which subscribers closed their channels."""
    headers: list[dict[str, str]] = field(default_factory=list)
    version: str = ""
    _ports: tuple[int, int] = (0, 0)
    _unanswered: dict[str, list[Json]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # ---- its life ------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._ports[0]}/hub"

    def start(self) -> Self:
        self._http = ThreadingHTTPServer(("127.0.0.1", self._ports[0]), _handler(self))
        self._http.daemon_threads = True
        if self.tls:
            self._http.socket = self.tls.wrap_socket(self._http.socket, server_side=True)
        self._channels: Server = serve(self._converse, "127.0.0.1", self._ports[1], ssl=self.tls)
        self._ports = (self._http.server_address[1], self._channels.socket.getsockname()[1])
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.02,)),
            threading.Thread(target=self._channels.serve_forever),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        with self._lock:
            subscribed = list(self.subscriptions.values())
            self.subscriptions.clear()
        for each in subscribed:
            if each.connection:
                each.connection.close(1012)
        self._channels.shutdown()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- what applications ask -----------------------------------------------------------------------

    def open(self, report: str, *studies: str) -> None:
        """Studies by their UID; their ids are s0, s1 …"""
        told = [{"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": report}}]
        told.append({"key": "patient", "resource": {"resourceType": "Patient", "id": "p1"}})
        for number, uid in enumerate(studies):
            identifier = [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}]
            study = {"resourceType": "ImagingStudy", "id": f"s{number}", "identifier": identifier}
            told.append({"key": "study", "resource": study})
        with self._lock:
            self.context, self.content, self.version = told, {}, _new()
            self.tell("DiagnosticReport-open", {"context.versionId": self.version, "context": told})

    def close(self) -> None:
        with self._lock:
            told, self.context, self.content, self.version = self.context, {}, {}, ""  # type: ignore[assignment]
            self.context = []
            self.tell("DiagnosticReport-close", {"context": told[:1]})

    def share(self, *entries: Json, timestamp: str = "") -> str:
        """An update by another application; the id of its event."""
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}
        with self._lock:
            event = {
                "hub.topic": TOPIC,
                "hub.event": "DiagnosticReport-update",
                "context.versionId": self.version,
                "context": [self.context[0], {"key": "updates", "resource": bundle}],
            }
            asked = {"id": _new(), "timestamp": timestamp or _now(), "event": event}
            assert self._made(asked) == 202
        return str(asked["id"])

    def tell(self, event: str, more: Json, timestamp: str = "", event_id: str = "") -> str:
        """An event to all subscribers."""
        said = {"hub.topic": TOPIC, "hub.event": event, **more}
        message = {"timestamp": timestamp or _now(), "id": event_id or _new(), "event": said}
        with self._lock:
            for each in self.subscriptions.values():
                self._send(each, message)
        return str(message["id"])

    def send(self, text: str) -> None:
        """Anything, to all subscribers."""
        with self._lock:
            for each in self.subscriptions.values():
                if each.connection:
                    each.connection.send(text)

    @property
    def connected(self) -> bool:
        with self._lock:
            return any(each.connection for each in self.subscriptions.values())

    # ---- HTTP ----------------------------------------------------------------------------------------

    def get(self) -> Json:
        with self._lock:
            if not self.context:
                return {"context.type": "", "context": []}
            bundle = {"resourceType": "Bundle", "type": "collection"}
            bundle["entry"] = [{"resource": each} for each in self.content.values()]  # type: ignore[assignment]
            content = [{"key": "content", "resource": bundle}] if self.tells_content else []
            told = {"context.type": "DiagnosticReport", "context.versionId": self.version}
            return {**told, "context": [*self.context, *content]}

    def subscribed(self, form: dict[str, str]) -> tuple[int, Json]:
        self.forms.append(form)
        if form["hub.topic"] != TOPIC or form["hub.channel.type"] != "websocket":
            return 400, {}
        with self._lock:
            endpoint = form.get("hub.channel.endpoint", "")
            path = "/" + endpoint.rpartition("/")[2]
            known = self.subscriptions.get(path)
            if form["hub.mode"] == "unsubscribe":
                self.subscriptions.pop(path, None)
                return 202, {}
            if known and not self.moves_channels:
                known.renewals += 1
                self._confirm(known)
                return 202, {"hub.channel.endpoint": endpoint}
            path = f"/{_new()}"
            self.subscriptions[path] = Subscription(
                form.get("subscriber.name", ""), form["hub.events"], self.lease_s
            )
        scheme = "wss" if self.tls else "ws"
        return 202, {"hub.channel.endpoint": f"{scheme}://127.0.0.1:{self._ports[1]}{path}"}

    def requested(self, asked: Json) -> int:
        with self._lock:
            self.requests.append(asked)
            if status := self.refuse(asked):
                return status
            if asked["event"]["hub.event"] == "DiagnosticReport-update":
                return self._made(asked)
            self.tell(asked["event"]["hub.event"], asked["event"], asked["timestamp"], asked["id"])
            return 202

    def _made(self, asked: Json) -> int:
        """All of it or nothing, and against the version that is there (2.10)."""
        event = asked["event"]
        if event["context.versionId"] != self.version or not self.version:
            return 409
        if self.swallow:
            self.swallow -= 1
            outcome = {"resourceType": "OperationOutcome"}
            self.tell("SyncError", {"context": [{"key": "operationoutcome", "resource": outcome}]})
            return 202
        bundle = next(each["resource"] for each in event["context"] if each["key"] == "updates")
        for entry in bundle["entry"]:
            if entry["request"]["method"] == "DELETE":
                self.content.pop(entry["request"].get("url") or entry["fullUrl"], None)
            else:
                kept = self.keeps(entry["resource"])
                self.content[f"{kept['resourceType']}/{kept['id']}"] = kept
        prior, self.version = self.version, _new()
        versions = {"context.versionId": self.version, "context.priorVersionId": prior}
        self.tell("DiagnosticReport-update", {**event, **versions}, asked["timestamp"], asked["id"])
        return 202

    # ---- channels ------------------------------------------------------------------------------------

    def _converse(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        with self._lock:
            subscription = self.subscriptions.get(connection.request.path)
            if subscription is None:
                connection.send(json.dumps(OVER))
                return
            subscription.connection = connection
            self._confirm(subscription)
            for message in self._unanswered.get(subscription.name, []):
                connection.send(json.dumps(message))
        try:
            for text in connection:
                self._heard(subscription, json.loads(text))
        except ConnectionClosed:
            pass  # killed
        finally:
            with self._lock:
                subscription.connection = None
                code = connection.close_code
                self.closed.append(code or 0)

    def _heard(self, subscription: Subscription, answer: Json) -> None:
        with self._lock:
            if not self.deaf:
                self.answers.append((answer["id"], answer["status"]))
                waiting = self._unanswered.get(subscription.name, [])
                waiting[:] = [each for each in waiting if each["id"] != answer["id"]]

    def _confirm(self, subscription: Subscription) -> None:
        if subscription.connection:
            told = {"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.events": subscription.events}
            subscription.connection.send(json.dumps({**told, "hub.lease_seconds": subscription.lease_s}))

    def _send(self, subscription: Subscription, message: Json) -> None:
        if message["event"]["hub.event"].casefold() not in subscription.events.casefold():
            return
        if self.deaf:
            self._unanswered.setdefault(subscription.name, []).append(message)
        if subscription.connection:
            try:
                subscription.connection.send(json.dumps(message))
            except ConnectionClosed:
                subscription.connection = None


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self._may():
                self._say(*((200, hub.get()) if self.path == f"/hub/{TOPIC}" else (404, {})))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self._may():
                return
            if self.headers["Content-Type"].startswith("application/x-www-form-urlencoded"):
                said = {name: values[0] for name, values in parse_qs(body.decode()).items()}
                self._say(*hub.subscribed(said))
            else:
                said = {"diagnostics": body.decode()} if hub.quotes else {}
                self._say(hub.requested(json.loads(body)), said)

        def _may(self) -> bool:
            hub.headers.append({name.lower(): value for name, value in self.headers.items()})
            if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                self._say(401, {})
                return False
            return True

        def _say(self, status: int, said: Json) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    return Handler


def _new() -> str:
    return str(uuid.uuid4())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
