"""Who may look, and what a browser may do with what it gets.

Rules of this file: one ASGI layer around the pages; no page. On loopback everyone on the machine may look,
under a loopback name only, so that no other site's page can be pointed here (DNS rebinding). Elsewhere a
token is needed: `Authorization: Bearer …`, or once as `?token=…`, which becomes a cookie.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "imaging_reference_token"

SAFETY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Nothing from elsewhere, no inline script or style, in nobody's frame; pages name studies, so none is kept.
"""

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Gate:
    """`token` empty: the server listens on loopback only."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFETY)
            await send(message)

        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, safely)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._token:
            name = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
            known = name in _LOOPBACK_NAMES or headers.get("host", "") in _LOOPBACK_NAMES
            return None if known else PlainTextResponse("unknown host name\n", 421)
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("token", "")
        if given and self._matches(given):
            answer = RedirectResponse(scope["path"], 303)
            answer.set_cookie(
                COOKIE, self._token, httponly=True, samesite="strict", secure=scope["scheme"] == "https"
            )
            return answer
        if self._matches(_bearer(headers)) or self._matches(_cookie(headers)):
            return None
        return PlainTextResponse(
            "A token is needed: open the address with ?token=… as the server printed it.\n",
            401,
            {"WWW-Authenticate": "Bearer"},
        )

    def _matches(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def _bearer(headers: Headers) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""
