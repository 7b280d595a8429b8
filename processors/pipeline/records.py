"""What goes in and out of a step: plain values, the same for Kafka and for memory.

Rules of this file: no behaviour; a record is a tuple because millions of them pass.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

Headers = list[tuple[str, bytes]]


class Record(NamedTuple):
    """One consumed record. `timestamp_ms` is -1 where Kafka has none."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None = None


class OutputTopic(StrEnum):
    """Which of the output topics; their names are settings."""

    FHIR = "fhir"
    ANALYTICS = "analytics"
    DEAD_LETTERS = "dead_letters"
    INTAKE = "intake"


class OutputRecord(NamedTuple):
    """One record to produce. `partition` is set for the intake topic only (the target's home), else -1."""

    topic: OutputTopic
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int = -1


class StateEntry(NamedTuple):
    """A row of the state store and a record of the changelog's partition `home`; value None: gone."""

    home: int
    key: str
    value: bytes | None
    due_at_ms: int | None = None
    """When a clock of this entry runs out; None: no clock."""


@dataclass(slots=True)
class Step:
    """Everything one step wants done in one transaction."""

    moved: dict[tuple[str, int], int] = field(default_factory=dict)
    """(topic, partition) → next offset, of the partitions folded from: what the group commits."""
    outputs: list[OutputRecord] = field(default_factory=list)
    entries: list[StateEntry] = field(default_factory=list)
    dispositions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(applied|duplicate|forwarded|parked|ignored|dead_lettered, reason or code) → records. Sums up to the
    records consumed (the accounting law of CONTRACT 4)."""
    events: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """What else happened, for telemetry: ("published" | "revised" | "withdrawn" | "revived", kind, modality,
    rule), ("warning", code), ("unpublished", code), ("parked_expired", code), ("merge_ignored",), ("purged",)
    of studies, ("frozen",) of what would have changed references of such (`core.purging`)."""
    settled: list[tuple[str, int]] = field(default_factory=list)
    """(rule, ms from the last instance to publication) of each series that was closed."""
