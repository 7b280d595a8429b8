"""What a replay made and what is published, side by side, and what the difference means.

Rules of this file: a temporary table and a verdict on each of its rows; no topic is read here. A line of the
table takes some 600 bytes of disk, however large the reference is.

A replay sees a range of the input, and what it makes is comparable only where nothing outside of it counts: a
study's images say things of each other's references, so a study is covered when the facts of all of its
references name input within the range only, and the reference was published by the range's end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from processors.operations.fingerprints import Fingerprints
from processors.pipeline.publishing import ERASED
from processors.pipeline.records import OutputRecord
from processors.stream.offsets import Partition
from processors.stream.scan import Span

AVAILABLE = "available"
"""The header `status` of what is not withdrawn, in every release."""

UNREAD = b""
"""In place of a fingerprint: published, but there is nothing to compare it with, or it is no resource."""


class Verdict(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"
    GONE = "gone"
    """Published, and the replay does not make it."""
    OPEN = "open"
    """Differs, but its series or document still waited when the replay began: a revision is due anyway."""
    NOT_COVERED = "not covered"
    """Differs, but so it may by what lies outside of the range."""
    SAME = "same"
    OUTSIDE = "outside"
    """Published, from input outside of the range."""


CHANGES = frozenset({Verdict.ADDED, Verdict.CHANGED, Verdict.WITHDRAWN, Verdict.GONE})


class Compared(NamedTuple):
    """One reference, as the table has it."""

    reference_id: str
    study_uid: str
    said: str
    """Kind, modality and series UID."""
    made: bytes | None
    """Fingerprint of what the replay made."""
    made_status: str
    is_open: int
    """Made or changed by clocks that had not run out when the replay began."""
    published: bytes | None
    status: str
    published_ms: int
    erased: int
    inside: int
    """A fact of it names input of the range."""
    study_outside: int
    """A fact of the study names input outside of the range, or facts are no longer kept."""


def verdict(row: Compared, until_ms: int) -> Verdict:
    """`until_ms`: end of the range. What was never published counts as withdrawn (CONTRACT 4, Any order)."""
    if row.made is None and row.published is not None and not row.inside:
        return Verdict.OUTSIDE
    is_made, is_published = (
        fingerprint is not None and status == AVAILABLE
        for fingerprint, status in ((row.made, row.made_status), (row.published, row.status))
    )
    never = None in (row.made, row.published) and not (is_made or is_published)
    if row.made == row.published or never:
        return Verdict.SAME
    if row.study_outside or row.erased or row.published_ms > until_ms:
        return Verdict.NOT_COVERED
    if row.made is None:
        return Verdict.GONE
    if row.is_open:
        return Verdict.OPEN
    if row.published is None:
        return Verdict.ADDED
    withdrawn = row.made_status != AVAILABLE and row.status == AVAILABLE
    return Verdict.WITHDRAWN if withdrawn else Verdict.CHANGED


_SCHEMA = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;
CREATE TABLE reference (
    id TEXT PRIMARY KEY, study TEXT NOT NULL DEFAULT '', said TEXT NOT NULL DEFAULT '',
    made BLOB, made_status TEXT NOT NULL DEFAULT '', is_open INTEGER NOT NULL DEFAULT 0,
    published BLOB, status TEXT NOT NULL DEFAULT '', published_ms INTEGER NOT NULL DEFAULT 0,
    erased INTEGER NOT NULL DEFAULT 0, has_fact INTEGER NOT NULL DEFAULT 0, inside INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE outside (study TEXT PRIMARY KEY) WITHOUT ROWID;
BEGIN;
"""
_MADE = """
INSERT INTO reference (id, study, said, made, made_status, is_open) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    made = excluded.made, made_status = excluded.made_status, is_open = excluded.is_open
"""
_PUBLISHED = """
INSERT INTO reference (id, study, said, published, status, published_ms, erased) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET study = excluded.study, said = excluded.said, published = excluded.published,
    status = excluded.status, published_ms = excluded.published_ms, erased = excluded.erased
"""
_FACT = """
INSERT INTO reference (id, study, has_fact, inside, erased) VALUES (?, ?, 1, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    has_fact = 1, inside = max(inside, excluded.inside), erased = published IS NULL AND excluded.erased
"""
_WITHOUT_FACTS = """
INSERT OR IGNORE INTO outside
SELECT DISTINCT study FROM reference WHERE published IS NOT NULL AND NOT has_fact
"""
_ROWS = """
SELECT id, reference.study, said, made, made_status, is_open, published, status, published_ms, erased, inside,
    outside.study IS NOT NULL
FROM reference LEFT JOIN outside ON outside.study = reference.study ORDER BY reference.study, id
"""


