"""One record: decoded, sent home or folded, once what was due before it has been closed.

Rules of this file: the order of these, and the clocks that an event sets; what a step ends with is
`topology`'s. `columns` does the same for many arrivals at a time.
"""

from __future__ import annotations

from typing import Any

from processors.core.completeness import close, move_clock, rule_at_once, rule_by_clock
from processors.core.corrections import PatientMerged, PatientUnmerged, StudyTold, UidChanged
from processors.core.events import DocumentPath, InstanceArrived
from processors.core.folding import fold, fold_arrival
from processors.core.policy import Completeness, Policy
from processors.core.purging import Bearing, bearing
from processors.core.study import APPLIED, DUPLICATE, CarriedState, DocumentState, Effect, Origin
from processors.errors import Refused, WarningCode
from processors.pipeline.batch import Batch
from processors.pipeline.decode import Decoder, Ignored
from processors.pipeline.dispositions import PURGED, dispose_forwarded, put_aside, refuse
from processors.pipeline.evaluation import Evaluator, Work
from processors.pipeline.forwarding import from_intake, require_small, to_intake, trace_of
from processors.pipeline.homes import Home
from processors.pipeline.moving import Moving, look_again
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import Headers, Record
from processors.pipeline.retention import Retention


class RecordFold:
    """Takes records one at a time. `homes`: those of this member, kept up to date by the caller."""

    def __init__(
        self,
        policy: Policy,
        decoder: Decoder,
        evaluator: Evaluator,
        retention: Retention,
        homes: dict[int, Home],
        partitions: int,
        intake_topic: str,
    ) -> None:
        self._policy = policy
        self._decoder = decoder
        self._evaluator = evaluator
        self.retention = retention
        self._homes = homes
        self._partitions = partitions
        self._intake_topic = intake_topic

    def take(self, record: Record, batch: Batch) -> None:
        """Fold or forward it; what cannot be read is put aside."""
        try:
            self._take_one(record, batch)
        except Refused as refused:
            refuse(batch.step, record, refused, batch.now_ms, "decode")

    def _take_one(self, record: Record, batch: Batch) -> None:
        topic, partition, offset, timestamp_ms, _, value, headers = record
        place = batch.place
        if partition != place[1] or topic != place[0]:
            place = (topic, partition)
            batch.turn(place, self._homes.get(partition))
        batch.offset = offset
        event: Any = None
        origin: Origin = (place, offset)
        if topic != self._intake_topic or value is None:
            event = self._decoder.decode(record, batch.now_ms)
            if type(event) is Ignored:
                batch.step.dispositions["ignored", event.reason] += 1
                return
            require_small(event)
        else:
            event, origin = from_intake(value)
        if batch.is_odd(timestamp_ms):
            event = _of_no_time(event, batch)
        at_ms = batch.time_of(timestamp_ms, event.stamp.occurred_at_us)
        batch.high_ms = max(batch.high_ms, at_ms)
        work = batch.works.get(event.study_instance_uid)
        if work is None or work.home is not batch.reader:
            work = self._work(record, event, origin, at_ms, batch)
            if work is None:
                return
        due_at_ms = work.study.due_at_ms
        if due_at_ms is not None and due_at_ms <= at_ms:
            self.close_before(work, at_ms, batch)
        if type(event) is InstanceArrived and not work.study.erased and work.study.purged is None:
            self.arrive(work, event, origin, at_ms, headers, batch)
        else:
            self._fold(record, event, origin, at_ms, work, batch)

    def _work(self, record: Record, event: Any, origin: Origin, at_ms: int, batch: Batch) -> Work | None:
        """What this step has to do for the event's study; None: it is not of this home, and was forwarded."""
        if not event.study_instance_uid:
            self._take_of_no_study(record, event, origin, at_ms, batch)
            return None
        work = self.own(event.study_instance_uid, batch)
        if work is None:
            target = self._home_of(event.study_instance_uid)
            batch.step.outputs.append(to_intake(event, target, origin, at_ms, trace_of(record.headers)))
            dispose_forwarded(batch.step, record, event, batch.now_ms, record.topic == self._intake_topic)
        return work

    def _take_of_no_study(
        self,
        record: Record,
        event: PatientMerged | PatientUnmerged | UidChanged | StudyTold,
        origin: Origin,
        at_ms: int,
        batch: Batch,
    ) -> None:
        """Merges and changes go to every home, and are folded there (CONTRACT 4, What crosses studies)."""
        step, is_told = batch.step, record.topic == self._intake_topic
        if not is_told or batch.reader is None:
            trace = trace_of(record.headers)
            for home in (record.partition,) if is_told else range(self._partitions):
                step.outputs.append(to_intake(event, home, origin, at_ms, trace))
            step.dispositions["forwarded", ""] += 1
            return
        if isinstance(event, UidChanged | StudyTold):
            move = Moving(batch, batch.reader, self._home_of, at_ms, self._policy.completeness)
            ended = move.change(event) if isinstance(event, UidChanged) else move.keep(event)
            if ended is PURGED:
                put_aside(step, record, batch.now_ms)
            step.dispositions[ended] += 1
            return
        entries, closes_cycle = batch.reader.patients.fold(event, at_ms, self._policy)
        step.entries += entries
        step.dispositions[APPLIED if entries else DUPLICATE] += 1
        if closes_cycle:
            step.events["merge_ignored",] += 1

    def end(self, batch: Batch) -> None:
        """No records follow in this step."""
        if batch.changes:
            look_again(batch, self._home_of, self._policy.completeness)

    def _home_of(self, study_instance_uid: str) -> int:
        return home_of(study_instance_uid, self._partitions)

    def close_before(self, work: Work, at_ms: int, batch: Batch) -> None:
        """What was due by the time of a record is published as it stood before it; later ones may be read."""
        clock_ms = min(batch.clock_ms(), at_ms)
        if work.study.due_at_ms is not None and work.study.due_at_ms <= clock_ms:
            close_due_series(work, clock_ms)
            self._evaluator.evaluate(work, batch.step, batch.now_ms)
            if work.outlived:
                self.retention.end(work, batch.step)

    def arrive(
        self,
        work: Work,
        event: InstanceArrived,
        origin: Origin,
        at_ms: int,
        headers: Headers | None,
        batch: Batch,
    ) -> None:
        """An arrival, by itself, in a study of which nothing was erased or purged."""
        effect = fold_arrival(work.study, event, origin, self._policy.hide_quality_rejections)
        if effect.opened or effect.completed:
            self._set_clocks(work, effect, event, at_ms, headers)
        if self.retention.ms:
            self.retention.hear(work.study, at_ms)
        batch.end_as(effect)

    def _fold(self, record: Record, event: Any, origin: Origin, at_ms: int, work: Work, batch: Batch) -> None:
        frozen = bearing(work.study, event)
        if frozen is not Bearing.NONE:
            put_aside(batch.step, record, batch.now_ms)
        if frozen is Bearing.WHOLLY:
            batch.step.dispositions[PURGED] += 1
            return
        effect = fold(work.study, event, origin, self._policy.hide_quality_rejections)
        self.retention.hear(work.study, at_ms)
        if frozen is Bearing.IN_PART:
            effect.disposition = PURGED
        work.note(effect, origin)
        work.traceparent = trace_of(record.headers) or work.traceparent
        work.at_ms = at_ms
        if effect.opened or effect.completed:
            self._set_clocks(work, effect, event, at_ms, record.headers)
        if effect.arrived_document is None:
            batch.end_as(effect)
        else:
            batch.warn(effect)
            batch.arrived.append((record, work, event.document, effect.disposition))

    def _set_clocks(
        self, work: Work, effect: Effect, event: Any, at_ms: int, headers: Headers | None
    ) -> None:
        study, uid = work.study, event.series_instance_uid
        series = study.series[uid]
        if headers:
            series.traceparent = trace_of(headers) or series.traceparent
        if effect.opened:
            move_clock(series, at_ms, effect.new_instance, self._completeness(event))
            study.wait_until(series.due_at_ms)
        if effect.completed:
            work.closed[uid] = rule_at_once(series)
            close(series)

    def _completeness(self, event: Any) -> Completeness:
        if not self._policy.overrides:
            return self._policy.completeness
        header = getattr(event, "header", None)
        return self._policy.completeness_for(event.stamp.source, header.modality if header else "")

    def own(self, study_instance_uid: str, batch: Batch) -> Work | None:
        """What this step has to do for a study of the home being read for; None: it is not of this home."""
        if batch.reader is None or self._home_of(study_instance_uid) != batch.reader.number:
            return None
        work = Work(batch.reader, batch.reader.study(study_instance_uid))
        batch.works[study_instance_uid] = work
        return work


