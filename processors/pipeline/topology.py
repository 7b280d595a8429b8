"""The whole topology as a step without I/O: (records, now) → outputs, state entries, dispositions; tick(now).

Rules of this file: the walk of a record through the rooms. Kafka is `stream`'s, encoding is `wire`'s and
`avro`'s, meaning is `core`'s. `assemble`, the tests and the demo run this same class over memory.

    record → decode → home or forward → due series of its study close → fold → (end of step) evaluate, publish
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from processors.avro.envelope import IntakeEnvelope, decode_intake, encode_intake
from processors.avro.facts import SINGLE_OBJECT, FactFraming
from processors.core.completeness import close, move_clock, rule_at_once, rule_by_clock
from processors.core.corrections import PatientMerged, PatientUnmerged, StudyTold, UidChanged
from processors.core.events import Document, DocumentArrived, DocumentPath, InstanceArrived
from processors.core.folding import fold, fold_arrival
from processors.core.policy import Completeness, Policy
from processors.core.reference import WithdrawalReason
from processors.core.study import (
    APPLIED,
    DUPLICATE,
    CarriedState,
    Disposition,
    DocumentState,
    Effect,
    Origin,
)
from processors.errors import DeadLetterCode, IgnoredReason, Refused
from processors.fhir.releases import release_of
from processors.pipeline.batch import Batch
from processors.pipeline.dead_letters import of_record
from processors.pipeline.decode import Decoder, Ignored
from processors.pipeline.evaluation import Evaluator, Work
from processors.pipeline.homes import Home
from processors.pipeline.moving import Moving, told
from processors.pipeline.partitioning import home_of
from processors.pipeline.ports import StateStore
from processors.pipeline.publishing import Publisher
from processors.pipeline.records import Headers, OutputRecord, OutputTopic, Record, Step
from processors.wire import state as rows
from processors.wire.messages import pack, unpack
from processors.wire.patient_rows import WAITING

CACHED_INSTANCES = 200_000
"""Instances of committed studies kept in memory, about 600 bytes each. Fewer: hot studies are read from the
store again and again; more: memory grows without fewer reads, since studies go cold within minutes."""

DUE_AT_ONCE = 1_000
"""Clocks that one tick ends in a home. More makes transactions of many seconds after an outage."""

_NOWHERE: Origin = (("", -1), -1)
"""Of what a home tells by itself."""

FOREVER = 2**62
"""A home's clock at the end of all input, ms."""


