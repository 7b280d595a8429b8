"""Publication: a reference as the state has it → a revision on both output topics, if its content changed.

Rules of this file: the only place that numbers revisions and writes output records. Content is compared by
hash, so nothing changed → nothing sent; `meta.versionId` and `meta.lastUpdated` are no part of it.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from dataclasses import dataclass, field
from typing import Any

from processors.avro.facts import SINGLE_OBJECT, FactFraming, encode_fact
from processors.core.checks import check
from processors.core.events import SubsetKind
from processors.core.fact import Fact, InputRange
from processors.core.graphics import points_apart
from processors.core.identity import BASE
from processors.core.reference import Identifier, ImagingReference, Kind, WithdrawalReason
from processors.core.series import Published
from processors.errors import DeadLetterCode
from processors.fhir.datatypes import Content
from processors.fhir.releases import R5, Release, meta_of
from processors.pipeline.dead_letters import described, instant_of
from processors.pipeline.records import Headers, OutputRecord, OutputTopic, Step
from processors.wire.json_text import dump

MAX_REFERENCE_BYTES = 15 * 1024 * 1024
"""A live reference is never cut: above this it is dead-lettered (CONTRACT 2); topics hold 16 MiB. A withdrawn
one goes without its list."""

SOURCE = BASE
"""ce_source: with ce_id it names an event uniquely (CloudEvents 1.0)."""

Inputs = dict[tuple[str, int], tuple[int, int]]
Problem = tuple[DeadLetterCode, str]
"""Code and message of the dead letter."""


@dataclass(frozen=True, slots=True)
class Background:
    """What the fact says beside the reference itself."""

    closed_by: str = ""
    expected_instances: int | None = None
    first_instance_at_us: int | None = None
    last_instance_at_us: int | None = None
    settle_from_ms: int | None = None
    """Input time of the last instance."""
    duplicates: int = 0
    warnings: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    inputs: Inputs = field(default_factory=dict)
    traceparent: bytes = b""


class Change:
    """How many members came, went and changed since the last revision."""

    __slots__ = ("added", "changed", "removed")

    def __init__(self, added: int, removed: int, changed: int) -> None:
        self.added, self.removed, self.changed = added, removed, changed


class Publisher:
    """Turns references into output records. `pseudonym_key` is secret; empty: no pseudonyms."""

    def __init__(
        self, pseudonym_key: bytes = b"", release: Release = R5, fact_framing: FactFraming = SINGLE_OBJECT
    ) -> None:
        self._pseudonym_key = pseudonym_key
        self._release = release
        self._fact_framing = fact_framing
        self._fact_headers = [_AVRO, *([fact_framing.header] if fact_framing.header else [])]

    def publish(
        self,
        step: Step,
        reference: ImagingReference,
        prior: Published | None,
        background: Background,
        now_ms: int,
        change: Change | None = None,
    ) -> Published | None:
        """Append a revision to `step` and return the new ledger line; None: nothing changed.

        What breaks a rule is a dead letter, and no more available to those who have it from before.
        `change` is counted from the ledger's members unless the caller knows it (a series does).
        """
        reference, content, text = self._rendered(reference)
        digest = hashlib.sha256(text).digest()
        if prior is not None and prior.content_hash == digest:
            return None
        members = {} if reference.kind is Kind.SERIES else _members(reference)
        withdrawn = str(reference.withdrawn or "")
        revision = prior.revision + 1 if prior else 1
        problem = self._problem(reference, content, text)
        if problem is not None:
            return self._refuse(step, reference, problem, digest, prior, background, now_ms)
        if change is None:
            change = _change(prior.members if prior else {}, members)
        event = _event_type(prior, withdrawn)
        headers = _headers(reference, self._release, revision, digest, event, now_ms, background.traceparent)
        value = with_meta(text, content, meta_of(content, revision, instant_of(now_ms)))
        key = reference.id.encode()
        step.outputs.append(OutputRecord(OutputTopic.FHIR, key, value, [*headers, _FHIR_JSON]))
        fact = self._fact(reference, revision, digest, background, change, now_ms)
        self._tell(step, fact, headers)
        step.events[event, reference.kind, reference.modality, background.closed_by] += 1
        if background.closed_by and fact.settle_ms is not None:
            step.settled.append((background.closed_by, fact.settle_ms))
        return Published(revision, digest, withdrawn, members, *_place(reference))

    def _refuse(
        self,
        step: Step,
        reference: ImagingReference,
        problem: Problem,
        digest: bytes,
        prior: Published | None,
        background: Background,
        now_ms: int,
    ) -> Published | None:
        """Dead-letter it, once; returns as `publish`. What readers have of one that breaks a rule is
        withdrawn; of one that grew too large it stays.
        """
        bare = _bare(reference) if problem[0] is DeadLetterCode.NO_USABLE_REFERENCE else None
        if bare is not None and prior is not None and prior.revision:
            told = self.publish(step, bare, prior, background, now_ms)
            if told is not None:
                _put_aside(step, problem, reference, now_ms)
            return told
        _put_aside(step, problem, reference, now_ms)
        revision, members = (prior.revision, prior.members) if prior else (0, {})
        return Published(revision, digest, str(reference.withdrawn or ""), members, *_place(reference))

    def _rendered(self, reference: ImagingReference) -> tuple[ImagingReference, Content, bytes]:
        """What is to be published, as resource and as text.

        A withdrawn reference that is too large goes without its list: it must not stay available.
        """
        content = self._release.render(reference)
        text = dump(content)
        if reference.withdrawn is not None and reference.instances and len(text) > MAX_REFERENCE_BYTES:
            return self._rendered(reference._replace(instances=()))
        return reference, content, text

    def erase(
        self,
        step: Step,
        erased: ImagingReference,
        prior: Published,
        now_ms: int,
        removed: int,
    ) -> int:
        """Append a null value and a fact without any instance; returns the revision that this is.

        `erased`: id, kind, study, series and modality of the reference of which nothing is left; `removed`:
        how many members it had.
        """
        digest, revision = hashlib.sha256(b"").digest(), prior.revision + 1
        erased = erased._replace(withdrawn=WithdrawalReason.DELETED)
        headers = _headers(erased, self._release, revision, digest, "erased", now_ms, b"")
        step.outputs.append(OutputRecord(OutputTopic.FHIR, erased.id.encode(), None, headers))
        fact = self._fact(erased, revision, digest, Background(), Change(0, removed, 0), now_ms)
        self._tell(step, fact._replace(withdrawal_reason=ERASED), headers)
        step.events["erased", erased.kind, erased.modality, ""] += 1
        return revision

    def _tell(self, step: Step, fact: Fact, headers: Headers) -> None:
        study, value = fact.study_instance_uid.encode(), encode_fact(fact, self._fact_framing)
        headers = [*headers, *self._fact_headers]
        step.outputs.append(OutputRecord(OutputTopic.ANALYTICS, study, value, headers))

    def _problem(self, reference: ImagingReference, content: Content, text: bytes) -> Problem | None:
        """Why it must not be published."""
        problems = check(reference) or self._release.problems(content, reference.kind is not Kind.SERIES)
        if problems:
            return DeadLetterCode.NO_USABLE_REFERENCE, "; ".join(problems[:5])
        if len(text) > MAX_REFERENCE_BYTES:
            return DeadLetterCode.TOO_LARGE, f"reference of {len(text)} bytes"
        return None

    def _fact(
        self,
        reference: ImagingReference,
        revision: int,
        digest: bytes,
        background: Background,
        change: Change,
        now_ms: int,
    ) -> Fact:
        settle_ms = None
        if background.settle_from_ms is not None:
            settle_ms = max(0, now_ms - background.settle_from_ms)
        return Fact(
            revision=revision,
            status=self._release.status_of(reference.withdrawn),
            published_at=now_ms * 1000,
            content_hash=digest.hex(),
            added=change.added,
            removed=change.removed,
            changed=change.changed,
            closed_by=background.closed_by,
            expected_instances=background.expected_instances,
            first_instance_at=background.first_instance_at_us,
            last_instance_at=background.last_instance_at_us,
            settle_ms=settle_ms,
            duplicates=background.duplicates,
            warnings=background.warnings,
            sources=background.sources,
            inputs=tuple(InputRange(*place, *span) for place, span in sorted(background.inputs.items())),
            patient_pseudonym=self._pseudonym(reference.subject),
            **_said_by(reference),
        )

    def _pseudonym(self, subject: Identifier | None) -> str:
        if not self._pseudonym_key or subject is None:
            return ""
        who = f"{subject.system or subject.assigner}|{subject.value}"
        return hmac.new(self._pseudonym_key, who.encode(), hashlib.sha256).hexdigest()


def _bare(reference: ImagingReference) -> ImagingReference | None:
    """What is published of one that readers have and that breaks a rule by now; None: that is it already."""
    if reference.withdrawn is not None and not reference.instances:
        return None
    return reference._replace(withdrawn=reference.withdrawn or WithdrawalReason.INVALID, instances=())


def _put_aside(step: Step, problem: Problem, reference: ImagingReference, now_ms: int) -> None:
    code, message = problem
    said = {
        "event": f"reference.{code}",
        "reference_id": reference.id,
        "study_instance_uid": reference.study_instance_uid,
        "series_instance_uid": reference.series_instance_uid,
        "document_uid": reference.document_uid,
    }
    step.outputs.append(described(code, message, "", "publish", said, None, now_ms))
    step.events["unpublished", code] += 1


def _said_by(reference: ImagingReference) -> dict[str, Any]:
    """The fact's fields that the reference alone decides."""
    instances = reference.instances
    classes = {instance.sop_class_uid for instance in instances}
    parts = () if reference.kind is Kind.SERIES else instances
    return {
        "reference_id": reference.id,
        "kind": reference.kind,
        "study_instance_uid": reference.study_instance_uid,
        "series_instance_uid": reference.series_instance_uid,
        "code": reference.code._replace(text=""),  # words of a person (a description, a label) may name one
        "withdrawal_reason": str(reference.withdrawn or ""),
        "source_document_uid": reference.document_uid,
        "sop_class_uid": classes.pop() if len(classes) == 1 else "",
        "content_item_path": reference.content_item_path,
        "modality": reference.modality,
        "body_site": reference.body_site,
        "instance_count": len(instances),
        "frame_count": sum(len(i.subset) for i in parts if i.subset_kind is SubsetKind.FRAMES),
        "region_count": sum(len(points_apart(i.regions_2d)) + len(i.regions_3d) for i in parts),
        "measurements": reference.measurements,
    }


