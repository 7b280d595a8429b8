"""A hospital's year through the whole topology under a virtual clock: which closings were early, which late.

*early*: closed by a rule, amended later, since images were still to come. *avoidable* of those: the longest
gap between two images of the series was shorter than the hard stop, so that a longer quiet time would have
held it together. *late*: published whole more than a second after the last image came, as an oracle would
not; how much later is `wait_s`.

Rules of this file: time is a number that comes from the arrivals; batches, clocks and commits are those of
`stream.loop`: a turn each commit interval, the frontier asked for before each tick.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from processors.avro.facts import decode_fact
from processors.core.completeness import Rule
from processors.core.reference import Kind
from processors.pipeline.building import pipeline_of
from processors.pipeline.records import OutputTopic, Record, Step
from processors.settings import Settings
from processors.settings.sections import Completeness
from processors.stream.runner import calm_collector
from processors.stream.store import SqliteStore
from tests.bench import hospital as h
from tests.bench.arrivals import DAY_MS, HOUR_MS, START_MS, Arrival, Series, Year

TURN_MS = Settings().state.commit_interval_ms
BATCH = Settings().state.batch_records
LATE_MS = 1_000
"""A turn, a commit and a reader's poll; more is waiting."""
QUIET_S = (2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
AWAY = dict.fromkeys(range(1, h.DAYS, h.RESTART_DAYS), (12 * HOUR_MS, 12 * HOUR_MS + h.RESTART_S * 1000))
AWAY[h.OUTAGE_DAY] = (0, round(h.OUTAGE_H * HOUR_MS))
"""Day → the processor is away (from, until), ms of the day: updated at noon, and once down for a night."""
CLOCKS = (Rule.QUIET, Rule.HARD_STOP)
BESIDE = "(event)"
"""A published series is published anew at once when something else is said of it, with the images there
are."""
_TOPIC = "instances"


@dataclass(slots=True)
class Tally:
    """Of one rule and modality."""

    closings: int = 0
    split: set[str] = field(default_factory=set)
    """Series with an avoidable closing."""
    early: int = 0
    avoidable: int = 0
    late: int = 0
    waits_s: list[float] = field(default_factory=list)
    """Of whole publications: from the last image to the reader."""

    def wait_s(self, share: float) -> float:
        return sorted(self.waits_s)[int(share * (len(self.waits_s) - 1))] if self.waits_s else 0.0

    def add(self, other: Tally) -> None:
        self.closings += other.closings
        self.split |= other.split
        self.early += other.early
        self.avoidable += other.avoidable
        self.late += other.late
        self.waits_s += other.waits_s


Tallies = dict[tuple[str, str], Tally]
"""(rule, modality) → what came of it."""


class Lived(NamedTuple):
    quiet_s: float
    tallies: Tallies
    series: Counter[str]
    """By modality."""
    images: int
    """Distinct."""
    records: int
    written: Counter[str]
    """Topic → bytes of keys and values, uncompressed; `changelog records`."""
    lost: int
    """Series whose last revision is not whole. Anything but 0 is a fault."""


def live(quiet_s: float, seed: int, scale: float, days: int = h.DAYS) -> Lived:
    """One year under one quiet time; the hard stop is the default."""
    year = Year(seed, scale, days)
    with tempfile.TemporaryDirectory() as folder:
        member = _Member(quiet_s, Path(folder), year.opened)
        for arrivals in year.days():
            member.take(arrivals)
        member.rest()
        series = Counter(each.modality for each in year.opened.values())
        images = sum(each.total for each in year.opened.values())
        lost = series.total() - member.whole
        return Lived(quiet_s, member.tallies, series, images, member.offset, member.written, lost)


class _Member:
    def __init__(self, quiet_s: float, folder: Path, truth: dict[str, Series]) -> None:
        settings = Settings(completeness=Completeness(quiet_s=quiet_s))
        self._hard_stop_ms = settings.completeness.hard_stop_s * 1000
        self._pipeline = pipeline_of(settings, 1)
        self._store = SqliteStore(folder / "home.sqlite", "year")
        self._pipeline.assign(0, self._store)
        self._truth = truth
        self.tallies: Tallies = defaultdict(Tally)
        self.offset = self._committed = 0
        self.written = Counter[str]()
        self._seen: dict[str, int] = {}
        """Series UID → images in its last revision."""

    @property
    def whole(self) -> int:
        return sum(count == self._truth[uid].total for uid, count in self._seen.items())

    def take(self, arrivals: Iterable[Arrival]) -> None:
        for now_ms, turn in groupby(arrivals, lambda arrival: _turn(arrival.at_ms)):
            self._rest_until(now_ms)
            records = list(self._records(turn))
            for start in range(0, len(records), BATCH):
                self._collect(self._pipeline.process(records[start : start + BATCH], now_ms), now_ms)
            self._rest_until(now_ms + 1)
            self._commit(BATCH)

    def rest(self) -> None:
        """Nothing more comes; clocks run out."""
        self._rest_until(1 << 62)
        self._store.close()

    def _rest_until(self, end_ms: int) -> None:
        while (due := self._pipeline.next_due_ms()) is not None and (now_ms := _turn(due)) < end_ms:
            self._pipeline.frontier(_TOPIC, 0, caught_up=True)
            self._collect(self._pipeline.tick(now_ms), now_ms)

    def _records(self, arrivals: Iterable[Arrival]) -> Iterator[Record]:
        for arrival in arrivals:
            key = arrival.series.study.encode()
            yield Record(_TOPIC, 0, self.offset, arrival.at_ms, key, arrival.value())
            self.offset += 1

    def _collect(self, step: Step, now_ms: int) -> None:
        self.written["changelog records"] += len(step.entries)
        self.written["changelog"] += sum(len(each.key) + len(each.value or b"") for each in step.entries)
        for output in step.outputs:
            self.written[output.topic] += len(output.key or b"") + len(output.value or b"")
            if output.topic is OutputTopic.ANALYTICS:
                self._judge(decode_fact(output.value or b""), now_ms)
            else:
                assert output.topic is OutputTopic.FHIR, output

    def _commit(self, most: int) -> None:
        """Once so many records were folded: when it happens changes nothing of what is published."""
        if self.offset >= self._committed + most:
            self._store.commit(self.offset)
            self._pipeline.committed()
            self._committed = self.offset

    def _judge(self, fact: dict[str, object], now_ms: int) -> None:
        assert fact["kind"] == Kind.SERIES
        series = self._truth[str(fact["series_instance_uid"])]
        count = fact["instance_count"]
        assert isinstance(count, int)
        self._seen[series.uid] = count
        tally = self.tallies[str(fact["closed_by"] or BESIDE), series.modality]
        tally.closings += 1
        if count < series.total:
            tally.early += 1
            if series.gap_ms < self._hard_stop_ms:
                tally.avoidable += 1
                tally.split.add(series.uid)
        elif fact["added"]:
            tally.late += now_ms - series.last_ms > LATE_MS
            tally.waits_s.append((now_ms - series.last_ms) / 1000)


def _turn(at_ms: int) -> int:
    """When the member's loop deals with what happens at a time: at its next turn, or when it is back."""
    turn_ms = -(-at_ms // TURN_MS) * TURN_MS
    day, since_ms = divmod(turn_ms - START_MS, DAY_MS)
    begin, until = AWAY.get(day, (0, 0))
    return turn_ms - since_ms + until if begin <= since_ms < until else turn_ms


# ---- the report ------------------------------------------------------------------------------------------


def report(seed: int, scale: float, quiet_s: Sequence[float] = QUIET_S, days: int = h.DAYS) -> Iterator[str]:
    """Each quiet time's year by rule and modality, then all beside each other."""
    years = []
    with ProcessPoolExecutor(initializer=calm_collector) as pool:  # a year each, from the same seed
        count = len(quiet_s)
        for lived in pool.map(live, quiet_s, [seed] * count, [scale] * count, [days] * count):
            years.append(lived)
            yield from detail_lines(lived)
            yield ""
    yield f"one in {1 / scale:g} studies of {days} days, seed {seed}:"
    yield from summary_lines(years, scale * days)


def detail_lines(lived: Lived) -> Iterator[str]:
    """By rule and modality."""
    yield (
        f"quiet_s {lived.quiet_s:g}: {lived.series.total()} series of {lived.images} images, "
        f"{lived.records} records, {lived.lost} not whole at the end"
    )
    written = {what: count / lived.images for what, count in sorted(lived.written.items())}
    yield "an image: " + ", ".join(f"{what} {each:.2f}" for what, each in written.items())
    yield "rule       modality  closings   early        avoidable  late         wait_s p50     p99"
    for (rule, modality), tally in sorted(lived.tallies.items()):
        yield (
            f"{rule:10} {modality:8} {tally.closings:9}   {_of(tally.early, tally):12} {tally.avoidable:9}  "
            f"{_of(tally.late, tally):12} {tally.wait_s(0.5):10.1f} {tally.wait_s(0.99):7.1f}"
        )


def summary_lines(years: Sequence[Lived], days: float) -> Iterator[str]:
    """A Markdown table: quiet times beside each other. `days`: of the whole hospital that the sample stands
    for.
    """
    yield "| `quiet_s` | " + " | ".join(f"{lived.quiet_s:g}" for lived in years) + " |"
    yield "|---|" + "---|" * len(years)
    for modality in ("", *(kind.modality for kind in h.KINDS)):
        shares = [f"{_split(lived, modality):.1%}" for lived in years]
        yield f"| {modality or 'all'}: series split | {' | '.join(shares)} |"
    tallies = [of_clocks(lived) for lived in years]
    saved = [f"{each.avoidable / days:.0f}" for each in tallies]
    yield f"| revisions a day that waiting saves | {' | '.join(saved)} |"
    beyond = [f"{(each.early - each.avoidable) / days:.0f}" for each in tallies]
    yield f"| revisions a day that no waiting saves | {' | '.join(beyond)} |"
    waits = [f"{each.wait_s(0.5):.1f} / {each.wait_s(0.99):.1f}" for each in tallies]
    yield f"| last image to reader, p50 / p99 s | {' | '.join(waits)} |"


def of_clocks(lived: Lived, modality: str = "") -> Tally:
    """What the clocks closed, of one modality or all."""
    total = Tally()
    for (rule, of), tally in lived.tallies.items():
        if rule in CLOCKS and modality in ("", of):
            total.add(tally)
    return total


def _split(lived: Lived, modality: str) -> float:
    """Share of all series that a clock closed too early, and a longer one would not have."""
    of = lived.series[modality] if modality else lived.series.total()
    return len(of_clocks(lived, modality).split) / max(1, of)


def _of(count: int, tally: Tally) -> str:
    return f"{count} ({count / tally.closings:.1%})"
