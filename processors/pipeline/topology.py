"""The whole topology as a step without I/O: (records, now) → outputs, state entries, dispositions; and tick(now).

Rules of this file: the walk of a record through the rooms, and the caches of what is being folded. Kafka is
`stream`'s, encoding is `wire`'s and `avro`'s, meaning is `core`'s. `assemble`, the tests and the demo run this
same class over memory.

    record → decode → home or forward → due series of its study close → fold → (end of step) evaluate → publish
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from processors.avro.envelope import (
    IntakeEnvelope,
    decode_intake,
    decode_state,
    encode_intake,
    encode_state,
)
from processors.core.completeness import close, move_clock, rule_at_once, rule_by_clock
from processors.core.events import DocumentPath, InstanceArrived
from processors.core.folding import fold, fold_arrival
from processors.core.policy import Completeness, Policy
from processors.core.reference import WithdrawalReason
from processors.core.series import NEVER
from processors.core.study import Disposition, Effect, Origin, Place, StudyState
from processors.errors import DeadLetterCode, IgnoredReason, Refused
from processors.pipeline.clocks import HomeClock
from processors.pipeline.dead_letters import of_record
from processors.pipeline.decode import Decoder, Ignored
from processors.pipeline.evaluation import Evaluator, Work
from processors.pipeline.partitioning import home_of
from processors.pipeline.ports import StateStore
from processors.pipeline.publishing import Publisher
from processors.pipeline.records import Headers, OutputRecord, OutputTopic, Record, StateEntry, Step
from processors.wire import state as wire_state
from processors.wire.messages import pack, unpack

CACHED_INSTANCES = 200_000
"""Instances of committed studies kept in memory, about 600 bytes each. Fewer: hot studies are read from the
store again and again; more: memory grows without fewer reads, since studies go cold within minutes."""

DUE_AT_ONCE = 1_000
"""Clocks that one tick ends. More makes a transaction of many seconds after an outage; the next tick goes on."""

FOREVER = 2**62
"""A home's clock at the end of all input, ms."""


class _Home:
    __slots__ = ("clock", "number", "sizes", "store", "studies", "weight")

    def __init__(self, number: int, store: StateStore) -> None:
        self.number = number
        self.store = store
        self.clock = HomeClock()
        self.studies: OrderedDict[str, StudyState] = OrderedDict()
        """Coldest first."""
        self.sizes: dict[str, int] = {}
        self.weight = 0
        """Instances in memory, as of the last commit."""

    def weigh(self, study_uid: str) -> None:
        study = self.studies.get(study_uid)
        size = study.instance_count if study else 0
        self.weight += size - self.sizes.pop(study_uid, 0)
        if study:
            self.sizes[study_uid] = size

    def shrink(self, instances: int) -> None:
        """Drop the coldest studies until no more than so many instances are held."""
        while self.weight > instances and len(self.studies) > 1:
            study_uid, _ = self.studies.popitem(last=False)
            self.weight -= self.sizes.pop(study_uid, 0)


