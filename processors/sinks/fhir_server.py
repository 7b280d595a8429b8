"""A FHIR server that is to hold what the topic holds: update-as-create by id, with If-Match, in transactions.

Rules of this file: HTTP and FHIR's RESTful API; no Kafka. What is asked twice has been done once: the
server's state is read, what differs is written against the very version that was read, and a conflict begins
anew.

    read (batch of GETs) → what differs → transaction of PUT with ifMatch, DELETE → 409 or 412: read again

HAPI answers a stale If-Match with 409, the specification says 412 (R5 3.2.0.5): both are taken. A server that
is busy or away (408, 429, 5xx, no connection) is asked again by urllib3, with growing pauses and its
Retry-After; a transaction that is repeated after its answer was lost meets its own work in the next read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from processors.errors import Refused, SettingsError, Unavailable
from processors.settings.neighbours import FhirServer as Settings
from processors.sinks.resources import Json, Wanted, is_same, parts_of
from processors.wire.json_text import dump, load

CONFLICTS = 8
"""So often a batch is read anew because others wrote meanwhile; then the sink waits and begins again."""
TRANSACTION_BYTES = 8 * 1024 * 1024
"""Of several resources in one request; a larger one goes alone."""
RETRIES = 4
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_STALE = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})
_GONE = frozenset({"404", "410"})


class FhirServer:
    """Used by one thread. `told` is what became of what, for telemetry."""

    def __init__(self, settings: Settings) -> None:
        try:
            url = parse_url(settings.url)
        except LocationParseError:
            url = None
        if url is None or url.scheme not in ("http", "https") or not url.host or url.auth:
            raise SettingsError("fhir_server.url: expected http(s)://host/path, without credentials")
        self._url = settings.url.rstrip("/")
        self._most = settings.batch_resources
        self._headers = {
            "Content-Type": "application/fhir+json",
            "Accept": "application/fhir+json",
            # HAPI keeps tags of former versions otherwise: a reason of withdrawal that no longer holds.
            "X-Meta-Snapshot-Mode": "TAG, PROFILE, SECURITY_LABEL",
            **_authorization(settings.token_file),
        }
        retry = Retry(
            total=RETRIES,
            backoff_factor=0.5,
            backoff_max=10,
            backoff_jitter=0.5,
            status_forcelist=_PASSING,
            allowed_methods=None,  # POST, too: see above
            raise_on_status=False,
            redirect=0,
        )
        self._pool = PoolManager(
            retries=retry,
            timeout=Timeout(connect=5, read=settings.timeout_s),
            ca_certs=settings.ca_file or None,
        )
        self.told: Counter[str] = Counter()
        """written, unchanged, deleted, refused."""
        self.refused: list[tuple[str, int]] = []
        """(id, status) of what the server will not take, since the caller last emptied it."""

    def bring(self, wanted: Sequence[Wanted], until: float) -> None:
        """The server holds it all, or has refused it, when this returns.

        Raises Unavailable when it does not answer, or `until` (monotonic) passes: then others may have taken
        over, and an older version must not be written over their newer one.
        """
        for part in parts_of(wanted, self._most, TRANSACTION_BYTES):
            self._bring(part, until)

    def _bring(self, part: list[Wanted], until: float) -> None:
        for attempt in range(CONFLICTS):
            current = self._read(part)
            entries = [entry for each in part if (entry := _entry(each, current.get(each.id)))]
            if not entries:
                self.told["unchanged"] += len(part)
                return
            if time.monotonic() > until:
                raise Unavailable("the batch took too long: others may hold its partitions")
            status, _ = self._post("transaction", entries)
            if status < HTTPStatus.BAD_REQUEST:
                deleted = sum(entry["request"]["method"] == "DELETE" for entry in entries)
                self.told["deleted"] += deleted
                self.told["written"] += len(entries) - deleted
                self.told["unchanged"] += len(part) - len(entries)
                return
            if status not in _STALE:
                self._refused(part, status, until)
                return
            time.sleep(min(0.05 * 2**attempt, 2.0))
        raise Unavailable("others change the same resources all the time")

    def _refused(self, part: list[Wanted], status: int, until: float) -> None:
        """Which one it is: a transaction is refused as a whole, so halves are tried until one is left."""
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise Unavailable(f"the server answered {status}: check fhir_server.url and token_file")
        if len(part) == 1:
            self.told["refused"] += 1
            self.refused.append((part[0].id, status))
            return
        middle = len(part) // 2
        self._bring(part[:middle], until)
        self._bring(part[middle:], until)

    def _read(self, part: list[Wanted]) -> dict[str, Json]:
        """Current content by id; what is not there, or no longer, is left out."""
        asked = [{"request": {"method": "GET", "url": each.path}} for each in part]
        status, bundle = self._post("batch", asked)
        if status >= HTTPStatus.BAD_REQUEST or len(bundle.get("entry", ())) != len(part):
            raise Unavailable(f"the server answered {status} to a batch of reads")
        found: dict[str, Json] = {}
        for each, entry in zip(part, bundle["entry"], strict=True):
            said = str(entry.get("response", {}).get("status", ""))[:3]
            if said == "200":
                found[each.id] = entry["resource"]
            elif said not in _GONE:
                raise Unavailable(f"the server answered {said} to a read")
        return found

    def _post(self, kind: str, entries: list[Json]) -> tuple[int, Json]:
        body = dump({"resourceType": "Bundle", "type": kind, "entry": entries})
        try:
            answer = self._pool.request("POST", self._url, body=body, headers=self._headers)
            said = load(answer.data) if answer.status < HTTPStatus.BAD_REQUEST else {}
        except (HTTPError, OSError) as failed:
            raise Unavailable(f"the server does not answer ({type(failed).__name__})") from None
        except Refused:
            raise Unavailable("the server answered something that is no JSON") from None
        if answer.status in _PASSING:
            raise Unavailable(f"the server answered {answer.status}")
        return answer.status, said if isinstance(said, dict) else {}


def _entry(wanted: Wanted, current: Json | None) -> Json | None:
    """None: there is nothing to do."""
    if wanted.content is None:
        return None if current is None else {"request": {"method": "DELETE", "url": wanted.path}}
    request: dict[str, Any] = {"method": "PUT", "url": wanted.path}
    if current is not None:
        if is_same(wanted.content, current):
            return None
        request["ifMatch"] = f'W/"{current.get("meta", {}).get("versionId", "")}"'
    return {"resource": wanted.content, "request": request}


def _authorization(token_file: str) -> dict[str, str]:
    if not token_file:
        return {}
    try:
        token = Path(token_file).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"fhir_server.token_file: cannot read {token_file}") from None
    return {"Authorization": f"Bearer {token}"}
