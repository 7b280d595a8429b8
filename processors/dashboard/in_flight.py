"""Series that wait to be published, and why, from the changelog as it is written.

Rules of this file: changelog records in, what waits out; an entry is decoded when it is shown, not when it
comes.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any, NamedTuple

from processors.errors import Unavailable
from processors.pipeline.inspection import series_of_rows
from processors.pipeline.records import Record

Place = tuple[str, str]
"""Study and series UID."""

SHOWN = 50

CHUNKS_KEPT = 2_000
"""Of some 10 kB each; of a series whose chunk is forgotten too few images are shown."""


class Waiting(NamedTuple):
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    instances: int
    expected: int | None
    reason: str
    """Why it is not published yet, in a sentence."""
    until_ms: int
    """When its clock runs out, if nothing happens before."""


class InFlight:
    """Used by one thread at a time."""

    def __init__(self) -> None:
        self._series: dict[Place, tuple[str, bytes, int]] = {}
        """Key, value and clock of the series' own entry."""
        self._chunks: OrderedDict[Place, tuple[str, bytes]] = OrderedDict()
        """The last chunk of a series, which tells how many images it has."""
        self._shown: dict[Place, tuple[object, Waiting]] = {}

    def take(self, record: Record) -> None:
        key = (record.key or b"").decode(errors="replace")
        parts = key.split("|")
        if len(parts) == 3 and parts[1] == "x":
            self._take_series(key, (parts[0], parts[2]), record)
        elif len(parts) == 4 and parts[1] == "c" and record.value is not None:
            place = (parts[0], parts[2])
            if key >= self._chunks.get(place, ("", b""))[0]:
                self._chunks[place] = (key, record.value)
                self._chunks.move_to_end(place)
            if len(self._chunks) > CHUNKS_KEPT:
                self._chunks.popitem(last=False)

    def waiting(self) -> list[Waiting]:
        """Those whose clock runs, the one that runs out first at the top; at most SHOWN."""
        first = sorted(self._series, key=lambda place: self._series[place][2])[:SHOWN]
        return [shown for place in first if (shown := self._described(place)) is not None]

    def __len__(self) -> int:
        return len(self._series)

    def _take_series(self, key: str, place: Place, record: Record) -> None:
        clock = next((value for name, value in record.headers or () if name == "due_at_ms"), b"")
        if record.value is None or not clock:
            self._series.pop(place, None)
            self._chunks.pop(place, None)
            self._shown.pop(place, None)
        else:
            self._series[place] = (key, record.value, int(clock))

    def _described(self, place: Place) -> Waiting | None:
        entry, chunk = self._series[place], self._chunks.get(place)
        known = self._shown.get(place)
        if known is not None and known[0] == (entry, chunk):
            return known[1]
        try:
            series = series_of_rows(entry[0], entry[1], chunk)
        except Unavailable:
            return None  # another version writes there; the page shows what it can read
        if series["waiting"] is None:
            return None
        if series["reports_only"]:
            del self._series[place]  # its clock runs, but reports make no reference to their own series
            return None
        waiting = Waiting(
            *place,
            series["modality"],
            series["instances"],
            series["expected_instances"],
            _reason(series),
            entry[2],
        )
        self._shown[place] = ((entry, chunk), waiting)
        return waiting


def _reason(series: dict[str, Any]) -> str:
    waits = series["waiting"]
    lacking = waits["lacking_instances"]
    if lacking is None:
        why = "nobody said how many images there will be"
    elif lacking > 0:
        why = f"{lacking} of {series['expected_instances']} expected images have not come"
    else:
        why = f"{-lacking} more images than expected have come"
    again = "changed after it was published; " if series["reference"] else ""
    if waits["for"] == "hard_stop":
        return f"{again}{why}; images keep coming, the hard stop closes it"
    return f"{again}{why}; closed when no new image comes until then"


def clock_of(at_ms: int) -> str:
    """Time of day, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S")