def close_due_series(work: Work, clock_ms: int) -> None:
    """Stop every clock of this study that ran out by `clock_ms`; evaluation follows."""
    study = work.study
    study.due_at_ms = None
    for uid, series in study.series.items():
        if series.due_at_ms is None:
            continue
        if series.due_at_ms <= clock_ms:
            work.closed[uid] = rule_by_clock(series)
            close(series)
        study.wait_until(series.due_at_ms)
    study.wait_until(study.purge_at_ms)
    work.outlived = study.purge_at_ms is not None and study.purge_at_ms <= clock_ms
    waiting: list[tuple[DocumentPath, DocumentState | CarriedState]] = [*study.documents.items()]
    for path, state in (*waiting, *study.carried.items()):
        if state.due_at_ms is None:
            continue
        if state.due_at_ms <= clock_ms:
            state.due_at_ms = None
            work.expired.append(path)
            study.touched_documents.add(path)
        study.wait_until(state.due_at_ms)


def _of_no_time(event: Any, batch: Batch) -> Any:
    """An arrival keeps the warning with its series; of anything else it is counted."""
    if type(event) is InstanceArrived:
        return event._replace(warnings=(*event.warnings, WarningCode.TIMESTAMP_UNUSABLE))
    batch.step.events["warning", WarningCode.TIMESTAMP_UNUSABLE] += 1
    return event
