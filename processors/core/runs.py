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
    """Dated arrivals of images of one series from one source under one header; a column each."""

    study_instance_uid: str
    series_instance_uid: str
    header: SeriesHeader
    sop_instance_uids: list[str]
    instances: list[InstanceHeader]
    stamps: list[Stamp]

    def event(self, n: int) -> InstanceArrived:
        """The arrival at a position."""
        uids = self.study_instance_uid, self.series_instance_uid, self.sop_instance_uids[n]
        return InstanceArrived(*uids, self.stamps[n], self.instances[n], self.header)


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
        chosen = new.values()
        _add(
            study,
            series,
            run._replace(
                sop_instance_uids=list(new),
                instances=[run.instances[n] for n in chosen],
                stamps=[run.stamps[n] for n in chosen],
            ),
        )
    return sorted(set(range(len(sops))) - set(new.values()))


def _add(study: StudyState, series: SeriesState, run: Run) -> None:
    start, sops = len(series.order), run.sop_instance_uids
    rows = zip(sops, run.instances, run.stamps, count(start), repeat(None))
    added = list(map(tuple.__new__, repeat(InstanceState), rows))
    say_header(series, run.header, max(run.stamps))
    series.order += added
    series.instances.update(zip(sops, added, strict=True))
    study.first_places.update(dict.fromkeys(sops, series.series_instance_uid))
    series.seen += len(added)
    series.touched = True
    series.dirty_chunks.update(range(start // CHUNK, (start + len(added) - 1) // CHUNK + 1))
