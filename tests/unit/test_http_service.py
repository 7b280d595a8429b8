"""A neighbour's service: asked again while it is away, told apart from one that refuses, never quoted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from processors import http_service
from processors.errors import SettingsError, Unavailable
from processors.http_service import HttpService, place_of
from tests.builders.web_server import Reply, WebServer, serving

NAME = b"Doe^Jane"


@pytest.fixture
def replies() -> list[Reply]:
    """What is answered, one after the other; the last again and again."""
    return [Reply(b"{}")]


@pytest.fixture
def server(replies: list[Reply]) -> Iterator[WebServer]:
    with serving(lambda _: replies.pop(0) if len(replies) > 1 else replies[0]) as running:
        yield running


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between tries, which are not made; other threads sleep as ever."""
    pauses: list[float] = []
    ours, sleep = threading.current_thread(), time.sleep

    def paused(seconds: float) -> None:
        (pauses.append if threading.current_thread() is ours else sleep)(seconds)

    monkeypatch.setattr(time, "sleep", paused)
    return pauses


def service(server: WebServer, **more: str) -> HttpService:
    return HttpService("fhir_server", "the server", server.url("/fhir/"), 5.0, **more)


def test_one_that_is_busy_is_asked_again(server: WebServer, replies: list[Reply], slept: list[float]) -> None:
    replies[:0] = [Reply(status=503), Reply(status=429), Reply(status=500)]
    asked = service(server)
    assert asked.ask("GET", asked.url) == (200, b"{}")
    assert len(server.asked) == 4
    assert 0 < sum(slept) < 4 * http_service.LONGEST_PAUSE_S


@pytest.mark.parametrize("after", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_one_that_wants_an_hour_is_asked_sooner(
    server: WebServer, replies: list[Reply], slept: list[float], after: str
) -> None:
    """A stop would not be heard for so long, and the group would give the partitions to others."""
    replies.insert(0, Reply(status=503, headers={"Retry-After": after}))
    asked = service(server)
    assert asked.ask("GET", asked.url).status == 200
    assert slept == [http_service.LONGEST_PAUSE_S]


def test_what_it_asks_for_is_waited_for(server: WebServer, replies: list[Reply], slept: list[float]) -> None:
    replies.insert(0, Reply(status=429, headers={"Retry-After": "2"}))
    asked = service(server)
    assert asked.ask("GET", asked.url).status == 200
    assert slept == [2]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(NAME, 503), "the server answered 503"),
        (Reply(NAME, 401), "the server answered 401: check the token of [fhir_server]"),
        (Reply(NAME, 403), "the server answered 403: check the token of [fhir_server]"),
        (
            Reply(NAME, 302, {"Location": "http://elsewhere/Doe"}),
            "the server answered 302: check fhir_server.url",
        ),
        (Reply(NAME, 200, {"X-Doe": "Jane"}, length=1_000), "the server does not answer (ProtocolError)"),
    ],
)
def test_why_it_does_not_answer(
    server: WebServer, replies: list[Reply], slept: list[float], reply: Reply, said: str
) -> None:
    replies[:] = [reply]
    asked = service(server)
    with pytest.raises(Unavailable) as failed:
        asked.ask("GET", asked.url)
    assert str(failed.value) == said
    assert len(server.asked) <= 1 + http_service.RETRIES


@pytest.mark.parametrize("status", [400, 404, 409, 412, 422])
def test_what_is_refused_is_the_caller_s_to_judge(
    server: WebServer, replies: list[Reply], status: int
) -> None:
    replies[:] = [Reply(NAME, status)]
    assert service(server).ask("GET", server.url("/fhir")) == (status, NAME)


def test_nobody_there(slept: list[float]) -> None:
    with serving(lambda _: Reply()) as gone:
        pass
    with pytest.raises(Unavailable, match=r"^the server does not answer \(\w+\)$"):
        service(gone).ask("GET", gone.url("/fhir/Doe"))


def test_the_token_is_the_file_s_of_this_moment(server: WebServer, tmp_path: Path) -> None:
    file = tmp_path / "token"
    with pytest.raises(SettingsError, match=r"fhir_server\.token_file: cannot read"):
        service(server, token_file=str(file))
    file.write_text("one\n")
    asked = service(server, token="other", token_file=str(file))
    asked.ask("GET", asked.url)
    file.write_text("two\n")
    asked.ask("GET", asked.url)
    file.unlink()
    with pytest.raises(Unavailable, match=r"fhir_server\.token_file: cannot read"):
        asked.ask("GET", asked.url)
    service(server, token="other").ask("GET", asked.url)
    told = [headers["authorization"] for _, headers in server.asked]
    assert told == ["Bearer one", "Bearer two", "Bearer other"]


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    for url in ("", "ftp://x/fhir", "http://", "http://name:word@x/fhir", "http://[::1/", "x"):
        with pytest.raises(SettingsError, match=r"fhir_server\.url: expected"):
            HttpService("fhir_server", "the server", url, 5.0)
    (tmp_path / "ca.pem").write_text("no certificate")
    for ca_file in (tmp_path / "none.pem", tmp_path / "ca.pem"):
        with pytest.raises(SettingsError, match=r"fhir_server\.ca_file cannot be used"):
            HttpService("fhir_server", "the server", "https://x/fhir", 5.0, str(ca_file))


def test_the_pauses_fit_between_two_polls_of_the_group() -> None:
    longest = (1 + http_service.RETRIES) * 45.0 + http_service.RETRIES * http_service.LONGEST_PAUSE_S
    assert longest < 300.0


@pytest.mark.parametrize("no_address", ["", "http://[::1/", None, 5])
def test_what_is_no_address_has_no_place(no_address: object) -> None:
    assert (place_of(no_address).scheme, place_of(no_address).host) == (None, None)
