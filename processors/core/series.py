"""What is known of one series: its instances, its header facts and its clock.

Rules of this file: state and its merge, pure; no evaluation (that is `core.references`), no encoding
(`wire.state`).

The merge is commutative, associative and idempotent for the reasons given in `core.instances`; headers are
kept in layers, each under the highest stamp that said it. What is *not* part of the merge is operational:
positions, clocks, counters, and the ledger of what was published.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from processors.core.events import InstanceArrived, SeriesHeader, Stamp
from processors.core.instances import NEVER, NO_COPY, InstanceState
from processors.core.layers import resolved_header, winning_layers

CHUNK = 64
"""Instances an entry of state holds. An arrival rewrites its chunk: larger chunks write more per arrival,
smaller ones cost more entries at restore."""


class Published(NamedTuple):
    """The ledger's line for one reference: what readers last got."""

    revision: int
    content_hash: bytes
    """SHA-256 of the content less version and time."""
    withdrawn: str = ""
    members: dict[str, int] = {}  # noqa: RUF012 - NamedTuple defaults are shared, and never changed here
    """SOP UID → CRC-32 of its rendered entry; empty for a series, which counts by position."""
    modality: str = ""
    """What is left to say of a reference once it is erased; of a document's, also its kind and its series."""
    kind: str = ""
    series_instance_uid: str = ""


class Seen:
    """What documents saw of a series when they last looked at it; nothing since it was read into memory."""

    __slots__ = ("changed", "header", "upto")

    def __init__(self) -> None:
        self.header: SeriesHeader | None = None
        """What it said of itself; None: they did not look yet."""
        self.upto = 0
        """They saw the positions below; …"""
        self.changed: set[int] = set()
        """… these have changed since."""


