"""An hour of arrivals, read as they came and read later with partitions that lag (CONTRACT 4).

A backlog closes each series as if the program had been there, or later along with more, never in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.core.corrections import AnyEvent
from processors.core.events import InstanceArrived, InstanceHeader, SeriesHeader, Stamp
from processors.core.policy import Policy
from processors.dicom import ReadingPolicy
from processors.pipeline.decode import Decoder
from processors.pipeline.memory import MemoryMember
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import OutputRecord, OutputTopic, Record
from processors.wire.json_text import load
from processors.wire.messages import pack, unpack
from tests.property.events import CT, PARTITIONS, SERIES, STUDIES
from tests.property.runs import NOW_MS, latest, member

TOPICS = ("dicom-instances", "dicom-reports")
HOUR_MS = 3_600_000
Place = tuple[str, int]
Shown = dict[str, list[frozenset[str]]]
"""Series UID → the instances of each revision."""


class PackedDecoder(Decoder):
    """Reads core events as the intake topic holds them, from any topic."""

    def __init__(self) -> None:
        super().__init__(ReadingPolicy())

    def decode(self, record: Record, now_ms: int) -> AnyEvent:
        assert record.value is not None
        kind, _, body = record.value.partition(b" ")
        return unpack(kind.decode(), body)


class Arrival(NamedTuple):
    at_ms: int
    topic: str
    study: str
    series: str
    sop: int


@st.composite
def hours(draw: st.DrawFn) -> list[Arrival]:
    """Bursts of a series, seconds apart, some of it on another topic, minutes of silence between."""
    arrivals = []
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, 60)) * 60_000
        study, series = draw(st.sampled_from(STUDIES)), draw(st.sampled_from(SERIES))
        for gap in draw(st.lists(st.integers(0, 12), min_size=1, max_size=4)):
            start += gap * 1000
            topic, sop = draw(st.sampled_from(TOPICS)), draw(st.integers(0, 20))
            arrivals.append(Arrival(start, topic, study, series, sop))
    return sorted(arrivals)


def logs(arrivals: list[Arrival]) -> dict[Place, list[Record]]:
    """The records of each partition, keyed right."""
    found: dict[Place, list[Record]] = {(t, p): [] for t in TOPICS for p in range(PARTITIONS)}
    for n, (at_ms, topic, study, series, sop) in enumerate(arrivals):
        stamp = Stamp((NOW_MS + at_ms) * 1000, False, "PACS_A", str(n), b"12345678")
        event = InstanceArrived(
            study, series, f"3.{sop}", stamp, InstanceHeader(CT, sop), SeriesHeader("CT", patient_id="P1")
        )
        kind, body = pack(event)
        log = found[topic, home_of(study, PARTITIONS)]
        place = (topic, home_of(study, PARTITIONS))
        log.append(Record(*place, len(log), NOW_MS + at_ms, None, f"{kind} ".encode() + body))
    return found


def shown(outputs: list[OutputRecord]) -> Shown:
    found: Shown = defaultdict(list)
    for output in outputs:
        if output.topic is OutputTopic.FHIR:
            resource = load(output.value or b"")
            uid = f"{resource['studyUid']}|{resource['seriesUid']}"
            found[uid].append(frozenset(i["uid"] for i in resource["instance"]))
    return found


def tick(one: MemoryMember, now_ms: int, behind: Iterable[Place] = ()) -> list[OutputRecord]:
    for topic in TOPICS:
        for partition in range(PARTITIONS):
            one.pipeline.frontier(topic, partition, (topic, partition) not in behind)
    return one.tick(now_ms)


def live(arrivals: list[Arrival]) -> list[OutputRecord]:
    """Every record read as it comes, every clock ended when it runs out."""
    one = member(Policy(), PackedDecoder())
    outputs: list[OutputRecord] = []
    records = sorted((r for log in logs(arrivals).values() for r in log), key=lambda r: r.timestamp_ms)
    for record in [*records, None]:
        now_ms = record.timestamp_ms if record else NOW_MS + 2 * HOUR_MS
        while (due_ms := one.pipeline.next_due_ms()) is not None and due_ms <= now_ms:
            outputs += tick(one, due_ms)
        outputs += one.feed([record], now_ms) if record else []
    return outputs


def backlog(arrivals: list[Arrival], turns: Iterator[tuple[Place, int, bool]]) -> list[OutputRecord]:
    """Partitions are read in turns of so many records, perhaps after a restart, an hour later."""
    one = member(Policy(), PackedDecoder())
    outputs: list[OutputRecord] = []
    unread, now_ms = logs(arrivals), NOW_MS + HOUR_MS + 60_000
    while any(unread.values()):
        behind = {place for place, log in unread.items() if log}
        outputs += tick(one, now_ms, behind)
        place, count, restarts = next(turns)
        if restarts:
            one.restart()
            tick(one, now_ms, set(unread))
        now_ms += 100
        outputs += one.feed(unread[place][:count], now_ms)
        del unread[place][:count]
    return outputs + tick(one, now_ms + HOUR_MS) + one.run_out(now_ms + HOUR_MS)


turns = st.tuples(
    st.tuples(st.sampled_from(TOPICS), st.integers(0, PARTITIONS - 1)), st.integers(1, 9), st.booleans()
)


@settings(max_examples=200, deadline=None)
@given(hours(), st.lists(turns, max_size=30))
def test_a_backlog_shows_nothing_that_was_not_shown_at_the_time(
    arrivals: list[Arrival], chosen: list[tuple[Place, int, bool]]
) -> None:
    def in_turn() -> Iterator[tuple[Place, int, bool]]:
        yield from chosen
        while True:
            for topic in TOPICS:
                for partition in range(PARTITIONS):
                    yield (topic, partition), 5, False

    then, later = live(arrivals), backlog(arrivals, in_turn())
    assert latest(later) == latest(then)
    shown_then = shown(then)
    for uid, revisions in shown(later).items():
        assert [r for r in revisions if r not in shown_then[uid]] == []
        assert len(revisions) <= len(shown_then[uid])
