"""Evaluation: what a step touched in a study → the references that must be looked at, and published.

Rules of this file: decides *which* references to look at and keeps their ledgers; what they say is
`core.references`, whether they are sent is `publishing`. A superfluous look costs time, never a revision.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from processors.core.completeness import Rule
from processors.core.document_references import FamilyView, fragments, of_family
from processors.core.erasure import forget_series, forget_study
from processors.core.events import DocumentPath
from processors.core.instances import NEVER
from processors.core.moved_study import forget_carried, settle
from processors.core.news import documents_of_news
from processors.core.policy import Policy
from processors.core.reference import WithdrawalReason
from processors.core.references import Context, context_of, holders, of_selection, of_series
from processors.core.series import SeriesState
from processors.core.study import Effect, Origin, SelectionKey, StudyState
from processors.core.versions import versions_of
from processors.core.volumes import of_volumes
from processors.errors import DeadLetterCode, WarningCode
from processors.pipeline.dead_letters import described
from processors.pipeline.erasures import Erasures
from processors.pipeline.forwarding import NOWHERE, trimmed
from processors.pipeline.homes import Home
from processors.pipeline.publishing import Background, Change, Publisher
from processors.pipeline.records import OutputRecord, Step
from processors.wire.messages import pack


@dataclass(slots=True)
class Work:
    """What a step has to do for one study."""

    home: Home
    study: StudyState
    closed: dict[str, Rule] = field(default_factory=dict)
    """Series UID → the rule that closed it."""
    series: set[str] = field(default_factory=set)
    unless_open: set[str] = field(default_factory=set)
    """Series to look at, too, unless a clock of theirs runs."""
    documents: set[str] = field(default_factory=set)
    """Canonical UIDs."""
    erased: set[str] = field(default_factory=set)
    """Those of them that may have references of which nothing is left."""
    partly_erased: bool = False
    """Something was erased of a study that this one has parts of."""
    selections: set[SelectionKey] = field(default_factory=set)
    everything: bool = False
    noted: bool = False
    """Something else than plain arrivals was folded."""
    outlived: bool = False
    """Nothing was heard of it for as long as a study is kept."""
    tell_whole: bool = False
    """The homes of where parts of the study lie now do not know it yet."""
    expired: list[DocumentPath] = field(default_factory=list)
    """Documents whose unresolved references are given up."""
    messages: list[tuple[Any, Origin]] = field(default_factory=list)
    """Events for other studies, each with the record it comes from."""
    traceparent: bytes = b""
    at_ms: int | None = None
    """Input time of what happened; None: only clocks ran out."""
    views: dict[str, FamilyView] = field(default_factory=dict)
    """What evaluation saw, by canonical UID; the dispositions of documents need it."""

    @property
    def is_idle(self) -> bool:
        touched = self.closed or self.series or self.documents or self.selections
        return not (touched or self.expired or self.everything)

    def note(self, effect: Effect, origin: Origin) -> None:
        is_more = bool(effect.now_series or effect.now_documents or effect.now_selections)
        self.noted = self.noted or is_more or not effect.now_unless_open
        self.unless_open |= effect.now_unless_open
        self.series |= effect.now_series
        self.documents |= effect.now_documents | effect.erased_documents
        self.erased |= effect.erased_documents
        self.selections |= effect.now_selections
        self.everything = self.everything or effect.now_all
        self.messages += [(message, origin) for message in effect.messages]

    def let_wait(self) -> None:
        """What was told of series that are open by now waits for their clocks."""
        known = self.study.series
        closed = {uid for uid in self.unless_open if uid in known and known[uid].first_ms is None}
        self.series |= closed
        self.noted = self.noted or bool(closed)

    def settle(self) -> None:
        """What was to be looked at was; messages and views are for the end of the step."""
        self.closed, self.expired, self.everything, self.noted = {}, [], False, False
        self.unless_open = set()
        self.series, self.documents, self.erased, self.selections = set(), set(), set(), set()
        self.partly_erased = False


class Evaluator:
    def __init__(self, policy: Policy, publisher: Publisher) -> None:
        self._policy = policy
        self._publisher = publisher
        self._erasures = Erasures(policy, publisher)

    def evaluate(self, work: Work, step: Step, now_ms: int) -> None:
        """Publish what changed. Waiting is counted from the input's time, ages from `now_ms`."""
        own, moves = work.study, work.home.moves
        is_moved = moves.concern(own.study_instance_uid)
        work.let_wait()
        work.everything |= is_moved and work.noted
        if work.is_idle:
            return
        if not is_moved:
            self._evaluate(work, step, now_ms)
            return
        for uid, rule in list(work.closed.items()):
            for series in moves.series_reached(own.study_instance_uid, uid)[own.study_instance_uid]:
                work.closed.setdefault(series, rule)
        if work.erased:  # of documents by the names that they came with; what they made has those of now
            work.erased |= own.ledgers.keys()
            work.documents |= own.ledgers.keys()
        work.study = moves.seen(own)
        work.messages += [(gone, NOWHERE) for gone in forget_carried(own, work.study)]
        self._evaluate(work, step, now_ms)
        settle(own, work.study)
        work.study = own

    def _evaluate(self, work: Work, step: Step, now_ms: int) -> None:
        study = work.study
        at_ms = now_ms if work.at_ms is None else work.at_ms
        documents = study.documents
        ended = self._erasures.of_purged(study, step, now_ms)  # first: what came since goes on from there
        work.documents |= {documents[path].canonical_uid for path in work.expired if path in documents}
        patients = work.home.patients
        context = context_of(study, self._policy, lambda patient: patients.survivor(patient, self._policy))
        followed = _patients_of(study, context)
        if not followed <= study.patients:
            step.entries += patients.follow(followed - study.patients, study.study_instance_uid)
            study.patients |= followed
            study.touched_study = True
        self._spread(work, context)
        for uid in sorted((work.closed.keys() | work.series) & study.series.keys()):
            series = study.series[uid]
            is_first = series.published is None and study.names is None  # else it may well be elsewhere, too
            if is_first and work.home.conflicts(uid, study.study_instance_uid):
                series.warnings.add(WarningCode.SERIES_STUDY_CONFLICT)
                step.events["warning", WarningCode.SERIES_STUDY_CONFLICT] += 1
            if uid in work.closed or series.published is not None:
                self._publish_series(study, series, work.closed.get(uid), context, step, now_ms)
                self._publish_volumes(study, series, context, step, now_ms)
            if study.erased and not series.instances:
                forget_series(study, uid)
        for canonical in sorted(work.documents):
            self._publish_family(work, canonical, context, step, at_ms, now_ms)
        for key in sorted(work.selections):
            self._publish_selection(work, key, context, step, now_ms)
        if (ended or study.dropped_rows) and not study.holds_anything:
            step.entries += patients.leave(study.patients, study.study_instance_uid)
            forget_study(study)
        work.settle()

    def _spread(self, work: Work, context: Context) -> None:
        """What depends on what was touched is touched, too."""
        study = work.study
        digest = hashlib.sha256(repr((context.subject, context.based_on)).encode()).digest()[:8]
        if digest != study.evaluated_as:
            work.everything = True
            study.evaluated_as = digest
            study.touched_study = True
        if work.everything:
            work.series |= study.series.keys()
            work.documents |= study.families.keys()
            work.selections |= study.selections.keys()
            return
        touched = work.closed.keys() | work.series
        if touched:
            work.documents |= documents_of_news(study, touched)
            work.selections |= {key for key in study.selections if key[0] in touched}
        work.documents |= versions_of(study, work.documents)

    def _publish_series(
        self,
        study: StudyState,
        series: SeriesState,
        rule: Rule | None,
        context: Context,
        step: Step,
        now_ms: int,
    ) -> None:
        view = of_series(study, series, context, self._policy)
        if view is None and series.published is not None:
            self._erasures.of_series(study, series, series.published, step, now_ms)
        if view is None or _is_frozen(study, view.reference.id, step):
            return
        reference = view.reference
        shown = set() if reference.withdrawn else {i.position for i in view.members}
        change = _change_of(series, shown)
        background = Background(
            closed_by=rule or "",
            expected_instances=series.expected_count,
            first_instance_at_us=view.first_instance_at_us,
            last_instance_at_us=view.last_instance_at_us,
            settle_from_ms=series.last_ms if rule and series.last_ms != NEVER else None,
            duplicates=series.duplicates,
            warnings=tuple(sorted(series.warnings)),
            sources=tuple(sorted(holders(view.members))),
            inputs=series.inputs,
            traceparent=series.traceparent,
        )
        prior = series.published or self._erasures.before(study, reference.id)
        published = self._publisher.publish(step, reference, prior, background, now_ms, change)
        if published is None:
            return
        series.published = published
        series.touched = True
        if published.revision > (prior.revision if prior else 0):  # else it was refused: readers got nothing
            series.published_upto = len(series.order)
            series.hidden = set(range(len(series.order))) - shown
            series.changed.clear()

    def _publish_volumes(
        self, study: StudyState, series: SeriesState, context: Context, step: Step, now_ms: int
    ) -> None:
        """Where the site tells them apart; together with their series."""
        volumes = of_volumes(study, series, context, self._policy)
        for view in volumes.views:
            if _is_frozen(study, view.reference.id, step):
                continue
            background = Background(
                first_instance_at_us=view.first_instance_at_us,
                last_instance_at_us=view.last_instance_at_us,
                warnings=tuple(sorted(series.warnings)),
                sources=tuple(sorted(holders(view.members))),
                inputs=series.inputs,
                traceparent=series.traceparent,
            )
            prior = series.volumes.get(view.reference.id) or self._erasures.before(study, view.reference.id)
            published = self._publisher.publish(step, view.reference, prior, background, now_ms)
            if published is not None:
                series.volumes[view.reference.id], series.touched = published, True
        self._erasures.of_volumes(study, series, volumes.erased, step, now_ms)

    def _publish_family(
        self, work: Work, canonical: str, context: Context, step: Step, at_ms: int, now_ms: int
    ) -> None:
        study = work.study
        view = work.views[canonical] = of_family(study, canonical, context, self._policy)
        ledger = study.ledgers.get(canonical, {})
        background = self._document_background(work, canonical, view)
        for reference in (*view.references.values(), *view.former.values()):
            prior = ledger.get(reference.id) or self._erasures.before(study, reference.id)
            unheard = reference.withdrawn is WithdrawalReason.INVALID or reference.id in view.former
            if (prior is None and unheard) or _is_frozen(study, reference.id, step):
                continue
            published = self._publisher.publish(step, reference, prior, background, now_ms)
            if published is not None:
                ledger = study.ledgers.setdefault(canonical, ledger)
                ledger[reference.id] = published
                study.touched_ledgers.add(canonical)
        if canonical in work.erased:
            left = view.references.keys() | view.former.keys()
            self._erasures.of_family(study, canonical, left, step, now_ms)
        for path in sorted(study.families.get(canonical, ())):
            self._wait_or_give_up(work, path, view, step, at_ms)
            self._send_fragments(work, path)

    def _document_background(self, work: Work, canonical: str, view: FamilyView) -> Background:
        study = work.study
        inputs: dict[tuple[str, int], tuple[int, int]] = {}
        sources: set[str] = set()
        duplicates = 0
        for path in study.families.get(canonical, ()):
            state = study.documents[path]
            place, offset = state.origin
            first, last = inputs.get(place, (offset, offset))
            inputs[place] = (min(first, offset), max(last, offset))
            sources.add(state.stamp.source)
            duplicates += state.duplicates
        return Background(
            duplicates=duplicates,
            warnings=tuple(sorted(view.warnings)),
            sources=tuple(sorted(sources)),
            inputs=inputs,
            traceparent=work.traceparent,
        )

    def _wait_or_give_up(
        self, work: Work, path: DocumentPath, view: FamilyView, step: Step, at_ms: int
    ) -> None:
        """Start, stop or end the wait for series that no one knows (CONTRACT 4)."""
        state = work.study.documents[path]
        waiting = path in view.unresolved
        if waiting and path in work.expired:
            state.given_up = True
            step.events["parked_expired", DeadLetterCode.SERIES_UNKNOWN] += 1
            step.outputs.append(_given_up(path, state.origin, at_ms))
        elif waiting and state.due_at_ms is None and not state.given_up:
            state.due_at_ms = at_ms + round(self._policy.unresolved_after_s * 1000)
            work.study.wait_until(state.due_at_ms)
        elif not waiting and state.due_at_ms is not None:
            state.due_at_ms = None
        else:
            return
        work.study.touched_documents.add(path)

    def _send_fragments(self, work: Work, path: DocumentPath) -> None:
        study = work.study
        state = study.documents[path]
        if not state.at_home:
            return
        for target, whole in fragments(study, state, self._policy).items():
            fragment = trimmed(whole._replace(partly_erased=whole.partly_erased or work.partly_erased))
            if fragment.leaves_nothing and target not in state.sent:
                continue
            said = pack(fragment._replace(partly_erased=False))[1]  # no news by itself
            digest = hashlib.sha256(said).digest()[:8]
            sequence, sent = state.sent.get(target, (-1, b""))
            if digest != sent:
                state.sent[target] = (sequence + 1, digest)
                study.touched_documents.add(path)
                work.messages.append((fragment._replace(sequence=sequence + 1), state.origin))
                if fragment.leaves_nothing:
                    del state.sent[target]

    def _publish_selection(
        self, work: Work, key: SelectionKey, context: Context, step: Step, now_ms: int
    ) -> None:
        state = work.study.selections[key]
        reference = of_selection(work.study, key, context, self._policy)
        if reference is None or state.content is None:
            if state.published is not None:
                self._erasures.of_selection(work.study, key, state.published, step, now_ms)
            return
        if _is_frozen(work.study, reference.id, step):
            return
        background = Background(
            warnings=state.content.warnings,
            sources=(key[1],),
            inputs=state.inputs,
            traceparent=work.traceparent,
        )
        prior = state.published or self._erasures.before(work.study, reference.id)
        published = self._publisher.publish(step, reference, prior, background, now_ms)
        if published is not None:
            state.published = published
            work.study.touched_selections.add(key)