class Pipeline:
    """One member's share of the topology. Not thread-safe; a step's entries are already `put` in the stores.

    `partitions` is the intake topic's count. Between two commits everything touched stays in memory; the
    runner calls `committed` or `rolled_back` once the transaction, and the stores, did the same.
    """

    def __init__(
        self,
        policy: Policy,
        decoder: Decoder,
        partitions: int,
        intake_topic: str,
        pseudonym_key: bytes = b"",
        cached_instances: int = CACHED_INSTANCES,
        fact_framing: FactFraming = SINGLE_OBJECT,
    ) -> None:
        self._policy = policy
        self._decoder = decoder
        self._partitions = partitions
        self._intake_topic = intake_topic
        self._evaluator = Evaluator(policy, Publisher(pseudonym_key, release_of(policy), fact_framing))
        self._cached_instances = cached_instances
        self._homes: dict[int, Home] = {}

    # ---- assignment ------------------------------------------------------------------------------------

    def assign(self, home: int, store: StateStore) -> None:
        """This member owns intake partition `home`, whose restored state is `store`."""
        self._homes[home] = Home(home, store)

    def revoke(self, home: int) -> None:
        """Forget a home; its uncommitted changes were rolled back before."""
        self._homes.pop(home, None)

    def frontier(self, topic: str, partition: int, caught_up: bool) -> None:
        """A partition is assigned that feeds a home; `caught_up`: it is read to its last stable offset as of
        the `now_ms` of the next `tick`.
        """
        if partition in self._homes:
            self._homes[partition].clock.caught_up((topic, partition), caught_up)

    # ---- steps -----------------------------------------------------------------------------------------

    def process(self, records: Iterable[Record], now_ms: int) -> Step:
        """Fold records, in order; close what was due by their time; publish what need not wait."""
        batch = Batch(now_ms)
        for record in records:
            try:
                self._take(record, batch)
            except Refused as refused:
                _refuse(batch.step, record, refused, now_ms, "decode")
        batch.end()
        self._finish(batch.works.values(), batch.step, now_ms)
        for record, work, document, disposition in batch.arrived:
            self._dispose(batch.step, record, work, document, disposition, now_ms)
        return batch.step

    def tick(self, now_ms: int) -> Step:
        """Close what is due by each home's clock."""
        return self._close_due(now_ms, {h: home.clock.reach(now_ms) for h, home in self._homes.items()})

    def run_out(self, now_ms: int) -> Step:
        """All clocks count as run out: the end of a finite input."""
        return self._close_due(now_ms, dict.fromkeys(self._homes, FOREVER))

    def next_due_ms(self) -> int | None:
        """The earliest clock of all homes, in time of their inputs."""
        dues = (home.store.next_due_ms() for home in self._homes.values())
        return min((due for due in dues if due is not None), default=None)

    def committed(self) -> None:
        """What was folded is lasting; cold studies may leave the memory."""
        for home in self._homes.values():
            home.commit(self._cached_instances // len(self._homes))

    def rolled_back(self) -> None:
        """Everything since the last commit will be read again."""
        for home in self._homes.values():
            home.roll_back()

    # ---- one record ------------------------------------------------------------------------------------

    def _take(self, record: Record, batch: Batch) -> None:
        topic, partition, offset, timestamp_ms, _, _, headers = record
        place = batch.place
        if partition != place[1] or topic != place[0]:
            place = (topic, partition)
            batch.turn(place, self._homes.get(partition))
        event: Any = None
        origin: Origin = (place, offset)
        if topic != self._intake_topic or record.value is None:
            event = self._decoder.decode(record, batch.now_ms)
            if type(event) is Ignored:
                batch.step.dispositions["ignored", event.reason] += 1
                return
        else:
            event, origin = _from_intake(record.value)
        at_ms = batch.time_of(timestamp_ms, event.stamp.occurred_at_us)
        work = batch.works.get(event.study_instance_uid)
        if work is None or work.home.number != partition:
            if not event.study_instance_uid:
                self._take_of_no_study(record, event, origin, at_ms, batch)
                return
            target = home_of(event.study_instance_uid, self._partitions)
            if target != partition or batch.reader is None:
                batch.step.outputs.append(_to_intake(event, target, origin, at_ms, _trace_of(headers)))
                self._dispose_forwarded(record, event, batch)
                return
            work = Work(batch.reader, batch.reader.study(event.study_instance_uid))
            batch.works[event.study_instance_uid] = work
        self._fold(record, event, origin, at_ms, work, batch)

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
            trace = _trace_of(record.headers)
            for home in (record.partition,) if is_told else range(self._partitions):
                step.outputs.append(_to_intake(event, home, origin, at_ms, trace))
            step.dispositions["forwarded", ""] += 1
            return
        if isinstance(event, UidChanged | StudyTold):
            move = Moving(batch, batch.reader, self._home_of, at_ms, self._policy.completeness)
            ended = move.change(event) if isinstance(event, UidChanged) else move.keep(event)
            step.dispositions[ended] += 1
            return
        entries, closes_cycle = batch.reader.patients.fold(event, at_ms, self._policy)
        step.entries += entries
        step.dispositions[APPLIED if entries else DUPLICATE] += 1
        if closes_cycle:
            step.events["merge_ignored",] += 1

    def _fold(self, record: Record, event: Any, origin: Origin, at_ms: int, work: Work, batch: Batch) -> None:
        study = work.study
        due_at_ms = study.due_at_ms
        if due_at_ms is not None and due_at_ms <= at_ms and due_at_ms <= (clock_ms := batch.clock_ms()):
            _close_due_series(work, clock_ms)
            # Published as it stood then: this record came later, if in the same batch.
            self._evaluator.evaluate(work, batch.step, batch.now_ms)
        if type(event) is InstanceArrived and not study.erased:
            effect = fold_arrival(study, event, origin, self._policy.hide_quality_rejections)
        else:
            effect = fold(study, event, origin, self._policy.hide_quality_rejections)
            work.note(effect, origin)
            work.traceparent = _trace_of(record.headers) or work.traceparent
            work.at_ms = at_ms
        if effect.opened or effect.completed:
            self._set_clocks(work, effect, event, at_ms, record.headers)
        for warning in effect.warnings:
            batch.step.events["warning", warning] += 1
        if effect.arrived_document is None:
            batch.ended[effect.disposition] = batch.ended.get(effect.disposition, 0) + 1
        else:
            batch.arrived.append((record, work, event.document, effect.disposition))

    def _set_clocks(
        self, work: Work, effect: Effect, event: Any, at_ms: int, headers: Headers | None
    ) -> None:
        study, uid = work.study, event.series_instance_uid
        series = study.series[uid]
        if headers:
            series.traceparent = _trace_of(headers) or series.traceparent
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

    # ---- the end of a step -----------------------------------------------------------------------------

    def _close_due(self, now_ms: int, clocks: dict[int, int]) -> Step:
        step = Step()
        for number, clock_ms in clocks.items():
            home = self._homes[number]
            works: dict[str, Work] = {}
            for key, _ in home.store.due(clock_ms, DUE_AT_ONCE):
                is_merge = key.startswith(WAITING)
                uids = [rows.study_of(key)]
                if is_merge:
                    uids, entries = home.patients.waiting_studies(key, DUE_AT_ONCE - len(works))
                    step.entries += entries
                for uid in uids:
                    if uid not in works:
                        works[uid] = Work(home, home.study(uid))
                        _close_due_series(works[uid], clock_ms)
                    works[uid].everything |= is_merge
            self._finish(works.values(), step, now_ms)
        return step

    def _finish(self, works: Iterable[Work], step: Step, now_ms: int) -> None:
        for work in works:
            self._evaluator.evaluate(work, step, now_ms)
            for message, origin in work.messages:
                target = home_of(message.study_instance_uid, self._partitions)
                step.outputs.append(_to_intake(message, target, origin, now_ms, b""))
            written = work.home.save(work.study, now_ms)
            step.entries += written
            for home, message in told(work, written, self._home_of, now_ms):
                step.outputs.append(_to_intake(message, home, _NOWHERE, now_ms, b""))

    def _home_of(self, study_instance_uid: str) -> int:
        return home_of(study_instance_uid, self._partitions)

    def _dispose_forwarded(self, record: Record, event: Any, batch: Batch) -> None:
        """A document that reading alone refuses is put aside here, where its record is; its home folds it."""
        if type(event) is DocumentArrived and event.document.problem and record.topic != self._intake_topic:
            _refuse(batch.step, record, _problem_of(event.document), batch.now_ms, "document")
        else:
            batch.step.dispositions["forwarded", ""] += 1

    def _dispose(
        self,
        step: Step,
        record: Record,
        work: Work,
        document: Document,
        disposition: Disposition,
        now_ms: int,
    ) -> None:
        """How a document's record ended, now that what it refers to was judged."""
        state = work.study.documents.get(document.path)
        if state is None:  # erased by a later record of the same batch
            step.dispositions[disposition] += 1
            return
        view = work.views.get(state.canonical_uid)
        made = list(view.references.values()) if view else []
        if disposition.outcome != "applied":
            step.dispositions[disposition] += 1
        elif document.problem and record.topic != self._intake_topic:
            _refuse(step, record, _problem_of(document), now_ms, "document")
        elif document.manifest and not self._policy.publish_manifests:
            empty = not any(group.items for group in document.groups)
            reason = IgnoredReason.EMPTY_MANIFEST if empty else IgnoredReason.MANIFEST
            step.dispositions["ignored", reason] += 1
        elif not made and view and document.path in view.unresolved:
            step.dispositions["parked", ""] += 1
        elif made and not state.sent and all(r.withdrawn is WithdrawalReason.INVALID for r in made):
            refused = Refused(DeadLetterCode.FRAME_OUT_OF_RANGE, "no frame that the image has", "(0008,1160)")
            _refuse(step, record, refused, now_ms, "document")
        else:
            step.dispositions["applied", ""] += 1


def _close_due_series(work: Work, clock_ms: int) -> None:
    """Stop every clock of this study that ran out by `clock_ms`; evaluation follows."""
    study = work.study
    study.due_at_ms = None
    for uid, series in study.series.items():
        if series.due_at_ms is not None and series.due_at_ms <= clock_ms:
            work.closed[uid] = rule_by_clock(series)
            close(series)
        study.wait_until(series.due_at_ms)
    waiting: list[tuple[DocumentPath, DocumentState | CarriedState]] = [*study.documents.items()]
    for path, state in (*waiting, *study.carried.items()):
        if state.due_at_ms is not None and state.due_at_ms <= clock_ms:
            state.due_at_ms = None
            work.expired.append(path)
            study.touched_documents.add(path)
        study.wait_until(state.due_at_ms)


def _problem_of(document: Document) -> Refused:
    code = DeadLetterCode(document.problem)
    return Refused(code, "nothing that it refers to can be used", document.problem_tag)


def _refuse(step: Step, record: Record, refused: Refused, now_ms: int, stage: str) -> None:
    step.dispositions["dead_lettered", refused.code] += 1
    step.outputs.append(of_record(record, refused, stage, now_ms))


def _from_intake(value: bytes) -> tuple[Any, Origin]:
    """The event in an intake record, and where the record it was made of lies."""
    envelope = decode_intake(value)
    return unpack(envelope.kind, envelope.body), ((envelope.topic, envelope.partition), envelope.offset)


def _to_intake(event: Any, target: int, origin: Origin, at_ms: int, traceparent: bytes) -> OutputRecord:
    kind, body = pack(event)
    (topic, partition), offset = origin
    envelope = IntakeEnvelope(rows.FORMAT, kind, at_ms, topic, partition, offset, body)
    headers = [("traceparent", traceparent)] if traceparent else []
    key = event.study_instance_uid.encode()
    return OutputRecord(OutputTopic.INTAKE, key, encode_intake(envelope), headers, target)


def _trace_of(headers: Headers | None) -> bytes:
    """The W3C trace context, if the record has one."""
    return next((value for name, value in headers or () if name == "traceparent"), b"")