def _place(reference: ImagingReference) -> tuple[str, str, str]:
    """Modality; kind and series, unless both follow from where the ledger's line is kept."""
    if reference.kind is Kind.SERIES:
        return reference.modality, "", ""
    return reference.modality, str(reference.kind), reference.series_instance_uid


ERASED = "erased"
"""The fact's reason, and the state of a reference that may come back."""

_FHIR_JSON = ("content-type", b"application/fhir+json")
_AVRO = ("content-type", b"application/avro")


def _headers(
    reference: ImagingReference,
    release: Release,
    revision: int,
    digest: bytes,
    event: str,
    now_ms: int,
    traceparent: bytes,
) -> Headers:
    """CloudEvents binary mode, and routing facts without patient data (CONTRACT 2)."""
    found = {
        "ce_specversion": "1.0",
        "ce_id": f"{reference.id}/{revision}/{digest.hex()[:8]}",
        "ce_type": f"imaging-reference.{event}",
        "ce_source": SOURCE,
        "ce_time": instant_of(now_ms),
        "ce_subject": reference.id,
        "kind": str(reference.kind),
        "modality": reference.modality,
        "study_uid": reference.study_instance_uid,
        "series_uid": reference.series_instance_uid,
        "fhir_version": release.fhir_version,
        "revision": str(revision),
        "status": release.status_of(reference.withdrawn),
    }
    headers = [(name, text.encode()) for name, text in found.items()]
    if traceparent:
        headers.append(("traceparent", traceparent))
    return headers


