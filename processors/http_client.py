"""Fetching over HTTP from hosts that a site allows: urllib3's door.

Rules of this file: GET only. The address is checked by the same parser that connects; no cookie, no proxy of
the environment, no credentials but those a caller sets for its own server; every redirect is a new address
and is checked like the first. Bounded in bytes and in time. Messages name rules, never an address: paths may
hold patient identifiers.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urljoin

from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

CONNECT_S = 3.0
"""A server on a hospital's network answers in milliseconds; one that is gone must not hold up the rest."""
MAX_REDIRECTS = 3
ATTEMPTS = 3
FIRST_PAUSE_S = 0.25
"""Doubled after each failed attempt: a restart behind a load balancer is over by then or takes minutes."""
_CHUNK = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 502, 503, 504})
"""Status codes of a server that is busy or away (RFC 9110); 500 is as often the one object's fault."""


class NotAllowed(Exception):
    """The address or a redirect is against the rules; the text says which."""


class NotFetched(Exception):
    """The server did not give it; the text says why, `passing` whether it may later.

    `status`: what it answered, 0 if nothing.
    """

    def __init__(self, why: str, passing: bool, status: int = 0) -> None:
        super().__init__(why)
        self.passing, self.status = passing, status


class BodyTooLarge(Exception):
    """More bytes than were asked for at most."""


class Answer(NamedTuple):
    body: bytes
    content_type: str
    """As sent, parameters included; empty if not said."""
    status: int


class HttpClient:
    """Keeps connections alive; used by one thread.

    `hosts`: names or addresses, as `archive.example` (any port) or `archive.example:8443` (that port only).
    `headers` go to every address, so a caller that sets credentials allows one host only.
    """

    def __init__(
        self, hosts: Collection[str], timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> None:
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)
        self._timeout_s = timeout_s
        self._headers = {"Accept-Encoding": "identity", **(headers or {})}
        self._pool = PoolManager(num_pools=16, retries=False)

    def get(self, address: str, max_bytes: int, accept: str = "*/*") -> Answer:
        """The body of a 200 or 204; blocks for about `timeout_s` at most, attempts and redirects included.

        Raises NotAllowed, NotFetched, BodyTooLarge.
        """
        until = time.monotonic() + self._timeout_s
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(address, max_bytes, accept, until)
            except NotFetched as failed:
                if not failed.passing or attempt == ATTEMPTS or time.monotonic() + pause_s >= until:
                    raise
            time.sleep(pause_s)
            pause_s *= 2
        raise AssertionError("the last attempt returns or raises")

    def _once(self, address: str, max_bytes: int, accept: str, until: float) -> Answer:
        url = self._allowed(address)
        for _ in range(MAX_REDIRECTS + 1):
            with self._opened(url, accept, until) as response:
                if response.status not in _REDIRECTS:
                    return _body_of(response, max_bytes, until)
                target = self._allowed(urljoin(url.url, response.headers.get("location", "")))
            if url.scheme == "https" and target.scheme != "https":
                raise NotAllowed("a redirect from https to http is not followed")
            url = target
        raise NotFetched(f"more than {MAX_REDIRECTS} redirects", passing=False)

    @contextmanager
    def _opened(self, url: Url, accept: str, until: float) -> Iterator[BaseHTTPResponse]:
        left = max(until - time.monotonic(), 0.001)
        try:
            response = self._pool.urlopen(
                "GET",
                url.url,
                headers={**self._headers, "Accept": accept},
                timeout=Timeout(connect=min(CONNECT_S, left), read=left),
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                yield response
            finally:
                response.close()  # back to the pool if read to its end, else gone: the rest may be endless
        except (HTTPError, OSError) as error:
            raise NotFetched(
                f"the server cannot be read from ({type(error).__name__})", passing=True
            ) from None

    def _allowed(self, address: str) -> Url:
        try:
            url = parse_url(address)
            port = url.port or (443 if url.scheme == "https" else 80)
        except (LocationParseError, ValueError):
            raise NotAllowed("not a uri") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise NotAllowed("http: and https: with a host are fetched, nothing else")
        if url.auth is not None:
            raise NotAllowed("a uri with credentials is not fetched")
        host = url.host.lower().rstrip(".")
        if not {host, host.strip("[]"), f"{host}:{port}"} & self._hosts:
            raise NotAllowed("the host is not one of those allowed")
        return url._replace(fragment=None)


def _body_of(response: BaseHTTPResponse, max_bytes: int, until: float) -> Answer:
    if response.status not in (200, 204):
        why = f"the server answered {response.status}"
        raise NotFetched(why, response.status in _PASSING, response.status)
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise NotFetched("the server compressed what was asked for as it is", passing=False)
    said = response.headers.get("content-length", "")
    if said.isdecimal() and int(said) > max_bytes:
        raise BodyTooLarge
    body = bytearray()
    while chunk := response.read1(_CHUNK):  # what is there, so that a trickle cannot outlast the time
        body += chunk
        if len(body) > max_bytes:
            raise BodyTooLarge
        if time.monotonic() > until:
            raise NotFetched("the server is too slow", passing=True)
    return Answer(bytes(body), response.headers.get("content-type", ""), response.status)
