"""A FHIR server that is to hold what the topic holds: update-as-create by id, with If-Match, in transactions.

Rules of this file: HTTP and FHIR's RESTful API; no Kafka. What is asked twice has been done once: the
server's state is read, what differs is written against the very version that was read, and a conflict begins
anew.

    read (batch of GETs) → what differs → transaction of PUT with ifMatch, DELETE → 409 or 412: read again

HAPI answers a stale If-Match with 409, the specification says 412 (R5 3.2.0.5): both are taken. A transaction
that is repeated, since its answer was lost, meets its own work in the next read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from processors.errors import Refused, Unavailable
from processors.http_service import HttpService
from processors.settings.neighbours import FhirServer as Settings
from processors.sinks.bringing import one_by_one
from processors.sinks.resources import Json, Wanted, is_same, parts_of
from processors.wire.json_text import dump, load

CONFLICTS = 8
"""So often a batch is read anew because others wrote meanwhile; then the sink waits and begins again."""
TRANSACTION_BYTES = 8 * 1024 * 1024
"""Of several resources in one request; a larger one goes alone."""
_HEADERS = {
    "Content-Type": "application/fhir+json",
    "Accept": "application/fhir+json",
    # HAPI keeps tags of former versions otherwise: a reason of withdrawal that no longer holds.
    "X-Meta-Snapshot-Mode": "TAG, PROFILE, SECURITY_LABEL",
}
_STALE = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})
_GONE = frozenset({"404", "410"})


class FhirServer:
    """A `Destination`. Used by one thread. Raises SettingsError."""

    def __init__(self, settings: Settings) -> None:
        own = settings
        self._service = HttpService(
            "fhir_server", "the server", own.url, own.timeout_s, own.ca_file, token_file=own.token_file
        )
        self._most = own.batch_resources
        self.told: Counter[str] = Counter()
        self.refused: list[tuple[str, int]] = []

    def bring(self, wanted: Sequence[Wanted], until: float) -> None:
        """As Destination has it."""
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
                if status == HTTPStatus.NOT_FOUND:
                    raise Unavailable(f"the server answered {status}: check fhir_server.url")
                one_by_one(self, part, status, lambda half: self._bring(half, until))
                return
            time.sleep(min(0.05 * 2**attempt, 2.0))
        raise Unavailable("others change the same resources all the time")

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
        answer = self._service.ask("POST", self._service.url, body, _HEADERS)
        try:
            said = load(answer.body) if answer.status < HTTPStatus.BAD_REQUEST else {}
        except Refused:
            raise Unavailable("the server answered something that is no JSON") from None
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
