"""A home's clock: how far its inputs have been read, in time (CONTRACT 4, A backlog closes nothing early).

Rules of this file: time only as values that come in. An input partition's clock is the wall clock when it was
read to its last stable offset, else the highest timestamp read from it; the home's is the slowest of them.
"""

from __future__ import annotations

from processors.core.instances import NEVER
from processors.core.study import Place


class HomeClock:
    """Highest timestamp read of each input partition of one home; what is uncommitted can be taken back."""

    def __init__(self) -> None:
        self._highest_ms: dict[Place, int] = {}
        self._committed: dict[Place, int] = {}
        self._caught_up: set[Place] = set()

    def expect(self, place: Place) -> None:
        """This partition feeds the home, though nothing was read of it yet."""
        self._highest_ms.setdefault(place, NEVER)
        self._committed.setdefault(place, NEVER)

    def forget(self, place: Place) -> None:
        """This partition no longer feeds the home."""
        self._highest_ms.pop(place, None)
        self._committed.pop(place, None)
        self._caught_up.discard(place)

    def read(self, place: Place, at_ms: int) -> None:
        """A record of that time was read, or all there was at that time."""
        if at_ms > self._highest_ms.get(place, NEVER):
            self._highest_ms[place] = at_ms

    def caught_up(self, place: Place, is_caught_up: bool) -> None:
        """The broker's word on a partition, as of the next `reach`."""
        self.expect(place)
        if is_caught_up:
            self._caught_up.add(place)
        else:
            self._caught_up.discard(place)

    def reach(self, wall_ms: int) -> int:
        """The home's clock now that the broker was asked: what was read to its end is read up to `wall_ms`.

        The word holds for this moment only: a process that was paused must not take it for news.
        """
        for place in self._caught_up:
            self.read(place, wall_ms)
        self._caught_up.clear()
        return self.now_ms(wall_ms)

    def now_ms(self, wall_ms: int) -> int:
        """The slowest input's clock; the wall clock if nothing feeds this home."""
        return min(self._highest_ms.values(), default=wall_ms)

    def commit(self) -> None:
        self._committed = dict(self._highest_ms)

    def roll_back(self) -> None:
        """What was read since the last commit will be read again."""
        self._highest_ms = dict(self._committed)
        self._caught_up.clear()
