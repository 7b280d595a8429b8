"""Many arrivals at a time: by study and series, a column each, as much at once as no clock runs out between.

Rules of this file: what may be folded together and what is left to `record_folding`, with the same result.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from operator import gt

from processors.core.completeness import move_clock, move_clock_along
from processors.core.policy import Policy
from processors.core.runs import fold_run
from processors.core.study import StudyState, count_inputs
from processors.pipeline.batch import Batch
from processors.pipeline.decode import record_of
from processors.pipeline.evaluation import Work
from processors.pipeline.record_folding import RecordFold
from processors.pipeline.records import Record
from processors.wire.arrivals import Portion, SeriesPart, StudyArrivals

PORTION = 2_000
"""Arrivals that are looked at together. Fewer are more work an arrival; more only take memory."""


class Columns:
    """Takes records as they come. `one`: for those that are out of the ordinary."""

    def __init__(self, policy: Policy, one: RecordFold, intake_topic: str) -> None:
        self._policy = policy
        self._one = one
        self._intake_topic = intake_topic

    def take_all(self, records: Iterable[Record], batch: Batch) -> None:
        """Fold or forward them, in order; they are all of the step."""
        portion = Portion(record_of)
        for record in records:
            topic, partition, _, _, _, value, headers = record
            here = partition == batch.place[1] and topic == batch.place[0] != self._intake_topic
            if here and value is not None and not headers and portion.add(value):
                batch.waiting.append(record)
                if len(batch.waiting) == PORTION:
                    portion = self._fold_waiting(portion, batch)
                continue
            if batch.waiting:
                portion = self._fold_waiting(portion, batch)
            self._one.take(record, batch)
        if batch.waiting:
            self._fold_waiting(portion, batch)
        self._one.end(batch)

    def _fold_waiting(self, portion: Portion, batch: Batch) -> Portion:
        """Fold the arrivals that wait, by study and series; returns an empty portion."""
        records, batch.waiting = batch.waiting, []
        times_ms = [record[3] for record in records]
        if batch.is_odd(min(times_ms)) or batch.is_odd(max(times_ms)):
            for record in records:
                self._one.take(record, batch)
            return Portion(record_of)
        if max(times_ms) > batch.now_ms:
            times_ms = [batch.time_of(t, portion.occurred_at_us(n)) for n, t in enumerate(times_ms)]
        for uid, found in portion.by_study().items():
            work = batch.works.get(uid)
            if found.plain and (work is None or work.home is not batch.reader):
                work = self._one.own(uid, batch)
            if work is None or not (found.plain and _is_plain(work.study)):
                for n in found.positions:
                    self._one.take(records[n], batch)
            else:
                self._take_study(work, found, portion, records, times_ms, batch)
        batch.offset = records[-1].offset
        batch.high_ms = max(batch.high_ms, *times_ms)
        return Portion(record_of)

    def _take_study(
        self,
        work: Work,
        found: StudyArrivals,
        portion: Portion,
        records: list[Record],
        times_ms: list[int],
        batch: Batch,
    ) -> None:
        """All that arrived of a study; as much at once as no clock of it can run out in between."""
        study, positions = work.study, found.positions
        times = [times_ms[n] for n in positions]
        if any(map(gt, times, times[1:])):
            for n in positions:
                self._one.take(records[n], batch)
            return
        start = 0
        while start < len(positions):
            at_ms = times[start]
            batch.high_ms = max(batch.high_ms, at_ms)
            if study.due_at_ms is not None and study.due_at_ms <= at_ms:
                self._one.close_before(work, at_ms, batch)
                if work.study is not study:  # it was purged, and takes its arrivals one by one
                    for n in positions[start:]:
                        self._one.take(records[n], batch)
                    return
            until_ms = at_ms + self._policy.shortest_wait_ms
            if study.due_at_ms is not None and at_ms < study.due_at_ms < until_ms:
                until_ms = study.due_at_ms
            end = bisect_left(times, until_ms, start) if times[-1] >= until_ms else len(positions)
            first, beyond = positions[start], positions[end] if end < len(positions) else len(records)
            for part, members in found.parts.items():
                chosen = members[bisect_left(members, first) : bisect_left(members, beyond)]
                if chosen:
                    self._take_series(work, part, chosen, portion, records, times_ms, batch)
            self._one.retention.hear(study, times[end - 1])
            start = end

    def _take_series(
        self,
        work: Work,
        part: SeriesPart,
        positions: list[int],
        portion: Portion,
        records: list[Record],
        times_ms: list[int],
        batch: Batch,
    ) -> None:
        run = portion.run(part, positions)
        if run is None:
            for n in positions:
                self._one.take(records[n], batch)
            return
        series = work.study.open_series(part.series)
        others = fold_run(work.study, series, run)
        completeness = self._policy.completeness_for(part.source, part.header.modality)
        if not others:
            move_clock_along(series, [times_ms[n] for n in positions], completeness)
            count_inputs(series, batch.place, records[positions[0]].offset, records[positions[-1]].offset)
            work.study.wait_until(series.due_at_ms)
            batch.plain += len(positions)
            return
        alone = set(others)
        for n, position in enumerate(positions):
            if n in alone:
                origin = (batch.place, records[position].offset)
                self._one.arrive(work, run.event(n), origin, times_ms[position], None, batch)
            else:
                move_clock(series, times_ms[position], True, completeness)
                count_inputs(series, batch.place, records[position].offset)
                batch.plain += 1
        work.study.wait_until(series.due_at_ms)


def _is_plain(study: StudyState) -> bool:
    """Nothing was said of the study that an arrival might have to be held against."""
    return not study.rejections and not study.erased and study.purged is None
