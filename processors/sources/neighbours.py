"""A neighbouring system's HTTP address, and who we are to it.

Rules of this file: one client for one server; credentials leave to that server only.
"""

from __future__ import annotations

import base64

from processors.errors import SettingsError
from processors.http_client import HttpClient
from processors.http_service import place_of


def client_of(
    section: str, url: str, timeout_s: float, user: str = "", password: str = "", token: str = ""
) -> HttpClient:
    """A client of the server of `url`, with Basic credentials if there is a user, else with the bearer token.

    Raises SettingsError if `[section] url` is no address of a server.
    """
    place = place_of(url)
    if place.scheme not in ("http", "https") or not place.host or place.auth:
        raise SettingsError(
            f"{section}.url: expected http(s)://host:port, credentials in settings of their own"
        )
    headers = {}
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        headers["Authorization"] = f"Basic {pair}"
    elif token:
        headers["Authorization"] = f"Bearer {token}"
    port = place.port or (443 if place.scheme == "https" else 80)
    return HttpClient([f"{place.host}:{port}"], timeout_s, headers)
