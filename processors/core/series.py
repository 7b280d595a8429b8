"""What is known of one series: its instances, each source's copies of them, its header facts and its clock.

Rules of this file: state and its merge, pure; no evaluation (that is `core.references`), no encoding
(`wire.state`).

The merge is commutative, associative and idempotent because everything kept is one of
  a set              arrival times of a source's copy that are later than its last deletion
  a maximum          the last deletion, the latest arrival, the stamp under which a header was last said
  a minimum          the first arrival
and what loses for good is dropped only when nothing still to come could make it win. What is *not* part of
the merge is operational: positions, clocks, counters, and the ledger of what was published.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from processors.core.events import InstanceArrived, InstanceHeader, SeriesHeader, Stamp
from processors.core.series_headers import EMPTY, winning_layers

CHUNK = 64
"""Instances an entry of state holds. An arrival rewrites its chunk: larger chunks write more per arrival,
smaller ones cost more entries at restore."""

NEVER = -(2**62)
"""Earlier than any time in microseconds or milliseconds."""


class Copy(NamedTuple):
    """One source's copy of an instance; times in µs UTC, sorted, all later than `deleted_at_us`."""

    dated: tuple[int, ...] = ()
    undated: tuple[int, ...] = ()
    deleted_at_us: int = NEVER
    past: tuple[int, ...] = ()
    """Dated arrivals that the deletion ended: the earliest is what a withdrawn series shows."""

    @property
    def live(self) -> bool:
        return bool(self.dated or self.undated)

    def arrived(self, at_us: int, dated: bool) -> Copy:
        """With one more arrival; removal wins over arrival at the same time."""
        if at_us <= self.deleted_at_us:
            gone = dated and at_us not in self.past
            return self._replace(past=tuple(sorted((*self.past, at_us)))) if gone else self
        if dated:
            return self if at_us in self.dated else self._replace(dated=tuple(sorted((*self.dated, at_us))))
        return self if at_us in self.undated else self._replace(undated=tuple(sorted((*self.undated, at_us))))

    def deleted(self, at_us: int) -> Copy:
        if at_us <= self.deleted_at_us:
            return self
        return Copy(
            tuple(t for t in self.dated if t > at_us),
            tuple(t for t in self.undated if t > at_us),
            at_us,
            (*self.past, *(t for t in self.dated if t <= at_us)),
        )


class InstanceState:
    """One SOP Instance of one series."""

    __slots__ = (
        "copies",
        "first_arrival_us",
        "header",
        "issued_us",
        "latest_arrival_us",
        "layers",
        "live",
        "position",
        "sop_instance_uid",
        "stamp",
    )

    def __init__(self, sop_instance_uid: str, position: int) -> None:
        self.sop_instance_uid = sop_instance_uid
        self.position = position
        self.header = InstanceHeader()
        self.stamp: Stamp | None = None
        """Of the header; None: never arrived (known from a deletion only)."""
        self.layers: dict[InstanceHeader, Stamp] | None = None
        """All headers still in play, when there is more than one."""
        self.copies: dict[str, Copy] = {}
        self.first_arrival_us: int | None = None
        """Earliest dated arrival ever: what a withdrawn series shows."""
        self.latest_arrival_us = NEVER
        self.live = False
        """Some source that announced it has not deleted its copy. Follows from `copies`, as the next does."""
        self.issued_us: int | None = None
        """Earliest dated arrival among live copies, each since its own last deletion."""

    def hold(self, source: str, copy: Copy) -> None:
        """Put a source's copy."""
        self.copies[source] = copy
        self.live = any(each.live for each in self.copies.values())
        self.issued_us = min((each.dated[0] for each in self.copies.values() if each.dated), default=None)

    def say(self, header: InstanceHeader, stamp: Stamp) -> bool:
        """Fold a header; True if another header was said of the same path (a content conflict)."""
        if self.stamp is None:
            self.header, self.stamp = header, stamp
            return False
        if header == self.header and self.layers is None:
            self.stamp = max(self.stamp, stamp)
            return False
        layers = dict(self.layers or {self.header: self.stamp})
        conflict = header not in layers
        layers[header] = max(layers.get(header, stamp), stamp)
        self.header, self.layers = _layered(layers)
        self.stamp = max(layers.values())
        return conflict


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


