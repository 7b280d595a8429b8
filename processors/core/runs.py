"""Runs: arrivals of one series, read in a row, of which nothing but new instances is expected.

Rules of this file: how many are folded at once; `core.folding` does it one by one, with the same result.
Nearly all events pass here, in columns, so cost is counted in tenths of a microsecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, repeat
from typing import NamedTuple

from processors.core.events import InstanceArrived, InstanceHeader, SeriesHeader, Stamp
from processors.core.instances import InstanceState
from processors.core.series import CHUNK, SeriesState, say_header
from processors.core.study import StudyState


class Run(NamedTuple):
    """Dated arrivals of images of one series from one source under one header; a column for what differs."""

    study_instance_uid: str
    series_instance_uid: str
    header: SeriesHeader
    sop_class_uid: str
    frame_of_reference_uid: str
    source: str
    sop_instance_uids: list[str]
    numbers: list[int | None]
    frames: list[int | None]
    occurred_at_us: list[int]
    event_ids: list[str]
    digests: list[bytes]

    def event(self, n: int) -> InstanceArrived:
        """The arrival at a position."""
        uids = self.study_instance_uid, self.series_instance_uid, self.sop_instance_uids[n]
        stamp = Stamp(self.occurred_at_us[n], False, self.source, self.event_ids[n], self.digests[n])
        numbers = self.numbers[n], self.frames[n]
        instance = InstanceHeader(self.sop_class_uid, *numbers, self.frame_of_reference_uid)
        return InstanceArrived(*uids, stamp, instance, self.header)

    def only(self, positions: Sequence[int]) -> Run:
        return self._replace(
            sop_instance_uids=[self.sop_instance_uids[n] for n in positions],
            numbers=[self.numbers[n] for n in positions],
            frames=[self.frames[n] for n in positions],
            occurred_at_us=[self.occurred_at_us[n] for n in positions],
            event_ids=[self.event_ids[n] for n in positions],
            digests=[self.digests[n] for n in positions],
        )


def fold_run(study: StudyState, series: SeriesState, run: Run) -> Sequence[int]:
    """Fold all that only add an instance; the positions of the others, which are left to `fold`."""
    sops = run.sop_instance_uids
    if series.expected is not None or series.base is not None:
        return range(len(sops))
    if series.headers and run.header not in series.headers:
        return range(len(sops))
    known, places = series.instances, study.first_places
    if len(set(sops)) == len(sops) and places.keys().isdisjoint(sops) and known.keys().isdisjoint(sops):
        _add(study, series, run)
        return ()
    new: dict[str, int] = {}
    for n, sop in enumerate(sops):
        if sop not in places and sop not in known:
            new.setdefault(sop, n)
    if new:
        _add(study, series, run.only(list(new.values())))
    return sorted(set(range(len(sops))) - set(new.values()))


def _add(study: StudyState, series: SeriesState, run: Run) -> None:
    start, sops = len(series.order), run.sop_instance_uids
    rows = zip(
        sops,
        repeat(run.sop_class_uid),
        run.numbers,
        run.frames,
        repeat(run.frame_of_reference_uid),
        run.occurred_at_us,
        repeat(run.source),
        run.event_ids,
        run.digests,
        count(start),
        repeat(None),
        repeat(""),
    )
    added = list(map(tuple.__new__, repeat(InstanceState), rows))
    at_us, event_id, digest = max(zip(run.occurred_at_us, run.event_ids, run.digests, strict=True))
    say_header(series, run.header, Stamp(at_us, False, run.source, event_id, digest))
    series.order += added
    series.instances.update(zip(sops, added, strict=True))
    study.first_places.update(dict.fromkeys(sops, series.series_instance_uid))
    series.seen += len(added)
    series.touched = True
    series.dirty_chunks.update(range(start // CHUNK, (start + len(added) - 1) // CHUNK + 1))
