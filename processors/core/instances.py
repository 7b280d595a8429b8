"""What is known of one SOP Instance: its header, and each source's copy of it.

Rules of this file: immutable values and their merge, pure; which series they are of is `core.series`' part.

The merge is commutative, associative and idempotent because everything kept is one of
  a set              arrival times of a source's copy, and those that its last deletion ended
  a maximum          the last deletion, the latest arrival, the stamp under which a header was last said
  a minimum          the first arrival
and what loses for good is dropped only when nothing still to come could make it win.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from processors.core.events import InstanceArrived, InstanceHeader, Stamp
from processors.core.layers import resolved_instance, winning_layers

NEVER = -(2**62)
"""Earlier than any time in microseconds or milliseconds."""


class Copy(NamedTuple):
    """One source's copy of an instance; times in µs UTC, sorted, all later than `deleted_at_us`."""

    dated: tuple[int, ...] = ()
    undated: tuple[int, ...] = ()
    deleted_at_us: int = NEVER
    past: tuple[int, ...] = ()
    """Dated arrivals that the deletion ended: the earliest is what a withdrawn series shows."""
    past_undated: tuple[int, ...] = ()
    earlier: tuple[int, ...] = ()
    """Deletions before the last one. They matter, as does what they ended, where the last one came after the
    instance had been given another UID (`core.moved_series`)."""

    @property
    def live(self) -> bool:
        return bool(self.dated or self.undated)

    def arrived(self, at_us: int, dated: bool) -> Copy:
        """With one more arrival; removal wins over arrival at the same time."""
        if at_us <= self.deleted_at_us:
            if dated:
                return self._replace(past=_with(self.past, at_us))
            return self._replace(past_undated=_with(self.past_undated, at_us))
        if dated:
            return self._replace(dated=_with(self.dated, at_us))
        return self._replace(undated=_with(self.undated, at_us))

    def deleted(self, at_us: int) -> Copy:
        if at_us == self.deleted_at_us:
            return self
        if at_us < self.deleted_at_us:
            return self._replace(earlier=_with(self.earlier, at_us))
        return Copy(
            tuple(t for t in self.dated if t > at_us),
            tuple(t for t in self.undated if t > at_us),
            at_us,
            (*self.past, *(t for t in self.dated if t <= at_us)),
            (*self.past_undated, *(t for t in self.undated if t <= at_us)),
            self.earlier if self.deleted_at_us == NEVER else (*self.earlier, self.deleted_at_us),
        )

    def since(self, until_us: int) -> Copy:
        """What of it happened later."""
        return Copy(
            tuple(t for t in self.dated if t > until_us),
            tuple(t for t in self.undated if t > until_us),
            self.deleted_at_us if self.deleted_at_us > until_us else NEVER,
            tuple(t for t in self.past if t > until_us),
            tuple(t for t in self.past_undated if t > until_us),
            tuple(t for t in self.earlier if t > until_us),
        )


def _with(times: tuple[int, ...], at_us: int) -> tuple[int, ...]:
    """One more, unless it is known; mostly the latest. A sender may repeat itself thousands of times."""
    place = bisect_left(times, at_us)
    if times[place : place + 1] == (at_us,):
        return times
    return times[:place] + (at_us,) + times[place:]  # noqa: RUF005 - a list between would be one copy more


NO_COPY = Copy()


class History(NamedTuple):
    """What is kept of an instance that did not simply arrive once, dated, from one source."""

    copies: dict[str, Copy]
    """By source."""
    first_arrival_us: int | None = None
    """Earliest dated arrival ever: what a withdrawn series shows."""
    latest_arrival_us: int = NEVER
    layers: tuple[tuple[InstanceHeader, Stamp], ...] = ()
    """All headers still in play, when there is more than one."""


