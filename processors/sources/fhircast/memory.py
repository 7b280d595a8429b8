"""What is remembered of each shared resource: which selections it became, and when.

Rules of this file: entries of the ledger, by hashes of paths, since ids may be anything. A deletion names the
resource only, so its series are kept; and what a hub tells later happened later, whatever the clocks of those
who shared it say, so its time is kept, too, beyond its removal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

from processors.core.identity import name_hash
from processors.fhircast.context import Json
from processors.sources.ledger import Ledger

KEPT_S = 90 * 86_400.0
"""Longer than any report stays open."""
_SHARED = "shared/"
_TICK = timedelta(microseconds=1)


class Known(NamedTuple):
    report: str = ""
    """Id of the report that it was shared with."""
    digest: str = ""
    """Of its content; empty once it is removed."""
    selection_id: str = ""
    series: tuple[tuple[str, str], ...] = ()
    """Study and Series Instance UID of each selection that it is; none once it is removed."""
    at: str = ""
    """When it last changed, RFC 3339; empty: it was never heard of."""


class Said(NamedTuple):
    """What the hub said of one resource."""

    event_id: str
    at: datetime

    def after(self, known: Known) -> Said:
        """At its own time, but after what is known."""
        if not known.at:
            return self
        return self._replace(at=max(self.at, datetime.fromisoformat(known.at) + _TICK))


class Memory:
    """Keys are those of the ledger; written by whoever has published what follows from an entry."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def known(self, path: str) -> Known:
        """Of a resource's `Type/id`."""
        value = self._ledger.get(key_of(path))
        return _of(value) if value else Known()

    def of_report(self, report: str) -> Iterator[tuple[str, Known]]:
        """Key and entry of all that is still shared with it."""
        for key, value in self._ledger.scan(_SHARED):
            known = _of(value)
            if known.report == report and known.series:
                yield key, known

    def put(self, entries: dict[str, Known]) -> None:
        if entries:
            self._ledger.put((key, json.dumps(known)) for key, known in entries.items())

    def forget(self) -> None:
        self._ledger.forget_older(_SHARED, KEPT_S)


def key_of(path: str) -> str:
    return f"{_SHARED}{name_hash(path)}"


def digest_of(resource: Json) -> str:
    return sha256(json.dumps(resource, sort_keys=True).encode()).hexdigest()


def instant(said: Any) -> datetime | None:
    """Of ISO 8601, UTC where no offset is said (FHIRcast 2.5)."""
    try:
        at = datetime.fromisoformat(said if isinstance(said, str) else "")
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _of(value: str) -> Known:
    known = Known(*json.loads(value))
    return known._replace(series=tuple((study, uid) for study, uid in known.series))
