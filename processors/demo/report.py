"""What came of a demonstration, and whether it adds up.

Rules of this file: counts and the laws that hold between them (CONTRACT 4); pure. Counts depend on the
scenario alone; only `settle_ms` depends on the machine.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

from processors.demo.reading import Reader
from processors.demo.tally import Totals
from processors.pipeline.records import OutputTopic
from processors.settings.sections import Topics

_Key = TypeVar("_Key", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class Report:
    sent: int
    """Records sent to the input topics."""
    passed_on: int
    """Records read from the intake topic: forwarded ones, and what crosses studies."""
    dispositions: dict[tuple[str, str], int]
    """(applied, duplicate, forwarded, parked, ignored or dead_lettered; reason or code) → records."""
    references: dict[tuple[str, str], int]
    """(kind, status) → references, as their latest revision has it."""
    changes: dict[str, int]
    """published, revised, withdrawn, revived → revisions."""
    revisions: int
    """Records read from the FHIR topic."""
    facts: int
    """Records read from the analytics topic."""
    dead_letters: dict[str, int]
    """By code, as read from their topic."""
    warnings: dict[str, int]
    settle_ms: float | None
    """Median time from a series' last image to its publication; None: no series was closed."""
    problems: tuple[str, ...]
    """What does not add up; empty: all is well."""

    @property
    def consumed(self) -> int:
        return sum(self.dispositions.values())


def report_of(sent: int, totals: Totals, reader: Reader, topics: Topics) -> Report:
    warnings: Counter[str] = Counter()
    for event, count in totals.events.items():
        if event[0] == "warning":
            warnings[event[1]] += count
    references = Counter((latest.kind, latest.status) for latest in reader.latest.values())
    return Report(
        sent=sent,
        passed_on=reader.seen[topics.intake],
        dispositions=_sorted(totals.dispositions),
        references=_sorted(references),
        changes=_sorted(reader.changes),
        revisions=reader.seen[topics.fhir],
        facts=reader.seen[topics.analytics],
        dead_letters=_sorted(reader.dead_letters),
        warnings=_sorted(warnings),
        settle_ms=statistics.median(reader.settle_ms) if reader.settle_ms else None,
        problems=tuple(_problems(sent, totals, reader, topics)),
    )


def _problems(sent: int, totals: Totals, reader: Reader, topics: Topics) -> list[str]:
    problems = list(reader.problems)
    due = sent + reader.seen[topics.intake]
    if totals.consumed != due:
        problems.append(f"{due} records were there to consume, {totals.consumed} are accounted for")
    if reader.unpaired:
        problems.append(f"{reader.unpaired} revisions are on one output topic only")
    put_aside = sum(n for (end, _), n in totals.dispositions.items() if end == "dead_lettered")
    if put_aside != reader.seen[topics.dead_letters]:
        problems.append(f"{put_aside} records were put aside, {reader.seen[topics.dead_letters]} can be read")
    for topic in OutputTopic:
        name = getattr(topics, topic)
        if totals.written[topic] != reader.seen[name]:
            problems.append(f"{name}: {totals.written[topic]} written, {reader.seen[name]} read")
    return problems


def _sorted(counts: Counter[_Key]) -> dict[_Key, int]:
    return dict(sorted(counts.items(), key=repr))
