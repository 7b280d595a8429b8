"""Figures of the live page, from facts and dead letters as they come.

Rules of this file: counts of what was read, pure; times come in. Nothing grows without end: references are
forgotten, oldest first, beyond REMEMBERED.
"""

from __future__ import annotations

import statistics
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from processors.operations.dead_letters import Letter
from processors.operations.facts import Revision

REMEMBERED = 100_000
"""References whose latest revision is known, some 500 bytes each; beyond it counts of an old one start anew.
"""

SHOWN = 25
"""Lines of a list on the page."""

BIN_S = 4
BINS = 30
"""The rate's chart: two minutes."""

SETTLE_S = (0.5, 1, 2, 5, 10, 30, 60, 300)
"""Upper ends of the settle times' bars; the last bar has none."""

SETTLE_KEPT = 1_000
"""Latest settle times that the median is taken of."""


class Recent(NamedTuple):
    """A revision as the page lists it."""

    reference_id: str
    revision: int
    at_ms: int
    change: str
    kind: str
    modality: str
    status: str
    instances: int
    closed_by: str
    settle_ms: int | None
    sources: tuple[str, ...]
    study_instance_uid: str
    duplicates: int
    warnings: tuple[str, ...]
    published_at_us: int


@dataclass(slots=True)
class Board:
    """Since the page began to read; used by one thread at a time."""

    latest: OrderedDict[str, Recent] = field(default_factory=OrderedDict)
    recent: deque[Recent] = field(default_factory=lambda: deque(maxlen=SHOWN))
    letters: deque[Letter] = field(default_factory=lambda: deque(maxlen=SHOWN))
    changes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(kind, modality) → revisions."""
    bins: dict[int, Counter[tuple[str, str]]] = field(default_factory=dict)
    """BIN_S seconds → (kind, modality) → revisions."""
    rules: Counter[str] = field(default_factory=Counter)
    settle: list[int] = field(default_factory=lambda: [0] * (len(SETTLE_S) + 1))
    settle_ms: deque[int] = field(default_factory=lambda: deque(maxlen=SETTLE_KEPT))
    late: int = 0
    """Revisions that added images to a series that had been closed."""
    duplicates: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    """Code → references that have it."""
    dead_letters: Counter[str] = field(default_factory=Counter)

    def take(self, revision: Revision) -> None:
        fact = revision.fact
        row = _recent(revision.change, fact)
        before = self.latest.pop(row.reference_id, None)
        self.latest[row.reference_id] = row
        if len(self.latest) > REMEMBERED:
            self.latest.popitem(last=False)
        self.recent.append(row)
        self.changes[row.change] += 1
        key = (row.kind, row.modality)
        self.kinds[key] += 1
        self._bin(row.at_ms // 1000 // BIN_S)[key] += 1
        self.duplicates += max(0, row.duplicates - (before.duplicates if before else 0))
        self.warnings.update(set(row.warnings) - set(before.warnings if before else ()))
        if row.closed_by:
            self.rules[row.closed_by] += 1
            self.late += before is not None and fact["added"] > 0
            self._settled(row.settle_ms)

    def put_aside(self, letter: Letter) -> None:
        self.letters.append(letter)
        self.dead_letters[letter.code or "(no code)"] += 1

    def rate(self, now_ms: int) -> list[tuple[int, Counter[tuple[str, str]]]]:
        """(seconds before now, revisions) for each bin, the oldest first; the running one is the last."""
        last = now_ms // 1000 // BIN_S
        bins = range(last - BINS + 1, last + 1)
        return [((last - each) * BIN_S, self.bins.get(each, Counter())) for each in bins]

    @property
    def median_settle_s(self) -> float | None:
        return statistics.median(self.settle_ms) / 1000 if self.settle_ms else None

    def _bin(self, number: int) -> Counter[tuple[str, str]]:
        if number not in self.bins and len(self.bins) > 2 * BINS:
            newest = sorted(self.bins)[-BINS:]
            self.bins = {each: self.bins[each] for each in newest}
        return self.bins.setdefault(number, Counter())

    def _settled(self, settle_ms: int | None) -> None:
        if settle_ms is not None:
            place = sum(settle_ms > 1000 * end for end in SETTLE_S)
            self.settle[place] += 1
            self.settle_ms.append(settle_ms)


def _recent(change: str, fact: dict[str, Any]) -> Recent:
    return Recent(
        reference_id=fact["reference_id"],
        revision=fact["revision"],
        at_ms=fact["published_at"] // 1000,
        change=change,
        kind=fact["kind"],
        modality=fact["modality"] or "",
        status=fact["status"],
        instances=fact["instance_count"],
        closed_by=fact["closed_by"] or "",
        settle_ms=fact["settle_ms"],
        sources=tuple(fact["sources"]),
        study_instance_uid=fact["study_instance_uid"],
        duplicates=fact["duplicates"],
        warnings=tuple(fact["warnings"]),
        published_at_us=fact["published_at"],
    )