def _is_frozen(study: StudyState, reference_id: str, step: Step) -> bool:
    """Whether what readers have of it stays as it is; see `core.purging`."""
    if study.purged is None or reference_id not in study.purged.lines:
        return False
    step.events["frozen",] += 1
    return True


def _change_of(series: SeriesState, shown: set[int]) -> Change:
    """Counted by position; `shown`: those that a reference lists now."""
    if not series.published_upto:
        return Change(len(shown), 0, 0)
    before = set(range(series.published_upto)) - series.hidden
    return Change(len(shown - before), len(before - shown), len(series.changed & before & shown))


def _patients_of(study: StudyState, context: Context) -> set[str]:
    """Ids whose merges concern the references: the study's own patient's, else those that they name."""
    if context.patient_id:
        return {context.patient_id}
    headers = [state.content.header for state in study.documents.values()]
    headers += [state.content.header for state in study.selections.values() if state.content]
    return {header.patient_id for header in headers} - {""}


def _given_up(path: DocumentPath, origin: Origin, at_ms: int) -> OutputRecord:
    """`series_unknown`: the document's path; its own record is named by the headers."""
    message = "no evidence, event or arrival names the series of a referenced instance"
    said = {"event": "document.unresolved", **path._asdict()}
    return described(DeadLetterCode.SERIES_UNKNOWN, message, "(0008,1155)", "wait", said, origin, at_ms)