class _Batch:
    """What one step gathers; the reading clock is noted once a run of records of one partition."""

    __slots__ = ("arrived", "ended", "high_ms", "now_ms", "place", "reader", "step", "works")

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.step = Step()
        self.works: dict[str, Work] = {}
        self.arrived: list[tuple[Record, Work, DocumentPath, Disposition]] = []
        """Documents, whose disposition evaluation decides."""
        self.ended: dict[Disposition, int] = {}
        self.place: Place = ("", -1)
        self.reader: _Home | None = None
        """The home that the partition being read feeds."""
        self.high_ms = NEVER

    def turn(self, place: Place, reader: _Home | None) -> None:
        """Records of another partition follow, or none."""
        self._read()
        self.place, self.reader, self.high_ms = place, reader, NEVER
        if place[1] < 0:
            self.step.dispositions.update(self.ended)

    def clock_ms(self) -> int:
        """The reading home's clock, this partition's last record included."""
        self._read()
        return self.reader.clock.now_ms(self.now_ms) if self.reader else NEVER

    def _read(self) -> None:
        if self.reader is not None and self.high_ms != NEVER:
            self.reader.clock.read(self.place, self.high_ms)


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
    ) -> None:
        self._policy = policy
        self._decoder = decoder
        self._partitions = partitions
        self._intake_topic = intake_topic
        self._evaluator = Evaluator(policy, Publisher(pseudonym_key))
        self._cached_instances = cached_instances
        self._homes: dict[int, _Home] = {}
        self._uncommitted: set[tuple[int, str]] = set()

    # ---- assignment ------------------------------------------------------------------------------------

    def assign(self, home: int, store: StateStore) -> None:
        """This member owns intake partition `home`, whose restored state is `store`."""
        self._homes[home] = _Home(home, store)

    def revoke(self, home: int) -> None:
        """Forget a home; its uncommitted changes were rolled back before."""
        self._homes.pop(home, None)

    def frontier(self, topic: str, partition: int, caught_up: bool) -> None:
        """An input partition of a home is assigned; whether it is read to its last stable offset at the
        `now_ms` of the next `tick`."""
        if partition in self._homes:
            self._homes[partition].clock.caught_up((topic, partition), caught_up)

    # ---- steps -----------------------------------------------------------------------------------------

    def process(self, records: Sequence[Record], now_ms: int) -> Step:
        """Fold records, in order; close what was due by their time; publish what need not wait."""
        batch = _Batch(now_ms)
        for record in records:
            try:
                self._take(record, batch)
            except Refused as refused:
                self._dead_letter(batch.step, record, refused, now_ms, "decode")
        batch.turn(("", -1), None)
        self._finish(batch.works.values(), batch.step, now_ms)
        for record, work, path, disposition in batch.arrived:
            self._dispose(batch.step, record, work, path, disposition, now_ms)
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
        for number, uid in self._uncommitted:
            if number in self._homes:
                self._homes[number].weigh(uid)
        self._uncommitted.clear()
        for home in self._homes.values():
            home.clock.commit()
            home.shrink(self._cached_instances // len(self._homes))

    def rolled_back(self) -> None:
        """Everything since the last commit will be read again."""
        for number, uid in self._uncommitted:
            if number in self._homes:
                self._homes[number].studies.pop(uid, None)
        self._uncommitted.clear()
        for home in self._homes.values():
            home.clock.roll_back()

    # ---- one record ------------------------------------------------------------------------------------

    def _take(self, record: Record, batch: _Batch) -> None:
        topic, partition, offset, timestamp_ms, _, _, headers = record
        place = batch.place
        if partition != place[1] or topic != place[0]:
            place = (topic, partition)
            batch.turn(place, self._homes.get(partition))
        event: Any = self._decoder.decode(record, batch.now_ms) if topic != self._intake_topic else None
        origin = (place, offset)
        if event is None:
            event, origin = _from_intake(record, self._decoder, batch.now_ms)
        if type(event) is Ignored:
            batch.step.dispositions["ignored", event.reason] += 1
            return
        if not 0 < timestamp_ms <= batch.now_ms:
            timestamp_ms = min(event.stamp.occurred_at_us // 1000, batch.now_ms)
        if timestamp_ms > batch.high_ms:
            batch.high_ms = timestamp_ms
        study_uid = event.study_instance_uid
        work = batch.works.get(study_uid)
        if work is None or work.home != partition:
            target = home_of(study_uid, self._partitions)
            if target != partition or batch.reader is None:
                self._forward(batch.step, event, target, origin, timestamp_ms, record)
                return
            work = batch.works[study_uid] = self._open(batch.reader, study_uid)
        study = work.study
        if study.due_at_ms is not None and study.due_at_ms <= timestamp_ms:
            _close_due_series(work, batch.clock_ms())
        if type(event) is InstanceArrived:
            effect = fold_arrival(study, event, origin, self._policy.hide_quality_rejections)
        else:
            effect = fold(study, event, origin, self._policy.hide_quality_rejections)
            work.note(effect, origin)
            work.at_ms = timestamp_ms
            work.traceparent = _traceparent(record) or work.traceparent
        if effect.opened or effect.completed:
            self._note(work, effect, event, timestamp_ms, headers)
        for warning in effect.warnings:
            batch.step.events["warning", warning] += 1
        if effect.arrived_document is None:
            batch.ended[effect.disposition] = batch.ended.get(effect.disposition, 0) + 1
        else:
            batch.arrived.append((record, work, effect.arrived_document, effect.disposition))

    def _note(self, work: Work, effect: Effect, event: Any, at_ms: int, headers: Headers | None) -> None:
        """Set the clocks of the event's series."""
        study, uid = work.study, event.series_instance_uid
        series = study.series[uid]
        if headers:
            series.traceparent = _trace_of(headers) or series.traceparent
        if effect.opened:
            move_clock(series, at_ms, effect.new_instance, self._completeness(event))
            due_at_ms = series.due_at_ms
            if due_at_ms is not None and (study.due_at_ms is None or due_at_ms < study.due_at_ms):
                study.due_at_ms = due_at_ms
        if effect.completed:
            work.closed[uid] = rule_at_once(series)
            close(series)

    def _completeness(self, event: Any) -> Completeness:
        if not self._policy.overrides:
            return self._policy.completeness
        header = getattr(event, "header", None)
        modality = header.modality if header else ""
        return self._policy.completeness_for(event.stamp.source, modality)

    def _forward(
        self, step: Step, event: Any, target: int, origin: Origin, at_ms: int, record: Record
    ) -> None:
        step.dispositions["forwarded", ""] += 1
        trace = _traceparent(record)
        headers = [("traceparent", trace)] if trace else []
        step.outputs.append(_to_intake(event, target, origin, at_ms, headers))

    def _dead_letter(self, step: Step, record: Record, refused: Refused, now_ms: int, stage: str) -> None:
        step.dispositions["dead_lettered", refused.code] += 1
        step.outputs.append(of_record(record, refused, stage, now_ms))

    # ---- studies ---------------------------------------------------------------------------------------

    def _open(self, home: _Home, study_uid: str) -> Work:
        study = home.studies.get(study_uid)
        if study is None:
            rows = home.store.scan(wire_state.prefix_of(study_uid))
            study = wire_state.study_from(study_uid, ((key, decode_state(v).body) for key, v in rows))
            home.studies[study_uid] = study
        else:
            home.studies.move_to_end(study_uid)
        self._uncommitted.add((home.number, study_uid))
        return Work(home.number, study)

    def _close_due(self, now_ms: int, clocks: dict[int, int]) -> Step:
        step = Step()
        for number, clock_ms in clocks.items():
            home = self._homes[number]
            works: dict[str, Work] = {}
            for key, _ in home.store.due(clock_ms, DUE_AT_ONCE):
                uid = wire_state.study_of(key)
                if uid not in works:
                    works[uid] = self._open(home, uid)
                    _close_due_series(works[uid], clock_ms)
            self._finish(works.values(), step, now_ms)
        return step

    def _finish(self, works: Iterable[Work], step: Step, now_ms: int) -> None:
        for work in works:
            home = self._homes[work.home]
            self._evaluator.evaluate(work, step, now_ms)
            for message, origin in work.messages:
                self._send(step, message, origin, now_ms)
            entries = [
                StateEntry(
                    work.home,
                    row.key,
                    encode_state(
                        wire_state.kind_of(row.key), row.body, version=wire_state.FORMAT, stamp_ms=now_ms
                    ),
                    row.due_at_ms,
                )
                for row in wire_state.touched_rows(work.study)
            ]
            if entries:
                home.store.put(entries)
                step.entries += entries

    def _send(self, step: Step, message: Any, origin: Origin, now_ms: int) -> None:
        target = home_of(message.study_instance_uid, self._partitions)
        step.outputs.append(_to_intake(message, target, origin, now_ms, []))

    def _dispose(
        self,
        step: Step,
        record: Record,
        work: Work,
        path: DocumentPath,
        disposition: Disposition,
        now_ms: int,
    ) -> None:
        """How a document's record ended, now that what it refers to was judged."""
        state = work.study.documents[path]
        content = state.content
        if disposition.outcome != "applied":
            step.dispositions[disposition] += 1
        elif content.problem:
            refused = Refused(
                DeadLetterCode(content.problem), "nothing usable is referred to", content.problem_tag
            )
            self._dead_letter(step, record, refused, now_ms, "document")
        elif content.manifest and not self._policy.publish_manifests:
            empty = not any(group.items for group in content.groups)
            reason = IgnoredReason.EMPTY_MANIFEST if empty else IgnoredReason.MANIFEST
            step.dispositions["ignored", reason] += 1
        else:
            view = work.views.get(state.canonical_uid)
            made = list(view.references.values()) if view else []
            invalid = made and all(r.withdrawn is WithdrawalReason.INVALID for r in made)
            if not made and view and path in view.unresolved:
                step.dispositions["parked", ""] += 1
            elif invalid and not state.sent:
                refused = Refused(
                    DeadLetterCode.FRAME_OUT_OF_RANGE, "no frame that the image has", "(0008,1160)"
                )
                self._dead_letter(step, record, refused, now_ms, "document")
            else:
                step.dispositions["applied", ""] += 1


def _close_due_series(work: Work, clock_ms: int) -> None:
    """Stop every clock of this study that ran out by `clock_ms`; evaluation follows."""
    study = work.study
    study.due_at_ms = None
    for uid, series in study.series.items():
        if series.due_at_ms is None:
            continue
        if series.due_at_ms <= clock_ms:
            work.closed[uid] = rule_by_clock(series)
            close(series)
        else:
            study.wait_until(series.due_at_ms)
    for path, state in study.documents.items():
        if state.due_at_ms is None:
            continue
        if state.due_at_ms <= clock_ms:
            state.due_at_ms = None
            work.expired.append(path)
            study.touched_documents.add(path)
        else:
            study.wait_until(state.due_at_ms)


def _to_intake(
    event: Any, target: int, origin: Origin, at_ms: int, headers: list[tuple[str, bytes]]
) -> OutputRecord:
    kind, body = pack(event)
    envelope = IntakeEnvelope(wire_state.FORMAT, kind, at_ms, *origin[0], origin[1], body)
    key = event.study_instance_uid.encode()
    return OutputRecord(OutputTopic.INTAKE, key, encode_intake(envelope), headers, target)


def _from_intake(record: Record, decoder: Decoder, now_ms: int) -> tuple[Any, Origin]:
    """The event in an intake record, and the record it was made of."""
    if record.value is None:
        return decoder.decode(record, now_ms), ((record.topic, record.partition), record.offset)
    envelope = decode_intake(record.value)
    return unpack(envelope.kind, envelope.body), ((envelope.topic, envelope.partition), envelope.offset)


def _traceparent(record: Record) -> bytes:
    return _trace_of(record.headers) if record.headers else b""


def _trace_of(headers: Headers) -> bytes:
    return next((value for name, value in headers if name == "traceparent"), b"")