class Spool:
    """One table in one file, for as long as a comparison takes; used by one thread."""

    def __init__(self, path: Path, fingerprints: Fingerprints) -> None:
        self._fingerprints = fingerprints
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_SCHEMA)

    def made(self, outputs: Iterable[OutputRecord], is_open: bool) -> None:
        """References that the replay made, in order: of each the last holds."""
        for output in outputs:
            headers = dict(output.headers)
            made = None if output.value is None else self._fingerprints.of(output.value)
            status = headers["status"].decode()
            row = (*_named(output.key, headers), made, status, is_open)
            self._db.execute(_MADE, row)

    def published(self, key: bytes, value: bytes | None, headers: Mapping[str, bytes], at_ms: int) -> None:
        """A record of the FHIR topic, in order: of each key the last holds."""
        found: bytes | None = UNREAD
        named = _named(key, headers)
        if value is None:
            found = None
        elif self._is_made(named[0]):
            with suppress(ValueError, RecursionError):
                found = self._fingerprints.of(value)
        status = headers.get("status", b"").decode(errors="replace")
        self._db.execute(_PUBLISHED, (*named, found, status, at_ms, value is None))

    def fact(self, fact: Mapping[str, Any], spans: Mapping[Partition, Span]) -> None:
        """`spans`: the range that was replayed."""
        inside = outside = False
        for each in fact["inputs"]:
            first, end = spans.get((each["topic"], each["partition"]), (0, 0))
            inside |= each["first_offset"] < end and each["last_offset"] >= first
            outside |= each["first_offset"] < first or each["last_offset"] >= end
        erased = fact["withdrawal_reason"] == ERASED
        self._fact(fact["reference_id"], fact["study_instance_uid"], inside, outside, erased)

    def fact_before(self, reference_id: str, study_uid: str) -> None:
        """A fact from before the range."""
        self._fact(reference_id, study_uid, inside=False, outside=True, erased=False)

    def compared(self, until_ms: int) -> Iterator[tuple[Verdict, Compared]]:
        """All, study by study; call once all was taken."""
        self._db.execute(_WITHOUT_FACTS)
        for row in map(Compared._make, self._db.execute(_ROWS)):
            yield verdict(row, until_ms), row

    def close(self) -> None:
        self._db.close()

    def _fact(self, reference_id: str, study_uid: str, inside: bool, outside: bool, erased: bool) -> None:
        self._db.execute(_FACT, (reference_id, study_uid, inside, erased))
        if outside:
            self._db.execute("INSERT OR IGNORE INTO outside VALUES (?)", (study_uid,))

    def _is_made(self, reference_id: str) -> bool:
        found = self._db.execute("SELECT made IS NOT NULL FROM reference WHERE id = ?", (reference_id,))
        return bool((found.fetchone() or (0,))[0])


def _named(key: bytes | None, headers: Mapping[str, bytes]) -> tuple[str, str, str]:
    """Id, study, and what a line says of it beside."""
    kind, modality, study, series = (
        headers.get(name, b"").decode(errors="replace")
        for name in ("kind", "modality", "study_uid", "series_uid")
    )
    return (key or b"").decode(errors="replace"), study, f"{kind}\t{modality}\t{series}"
