"""A neighbour's HTTP service that is asked to do things, patiently: urllib3's other door.

Rules of this file: one service a client, at the address that a site set; no redirect, no credentials in the
address. One that is busy or away (408, 425, 429, 5xx, no connection) is asked the same again with growing
pauses; so only what may be done twice is asked. Messages name a status, an exception and settings, never what
was sent or answered: it may be patient data.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Url, parse_url

from processors.errors import SettingsError, Unavailable

CONNECT_S = 5.0
RETRIES = 4
"""Of a request. With `timeout_s` at its most, 45 s, and the longest pauses, five tries are over in 270 s: the
group gives up a member that does not poll for 300 s (max.poll.interval.ms)."""
PAUSE_S = 0.25
"""Doubled from try to try, and up to as much again by chance, so that members do not ask in step."""
LONGEST_PAUSE_S = 10.0
"""Also of what a server asks for (Retry-After): it may say an hour, while no stop is heard, and the group
gives the partitions away. A server that wants more is asked again by the caller, as one that is away."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOBODY = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Answer(NamedTuple):
    status: int
    """2xx, or 4xx of which asking again does not help."""
    body: bytes


class HttpService:
    """Used by one thread.

    `section`: of the settings, `name`: what it is called in messages, as `the hub`. `token_file` is read anew
    for each request, since access tokens are short-lived; it goes before `token`.

    Raises SettingsError if `url` is none, or a file cannot be used.
    """

    def __init__(
        self,
        section: str,
        name: str,
        url: str,
        timeout_s: float,
        ca_file: str = "",
        token: str = "",
        token_file: str = "",
    ) -> None:
        place = place_of(url)
        if place.scheme not in ("http", "https") or not place.host or place.auth:
            raise SettingsError(f"{section}.url: expected http(s)://host/path, without credentials")
        self.host, self.is_encrypted = place.host, place.scheme == "https"
        self.url = url.rstrip("/")
        self._section, self._name = section, name
        self._its_token, self._token_file = token, token_file
        try:
            self._authorization()
        except Unavailable as missing:
            raise SettingsError(str(missing)) from None
        retry = Retry(
            total=RETRIES,
            backoff_factor=PAUSE_S,
            backoff_max=LONGEST_PAUSE_S,
            backoff_jitter=PAUSE_S,
            retry_after_max=int(LONGEST_PAUSE_S),
            status_forcelist=_PASSING,
            allowed_methods=None,  # POST, too
            raise_on_status=False,
        )
        timeout = Timeout(connect=CONNECT_S, read=timeout_s)
        self._pool = PoolManager(
            retries=retry, timeout=timeout, ssl_context=tls_of(section, ca_file) if ca_file else None
        )

    def ask(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Raises Unavailable if the service does not answer, lets nobody in, or sends elsewhere."""
        try:
            answer = self._pool.request(
                method, url, body=body, headers={**(headers or {}), **self._authorization()}, redirect=False
            )
        except (HTTPError, OSError) as failed:
            why = getattr(failed, "reason", None) or failed  # of the last try
            raise Unavailable(f"{self._name} does not answer ({type(why).__name__})") from None
        said = f"{self._name} answered {answer.status}"
        if answer.status in _PASSING:
            raise Unavailable(said)
        if answer.status in _NOBODY:
            raise Unavailable(f"{said}: check the token of [{self._section}]")
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            raise Unavailable(f"{said}: check {self._section}.url")
        return Answer(answer.status, answer.data)

    def _authorization(self) -> dict[str, str]:
        """Raises Unavailable if the token's file cannot be read: it may just be written."""
        file = self._token_file
        try:
            token = Path(file).read_text("ascii").strip() if file else self._its_token
        except (OSError, UnicodeDecodeError):
            raise Unavailable(f"{self._section}.token_file: cannot read {file}") from None
        return {"Authorization": f"Bearer {token}"} if token else {}


def place_of(address: object) -> Url:
    """An empty one for what is no address."""
    try:
        return parse_url(address) if isinstance(address, str) else Url()
    except LocationParseError:
        return Url()


def tls_of(section: str, ca_file: str) -> ssl.SSLContext:
    """Trusting the authority of `ca_file` alone, or the usual ones if that is empty. Raises SettingsError."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as failed:
        raise SettingsError(f"{section}.ca_file cannot be used ({type(failed).__name__})") from None