class SeriesState:
    __slots__ = (
        "base",
        "by_documents",
        "changed",
        "completed",
        "dirty_chunks",
        "dirty_said",
        "due_at_ms",
        "duplicates",
        "expected",
        "first_ms",
        "hard_stop",
        "headers",
        "hidden",
        "inputs",
        "instances",
        "last_ms",
        "order",
        "published",
        "published_upto",
        "said",
        "seen",
        "series_instance_uid",
        "touched",
        "traceparent",
        "volumes",
        "warnings",
    )

    def __init__(self, series_instance_uid: str) -> None:
        self.series_instance_uid = series_instance_uid
        self.instances: dict[str, InstanceState] = {}
        self.order: list[InstanceState] = []
        """By position: `order[i].position == i`; chunk n holds positions n * CHUNK and on."""
        self.headers: dict[SeriesHeader, Stamp] = {}
        self.base: SeriesHeader | None = None
        """What every instance said that is not in `said`; None: all said the one header there is."""
        self.said: dict[str, dict[SeriesHeader, Stamp]] = {}
        """SOP UID → what its arrivals said of the series, if not the base alone; `dirty_said`: its chunks."""
        self.expected: tuple[Stamp, int] | None = None
        self.completed: Stamp | None = None
        self.seen = 0
        """Distinct instances that arrived, gone ones included."""
        # -- operational: not part of the merge
        self.first_ms: int | None = None
        self.last_ms = NEVER
        """Input times of the first instance not yet published (None: closed) and of the last new one."""
        self.due_at_ms: int | None = None
        self.hard_stop = False
        """It is the hard stop that is due, not the quiet time."""
        self.published: Published | None = None
        self.volumes: dict[str, Published] = {}
        """Reference id → what was published of one of its volumes, see `core.volumes`."""
        self.published_upto = 0
        """Positions below were judged at the last publication …"""
        self.hidden: set[int] = set()
        """… and these of them were left out, …"""
        self.changed: set[int] = set()
        """… and these have changed since."""
        self.duplicates = 0
        self.warnings: set[str] = set()
        self.inputs: dict[tuple[str, int], tuple[int, int]] = {}
        """(topic, partition) → first and last offset."""
        self.traceparent = b""
        """W3C trace context of the latest input that had one."""
        self.by_documents = Seen()
        self.touched = False
        self.dirty_chunks: set[int] = set()
        self.dirty_said: set[int] = set()

    def put(self, instance: InstanceState) -> None:
        """Keep an instance, a new one or another state of a known one."""
        self.instances[instance.sop_instance_uid] = instance
        if instance.position == len(self.order):
            self.order.append(instance)
        else:
            self.order[instance.position] = instance
            self.by_documents.changed.add(instance.position)
        self.touch(instance.position)

    def touch(self, position: int) -> None:
        self.touched = True
        self.dirty_chunks.add(position // CHUNK)

    def known(self, sop_instance_uid: str) -> InstanceState:
        """The instance, or one at the next position that was never heard of."""
        known = self.instances.get(sop_instance_uid)
        return known or InstanceState(sop_instance_uid, position=len(self.order))

    def note_said(self, event: InstanceArrived, known: InstanceState | None) -> bool:
        """Whose word a header is: needed once an instance is erased and its word counts no longer.

        True if that is news. `known`: the instance before this arrival.
        """
        own = self.said.get(event.sop_instance_uid)
        if own is None:
            if event.header == self.base:
                return False
            stamp = known.stamp if known is not None else None
            own = {self.base: stamp} if self.base is not None and stamp is not None else {}
            self.said[event.sop_instance_uid] = own
        said = own.get(event.header)
        if said is None or event.stamp > said:
            own[event.header] = event.stamp
            return True
        return False

    def expect(self, stamp: Stamp, expected: int) -> bool:
        """Fold an expected count; True if another number holds now."""
        before = self.expected_count
        self.expected = max(self.expected or (stamp, expected), (stamp, expected))
        self.touched = True
        return self.expected_count != before

    def news(self) -> tuple[list[InstanceState], bool]:
        """Instances that are new or another since this was asked last; all, and True, if what they say of the
        series is.
        """
        header, seen = resolved_header(self.headers) if self.headers else SeriesHeader(), self.by_documents
        is_other = header != seen.header
        start = 0 if is_other else seen.upto
        changed = sorted(position for position in seen.changed if position < start)
        seen.header, seen.upto = header, len(self.order)
        seen.changed.clear()
        return [*(self.order[n] for n in changed), *self.order[start:]], is_other

    @property
    def expected_count(self) -> int | None:
        return self.expected[1] if self.expected else None


class Arrival(NamedTuple):
    """What an arrival did to its series."""

    new: bool
    """A path not seen before, or one that came back: it moves the quiet clock."""
    changed: bool
    """What a reference shows may differ now."""
    conflict: bool
    """Another content under the same path."""
    restated: bool = False
    """Nothing new but who said it or when, on which subject, order and endpoints may depend."""


class InstanceDeletion(NamedTuple):
    """What a deletion did to its series."""

    news: bool
    known: bool
    """The instance had arrived."""
    changed: bool
    """What a reference shows may differ now."""


NEW = Arrival(True, True, False)
REPEATED = Arrival(False, False, False)


def arrive(series: SeriesState, event: InstanceArrived) -> Arrival:
    """Fold an arrival; constant cost whatever the series' size."""
    known = series.instances.get(event.sop_instance_uid)
    said = say_header(series, event.header, event.stamp)
    if series.base is not None and series.note_said(event, known):
        position = known.position if known is not None else len(series.order)
        series.dirty_said.add(position // CHUNK)
        series.touched = True
    if event.expected is not None and series.expect(event.stamp, event.expected):
        said = Said.NEWS
    if not series.warnings.issuperset(event.warnings):
        series.warnings.update(event.warnings)
        series.touched = True
    if known is None:
        series.put(series.known(event.sop_instance_uid).arrived(event)[0])
        series.seen += 1
        return NEW
    return _arrive_again(series, known, event, said)


def _arrive_again(series: SeriesState, before: InstanceState, event: InstanceArrived, said: Said) -> Arrival:
    if said is Said.NOTHING and before.repeats(event):
        return REPEATED
    after, conflict = before.arrived(event)
    first_time = before.stamp is None
    series.seen += first_time
    if after != before:
        series.put(after)
    shows = after.shown != before.shown
    if shows:
        series.changed.add(after.position)
        series.touched = True
    source = event.stamp.source
    new = first_time or (after.live and not before.live)
    held = before.copies.get(source, NO_COPY).live
    restated = said is Said.LATER or after.copies[source].live != held
    changed = said is Said.NEWS or shows
    if not (new or changed or conflict or restated):
        return REPEATED
    return Arrival(new, changed, conflict, restated)


def delete(series: SeriesState, sop_instance_uid: str, stamp: Stamp) -> InstanceDeletion:
    """Fold a deletion of one source's copy."""
    before = series.known(sop_instance_uid)
    after = before.deleted(stamp)
    known, held = before.copies.get(stamp.source), after.copies[stamp.source]
    if held != known:
        series.put(after)
    live = known is not None and known.live
    changed = (before.live, before.issued_us, live) != (after.live, after.issued_us, held.live)
    if changed:
        series.changed.add(after.position)
    return InstanceDeletion(held != known, before.stamp is not None, changed)


class Said(Enum):
    NOTHING = 0
    LATER = 1
    """The only header again, under a higher stamp: it may now win over those of other series."""
    NEWS = 2
    """The resolved header may have changed."""


def say_header(series: SeriesState, header: SeriesHeader, stamp: Stamp) -> Said:
    """Fold what an arrival says of the series."""
    headers = series.headers
    said = headers.get(header)
    if said is not None and stamp <= said:
        return Said.NOTHING
    if said is None and headers and series.base is None:
        series.base = next(iter(headers))
    headers[header] = stamp
    series.touched = True
    if len(headers) == 1:
        return Said.NEWS if said is None else Said.LATER
    series.headers = winning_layers(headers)
    return Said.NEWS