class InstanceState(NamedTuple):
    """One SOP Instance of one series, as it is stored: a change makes another one.

    Flat, since there are millions: what its header says, then the stamp it was said under. Nearly all arrive
    once; then `history` is None, and these say everything.
    """

    sop_instance_uid: str
    """Empty: it was erased, and its position stays."""
    sop_class_uid: str = ""
    number: int | None = None
    frames: int | None = None
    frame_of_reference_uid: str = ""
    occurred_at_us: int | None = None
    """None: never arrived (known from a deletion only)."""
    source: str = ""
    event_id: str = ""
    digest: bytes = b""
    position: int = 0
    history: History | None = None
    volume: str = ""

    @property
    def header(self) -> InstanceHeader:
        return InstanceHeader(*self[1:5], self.volume)

    @property
    def stamp(self) -> Stamp | None:
        """Of the header."""
        if self.occurred_at_us is None:
            return None
        return Stamp(self.occurred_at_us, False, self.source, self.event_id, self.digest)

    @property
    def copies(self) -> dict[str, Copy]:
        """By source; not to be changed."""
        if self.history is not None:
            return self.history.copies
        return {self.source: Copy((self.occurred_at_us,))} if self.occurred_at_us is not None else {}

    @property
    def live(self) -> bool:
        """Some source that announced it has not deleted its copy."""
        if self.history is None:
            return self.occurred_at_us is not None
        return any(copy.live for copy in self.history.copies.values())

    @property
    def issued_us(self) -> int | None:
        """Earliest dated arrival among live copies, each since its own last deletion."""
        if self.history is None:
            return self.occurred_at_us
        return min((copy.dated[0] for copy in self.history.copies.values() if copy.dated), default=None)

    @property
    def first_arrival_us(self) -> int | None:
        if self.history is None:
            return self.occurred_at_us
        return self.history.first_arrival_us

    @property
    def latest_arrival_us(self) -> int:
        if self.history is None:
            return NEVER if self.occurred_at_us is None else self.occurred_at_us
        return self.history.latest_arrival_us

    @property
    def layers(self) -> dict[InstanceHeader, Stamp]:
        """Headers in play, each with the stamp that it was said last under."""
        if self.history is not None and self.history.layers:
            return dict(self.history.layers)
        stamp = self.stamp
        return {self.header: stamp} if stamp is not None else {}

    @property
    def shown(self) -> tuple[object, ...]:
        """What a reference may show of it."""
        return self.live, self.issued_us, self.header, self.first_arrival_us

    def repeats(self, event: InstanceArrived) -> bool:
        """The event that it arrived by came again. False: it may have all the same."""
        once = self.history is None and event.dated
        return once and self.stamp == event.stamp and self.header == event.instance

    def arrived(self, event: InstanceArrived) -> tuple[InstanceState, bool]:
        """With one more arrival; True if another header was said of the same path (a content conflict)."""
        stamp, layers, at_us = event.stamp, self.layers, event.stamp.occurred_at_us
        if self.occurred_at_us is None and self.history is None and event.dated:
            return self._of(event.instance, stamp), False
        conflict = bool(layers) and all(event.instance[:4] != known[:4] for known in layers)
        layers[event.instance] = max(layers.get(event.instance, stamp), stamp)
        first = self.first_arrival_us
        if event.dated and (first is None or at_us < first):
            first = at_us
        copies = {
            **self.copies,
            stamp.source: self.copies.get(stamp.source, NO_COPY).arrived(at_us, event.dated),
        }
        return self.with_facts(layers, copies, first, max(self.latest_arrival_us, at_us)), conflict

    def deleted(self, stamp: Stamp) -> InstanceState:
        """Without the copy of the stamp's source, as of then."""
        copy = self.copies.get(stamp.source, NO_COPY).deleted(stamp.occurred_at_us)
        copies = {**self.copies, stamp.source: copy}
        return self.with_facts(self.layers, copies, self.first_arrival_us, self.latest_arrival_us)

    def since(self, until_us: int) -> InstanceState | None:
        """What of it happened later; None: nothing."""
        layers = {header: stamp for header, stamp in self.layers.items() if stamp.occurred_at_us > until_us}
        copies = {
            source: kept for source, copy in self.copies.items() if (kept := copy.since(until_us)) != NO_COPY
        }
        if not layers and not copies:
            return None
        first = min((t for copy in copies.values() for t in (*copy.dated, *copy.past)), default=None)
        latest = self.latest_arrival_us if self.latest_arrival_us > until_us else NEVER
        return self.with_facts(layers, copies, first, latest)

    def with_facts(
        self,
        layers: dict[InstanceHeader, Stamp],
        copies: dict[str, Copy],
        first_arrival_us: int | None,
        latest_arrival_us: int,
    ) -> InstanceState:
        """The same path, with these facts; equal facts are equal values, so without a history if possible."""
        header = resolved_instance(layers)
        stamp = max(layers.values(), default=None)
        kept = winning_layers(layers)
        if stamp is not None and len(kept) == 1:
            at_us = stamp.occurred_at_us
            once = copies == {stamp.source: Copy((at_us,))}
            if once and (first_arrival_us, latest_arrival_us) == (at_us, at_us):
                return self._of(header, stamp)
        more = tuple(kept.items()) if len(kept) > 1 else ()
        history = History(copies, first_arrival_us, latest_arrival_us, more)
        return self._of(header, stamp, history)

    def _of(
        self, header: InstanceHeader, stamp: Stamp | None, history: History | None = None
    ) -> InstanceState:
        at_us = None if stamp is None else stamp.occurred_at_us
        _, _, source, event_id, digest = stamp or _UNSAID
        said = at_us, source, event_id, digest
        place = self.position, history, header.volume
        return InstanceState(self.sop_instance_uid, *header[:4], *said, *place)


_UNSAID = Stamp(0, False, "", "", b"")
