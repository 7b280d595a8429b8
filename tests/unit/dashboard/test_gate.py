"""Who is let in, without a server."""

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from processors.dashboard.gate import COOKIE, Gate
from processors.dashboard.server import Door

TOKEN = "a token of some length"


def ask(token: str, query: str = "", **headers: str) -> tuple[int, dict[str, str]]:
    """Status and headers of the answer to `GET /page`."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    said = {"host": "localhost:1"} | headers
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/page",
        "scheme": "http",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in said.items()],
    }
    asyncio.run(Gate(PlainTextResponse("in"), token)(scope, receive, send))
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert "default-src 'none'" in answered["content-security-policy"]
    return sent[0]["status"], answered


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8081", 200),
        ("127.0.0.1", 200),
        ("[::1]:1", 200),
        ("[::1]", 200),
        ("evil.example:8081", 421),
        ("", 421),
    ],
)
def test_on_loopback_names_of_loopback_only(host: str, status: int) -> None:
    assert ask("", host=host)[0] == status


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {}, 401),
        ("token=wrong", {}, 401),
        ("token=", {}, 401),
        ("", {"authorization": f"Bearer {TOKEN}"}, 200),
        ("", {"authorization": f"Basic {TOKEN}"}, 401),
        ("", {"cookie": f'{COOKIE}="{TOKEN}"'}, 200),
        ("", {"cookie": f"{COOKIE}=wrong; x=y"}, 401),
        ("", {"host": "any.example", "authorization": f"bearer {TOKEN}"}, 200),
    ],
)
def test_elsewhere_with_the_token_only(query: str, headers: dict[str, str], status: int) -> None:
    assert ask(TOKEN, query, **headers)[0] == status


def test_a_token_in_the_address_becomes_a_cookie_and_leaves_the_address() -> None:
    status, headers = ask(TOKEN, f"token={TOKEN.replace(' ', '+')}")
    assert (status, headers["location"]) == (303, "/page")
    assert {"HttpOnly", "SameSite=strict"} <= set(headers["set-cookie"].split("; "))


@pytest.mark.parametrize(
    ("host", "open_to_others"),
    [
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),
        ("::", True),
        ("pacs.example", True),
    ],
)
def test_which_addresses_ask_for_a_token(host: str, open_to_others: bool) -> None:
    assert Door(host).open_to_others is open_to_others