class SeriesState:
    __slots__ = (
        "base",
        "changed",
        "completed",
        "dirty_chunks",
        "dirty_said",
        "due_at_ms",
        "duplicates",
        "expected",
        "first_at_us",
        "first_ms",
        "hard_stop",
        "headers",
        "hidden",
        "inputs",
        "instances",
        "last_at_us",
        "last_ms",
        "order",
        "published",
        "published_upto",
        "said",
        "seen",
        "series_instance_uid",
        "touched",
        "traceparent",
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
        """Input time of the first instance that is not yet published; None: closed."""
        self.last_ms = NEVER
        """Input time of the last new instance."""
        self.due_at_ms: int | None = None
        self.hard_stop = False
        """It is the hard stop that is due, not the quiet time."""
        self.published: Published | None = None
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
        self.first_at_us: int | None = None
        self.last_at_us: int | None = None
        self.traceparent = b""
        """W3C trace context of the latest input that had one."""
        self.touched = False
        self.dirty_chunks: set[int] = set()
        self.dirty_said: set[int] = set()

    def instance(self, sop_instance_uid: str) -> InstanceState:
        """The instance's state, made if there is none."""
        found = self.instances.get(sop_instance_uid)
        if found is None:
            found = InstanceState(sop_instance_uid, len(self.order))
            self.instances[sop_instance_uid] = found
            self.order.append(found)
        return found

    def touch(self, instance: InstanceState) -> None:
        self.touched = True
        self.dirty_chunks.add(instance.position // CHUNK)

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


NEW = Arrival(True, True, False)
REPEATED = Arrival(False, False, False)


def arrive(series: SeriesState, event: InstanceArrived) -> Arrival:
    """Fold an arrival; constant cost whatever the series' size."""
    sop_instance_uid, stamp, dated = event.sop_instance_uid, event.stamp, event.dated
    instance = series.instances.get(sop_instance_uid)
    said = _say_header(series, event.header, stamp)
    if series.base is not None and series.note_said(event, instance):
        series.dirty_said.add((instance.position if instance is not None else len(series.order)) // CHUNK)
        series.touched = True
    at_us = stamp.occurred_at_us
    if event.expected is not None and series.expect(stamp, event.expected):
        said = _Said.NEWS
    if not series.warnings.issuperset(event.warnings):
        series.warnings.update(event.warnings)
        series.touched = True
    if instance is None:
        position = len(series.order)
        instance = InstanceState(sop_instance_uid, position)
        series.instances[sop_instance_uid] = instance
        series.order.append(instance)
        instance.header, instance.stamp = event.instance, stamp
        if dated:
            instance.copies[stamp.source] = Copy((at_us,))
            instance.first_arrival_us = instance.issued_us = at_us
            _seen_at(series, at_us)
        else:
            instance.copies[stamp.source] = Copy((), (at_us,))
        instance.latest_arrival_us = at_us
        instance.live = True
        series.seen += 1
        series.touched = True
        series.dirty_chunks.add(position // CHUNK)
        return NEW
    return _arrive_again(series, instance, event, said)


def _arrive_again(
    series: SeriesState, instance: InstanceState, event: InstanceArrived, said: _Said
) -> Arrival:
    stamp, at_us = event.stamp, event.stamp.occurred_at_us
    before = (instance.live, instance.issued_us, instance.header, instance.first_arrival_us)
    copy = instance.copies.get(stamp.source, Copy())
    known = (instance.stamp, instance.latest_arrival_us, copy, instance.layers)
    first_time = instance.stamp is None
    conflict = instance.say(event.instance, stamp)
    instance.hold(stamp.source, copy.arrived(at_us, event.dated))
    instance.latest_arrival_us = max(instance.latest_arrival_us, at_us)
    if event.dated and (instance.first_arrival_us is None or at_us < instance.first_arrival_us):
        instance.first_arrival_us = at_us
    series.seen += first_time
    after = (instance.live, instance.issued_us, instance.header, instance.first_arrival_us)
    held = instance.copies[stamp.source]
    if before != after or known != (instance.stamp, instance.latest_arrival_us, held, instance.layers):
        series.touch(instance)
        if event.dated:
            _seen_at(series, at_us)
    if before != after:
        series.changed.add(instance.position)
        series.touched = True
    new = first_time or (after[0] and not before[0])
    restated = said is _Said.LATER or held.live != copy.live
    changed = said is _Said.NEWS or before != after
    if not (new or changed or conflict or restated):
        return REPEATED
    return Arrival(new, changed, conflict, restated)


def delete(series: SeriesState, sop_instance_uid: str, stamp: Stamp) -> tuple[bool, bool]:
    """Fold a deletion of one source's copy; (was it known from an arrival, may a reference differ now)."""
    instance = series.instance(sop_instance_uid)
    copy = instance.copies.get(stamp.source, Copy())
    before = (instance.live, instance.issued_us, copy.live)
    instance.hold(stamp.source, copy.deleted(stamp.occurred_at_us))
    held = instance.copies[stamp.source]
    if held != copy:
        series.touch(instance)
    changed = before != (instance.live, instance.issued_us, held.live)
    if changed:
        series.changed.add(instance.position)
    return instance.stamp is not None, changed


class _Said(Enum):
    NOTHING = 0
    LATER = 1
    """The only header again, under a higher stamp: it may now win over those of other series."""
    NEWS = 2
    """The resolved header may have changed."""


def _say_header(series: SeriesState, header: SeriesHeader, stamp: Stamp) -> _Said:
    """Fold a header tuple."""
    headers = series.headers
    said = headers.get(header)
    if said is not None and stamp <= said:
        return _Said.NOTHING
    if said is None and headers and series.base is None:
        series.base = next(iter(headers))
    headers[header] = stamp
    series.touched = True
    if len(headers) == 1:
        return _Said.NEWS if said is None else _Said.LATER
    series.headers = winning_layers(headers)
    return _Said.NEWS


def _layered(
    layers: dict[InstanceHeader, Stamp],
) -> tuple[InstanceHeader, dict[InstanceHeader, Stamp] | None]:
    """The resolved instance header, and the layers that still give it a value (None: a single one)."""
    ranked = sorted(layers, key=layers.__getitem__, reverse=True)
    resolved = InstanceHeader(
        *(next((v for v in c if v not in EMPTY), c[0]) for c in zip(*ranked, strict=True))
    )
    kept: dict[InstanceHeader, Stamp] = {}
    unsaid = set(range(len(InstanceHeader._fields)))
    for header in ranked:
        gives = {i for i in unsaid if header[i] not in EMPTY}
        if gives or not kept:
            kept[header] = layers[header]
            unsaid -= gives
    return resolved, (kept if len(kept) > 1 else None)


def _seen_at(series: SeriesState, at_us: int) -> None:
    if series.first_at_us is None or at_us < series.first_at_us:
        series.first_at_us = at_us
    if series.last_at_us is None or at_us > series.last_at_us:
        series.last_at_us = at_us