def _event_type(prior: Published | None, withdrawn: str) -> str:
    if withdrawn and (prior is None or not prior.withdrawn):
        return "withdrawn"
    if prior is None or prior.revision == 0:
        return "published"
    return "revised" if withdrawn or not prior.withdrawn else "revived"


def with_meta(text: bytes, content: Content, meta: Content) -> bytes:
    """The resource as published. `text`: of `content`, which begins with type, id and, if any, `meta`; a long
    list of instances is not encoded a second time.
    """
    head = dump({element: content[element] for element in ("resourceType", "id")})[:-1]
    before = b',"meta":' + dump(content["meta"]) if "meta" in content else b""
    if not text.startswith(head + before):
        raise ValueError("a resource begins with resourceType, id and meta")
    return b"".join((head, b',"meta":', dump(meta), memoryview(text)[len(head) + len(before) :]))


def _members(reference: ImagingReference) -> dict[str, int]:
    """SOP UID → CRC-32 of what is said of it; no member while withdrawn."""
    if reference.withdrawn is not None:
        return {}
    members: dict[str, int] = {}
    for instance in reference.instances:
        uid = instance.sop_instance_uid
        members[uid] = zlib.crc32(repr(tuple(instance)).encode(), members.get(uid, 0))
    return members


def _change(before: dict[str, int], after: dict[str, int]) -> Change:
    return Change(
        len(after.keys() - before.keys()),
        len(before.keys() - after.keys()),
        sum(before[uid] != after[uid] for uid in before.keys() & after.keys()),
    )
