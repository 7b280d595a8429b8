"""Which references would change if what was sent in a time were folded anew, under these settings.

Rules of this file: what is read, in which order, and how far. Nothing is committed or published, no group is
joined. In this order, since the processor goes on meanwhile: how far the input goes; its records; then what
is published, and last the facts, which must not be older than what they tell of.

The intake is not read: all that is in it was made of input records, and the replay makes it again.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, NamedTuple

from processors.errors import Unavailable, UsageError
from processors.operations.facts import header, revision_of
from processors.operations.fingerprints import Fingerprints, top_level
from processors.operations.replay import Shadow
from processors.operations.replay_spool import CHANGES, Compared, Spool, Verdict
from processors.pipeline.records import OutputRecord, OutputTopic, Record
from processors.settings import Settings
from processors.stream.client import group_of
from processors.stream.group_lag import GroupLag
from processors.stream.offsets import Partition
from processors.stream.registries import writers_of
from processors.stream.scan import Scan, Span

Spans = dict[Partition, Span]
TOLD = CHANGES | {Verdict.OPEN, Verdict.NOT_COVERED}
PROGRESS_RECORDS = 1_000
"""Between two words on how far it came."""
Progress = Callable[[int, int], None]
"""Told how many records were done, and how many were found to be read, since the last call."""


class Difference(NamedTuple):
    """One reference that would change, or of which that cannot be said. Names of elements, no values."""

    change: str
    """A Verdict of TOLD."""
    reference_id: str
    kind: str
    modality: str
    study_uid: str
    series_uid: str
    elements: list[str]
    """Elements in which they differ, where there are two."""
    paths: list[str]
    """The same, in full."""


@dataclass(slots=True)
class Outcome:
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    records: int = 0
    """Input records of the range."""
    dispositions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How they, and those passed on between partitions, ended in the replay."""
    lag: int | None = 0
    """Offsets that the running group has not read yet; None: the broker does not say."""

    @property
    def changes(self) -> int:
        return sum(self.verdicts[each] for each in CHANGES)


class Range(NamedTuple):
    """What is replayed, and what lies before it and is still kept."""

    before: Spans
    spans: Spans
    from_ms: int
    until_ms: int
    now_ms: int


def replay_diff(
    settings: Settings,
    from_ms: int,
    to_ms: int | None,
    told: Callable[[Difference], None],
    progress: Progress = lambda *_: None,
) -> Outcome:
    """Tell each difference, study by study. Times are those of the broker's records, ms; without `to_ms` up
    to the last stable offsets of now.

    Raises UsageError for an empty time, Unavailable when no broker answers or a topic is missing, or
    the folder for temporary files is full: it takes the state of the range's studies, and some 600 bytes a
    reference.
    """
    now_ms = time.time_ns() // 1_000_000
    if from_ms >= min(to_ms or now_ms, now_ms):
        raise UsageError("--from must lie before --to, and before now")
    prints = Fingerprints()
    try:
        with (
            TemporaryDirectory(prefix="imaging-reference-replay-") as name,
            Scan(settings.kafka) as scan,
            closing(Spool(Path(name) / "references.sqlite", prints)) as spool,
        ):
            chosen = _range(scan, settings, from_ms, to_ms, now_ms)
            comparison = _Comparison(settings, scan, chosen, spool, progress)
            comparison.replay(Path(name))
            comparison.take_published()
            for difference in comparison.differences(prints):
                told(difference)
    except sqlite3.Error as failed:
        raise Unavailable(
            f"{gettempdir()}: {failed}: the replay needs more space, name another folder by TMPDIR"
        ) from failed
    comparison.outcome.lag = _lag(settings)
    return comparison.outcome


def _range(scan: Scan, settings: Settings, from_ms: int, to_ms: int | None, now_ms: int) -> Range:
    inputs = (settings.topics.instances, settings.topics.reports)
    kept, since = scan.extent(inputs), scan.extent(inputs, from_ms)
    ends = {place: end for place, (_, end) in kept.items()}
    if to_ms is not None:
        ends = {place: min(ends[place], first) for place, (first, _) in scan.extent(inputs, to_ms).items()}
    firsts = {place: min(since[place][0], ends[place]) for place in ends}
    return Range(
        {place: (kept[place][0], firsts[place]) for place in ends},
        {place: (firsts[place], ends[place]) for place in ends},
        from_ms,
        min(to_ms or now_ms, now_ms),
        now_ms,
    )


class _Comparison:
    """One replay, from its first record to the last difference."""

    def __init__(
        self, settings: Settings, scan: Scan, chosen: Range, spool: Spool, progress: Progress
    ) -> None:
        self._settings = settings
        self._scan = scan
        self._chosen = chosen
        self._spool = spool
        self._progress = progress
        self.outcome = Outcome()

    def replay(self, folder: Path) -> None:
        def take(outputs: list[OutputRecord], is_open: bool) -> None:
            self._spool.made((each for each in outputs if each.topic is OutputTopic.FHIR), is_open)

        chosen, partitions = self._chosen, self._scan.partitions[self._settings.topics.instances]
        with closing(Shadow(self._settings, partitions, folder, chosen.now_ms, take)) as shadow:
            shadow.fold_corrections(self._read(chosen.before))
            shadow.fold(self._of_the_range())
            self.outcome.dispositions.update(shadow.end())

    def take_published(self) -> None:
        topics, spool = self._settings.topics, self._spool
        for record in self._read(self._scan.extent([topics.fhir])):
            if record.key:
                headers = dict(record.headers or ())
                spool.published(record.key, record.value, headers, record.timestamp_ms)
        writers = writers_of(self._settings)
        for record in self._read(self._scan.extent([topics.analytics])):
            if 0 <= record.timestamp_ms < self._chosen.from_ms:  # so is all of its input
                spool.fact_before(header(record, "ce_subject"), header(record, "study_uid"))
            elif (revision := revision_of(record, writers)) is not None:
                spool.fact(revision.fact, self._chosen.spans)

    def differences(self, prints: Fingerprints) -> Iterator[Difference]:
        for verdict, row in self._spool.compared(self._chosen.until_ms):
            self.outcome.verdicts[verdict] += 1
            if verdict in TOLD:
                yield _difference(verdict, row, prints)

    def _of_the_range(self) -> Iterator[Record]:
        for record in self._read(self._chosen.spans):
            self.outcome.records += 1
            yield record

    def _read(self, spans: Spans) -> Iterator[Record]:
        self._progress(0, sum(max(0, end - first) for first, end in spans.values()))
        done = 0
        for record in self._scan.read(spans):
            yield record
            done += 1
            if done == PROGRESS_RECORDS:
                self._progress(done, 0)
                done = 0
        self._progress(done, 0)


def _difference(verdict: Verdict, row: Compared, prints: Fingerprints) -> Difference:
    paths: list[str] = []
    if row.made is not None and row.published is not None:
        paths = prints.differing(row.made, row.published)
    kind, modality, series = row.said.split("\t", 2)
    return Difference(
        verdict, row.reference_id, kind, modality, row.study_uid, series, top_level(paths), paths
    )


def as_mapping(difference: Difference) -> dict[str, Any]:
    return difference._asdict()


def _lag(settings: Settings) -> int | None:
    topics = settings.topics
    asked = (topics.instances, topics.reports, topics.intake)
    with closing(GroupLag(settings.kafka, group_of(settings.kafka), asked)) as lag:
        try:
            return sum((lag.ask() or {}).values())
        except Unavailable:  # also for want of Describe on the group
            return None
