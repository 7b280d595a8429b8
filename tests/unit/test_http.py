"""The health server over a real socket."""

import http.client
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from processors.errors import Unavailable
from processors.http import HealthServer


@dataclass
class Member:
    alive: bool = True
    restored: bool = False

    def live(self) -> bool:
        return self.alive

    def ready(self) -> bool:
        return self.restored

    def series(self, series_instance_uid: str) -> bytes | None:
        if not self.restored:
            raise OSError("not yet")
        return b'{"series": []}' if series_instance_uid == "1.2" else None

    def reference(self, reference_id: str) -> bytes | None:
        return f'"{reference_id}"'.encode()


@pytest.fixture
def member() -> Member:
    return Member()


@pytest.fixture
def server(member: Member) -> Iterator[HealthServer]:
    with HealthServer("127.0.0.1", 0, member, member) as server:
        yield server


def ask(server: HealthServer, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers["Content-Type"], response.read()
    finally:
        connection.close()


def test_livez_and_readyz_say_what_the_member_says(server: HealthServer, member: Member) -> None:
    assert (ask(server, "/livez")[0], ask(server, "/readyz")[0]) == (200, 503)
    member.alive, member.restored = False, True
    assert (ask(server, "/livez")[0], ask(server, "/readyz?probe=1")[0]) == (503, 200)


def test_metrics_are_prometheus_text(server: HealthServer) -> None:
    status, content_type, body = ask(server, "/metrics")
    assert (status, content_type.partition(";")[0]) == (200, "text/plain")
    assert b"# TYPE imaging_reference_records_total counter" in body


def test_what_is_known_is_json(server: HealthServer, member: Member) -> None:
    assert ask(server, "/series/1.2")[0] == 503
    member.restored = True
    assert ask(server, "/series/1.2") == (200, "application/json", b'{"series": []}')
    assert ask(server, "/series/1.3")[:2] == (404, "application/json")
    assert ask(server, "/references/a-b")[2] == b'"a-b"'


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/series/1/2", 404), ("GET", "/../etc/passwd", 404), ("POST", "/livez", 501)],
)
def test_nothing_else_is_answered(server: HealthServer, method: str, path: str, status: int) -> None:
    assert ask(server, path, method)[0] == status


def test_head_has_no_body(server: HealthServer) -> None:
    assert ask(server, "/metrics", "HEAD")[2] == b""


def test_a_port_in_use_is_one_line_that_says_what_to_do(server: HealthServer, member: Member) -> None:
    with pytest.raises(Unavailable, match=r"cannot be bound .* set http.port"):
        HealthServer("127.0.0.1", server.port, member, member)
