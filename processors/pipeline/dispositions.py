"""How a record ended, where it takes more than the fold to say (CONTRACT 4).

Rules of this file: one disposition a record; what could not be used is put aside with its reason.
"""

from __future__ import annotations

from typing import Any

from processors.core.events import Document, DocumentArrived
from processors.core.reference import WithdrawalReason
from processors.core.study import Disposition
from processors.errors import DeadLetterCode, IgnoredReason, Refused
from processors.pipeline.dead_letters import of_record
from processors.pipeline.evaluation import Work
from processors.pipeline.records import Record, Step

PURGED = Disposition("dead_lettered", DeadLetterCode.SERIES_UNKNOWN)
_PURGED = Refused(DeadLetterCode.SERIES_UNKNOWN, "its study was purged (state.retention_days)")


def put_aside(step: Step, record: Record, now_ms: int) -> None:
    """It would change references that were purged; how it ended is the caller's to count."""
    step.outputs.append(of_record(record, _PURGED, "purge", now_ms))
    step.events["frozen",] += 1


def refuse(step: Step, record: Record, refused: Refused, now_ms: int, stage: str) -> None:
    step.dispositions["dead_lettered", refused.code] += 1
    step.outputs.append(of_record(record, refused, stage, now_ms))


def dispose_forwarded(step: Step, record: Record, event: Any, now_ms: int, is_told: bool) -> None:
    """A document that reading alone refuses is put aside here, where its record is; its home folds it."""
    if type(event) is DocumentArrived and event.document.problem and not is_told:
        refuse(step, record, _problem_of(event.document), now_ms, "document")
    else:
        step.dispositions["forwarded", ""] += 1


def dispose(
    step: Step,
    record: Record,
    work: Work,
    document: Document,
    disposition: Disposition,
    now_ms: int,
    publish_manifests: bool,
    is_told: bool,
) -> None:
    """How a document's record ended, now that what it refers to was judged; `is_told`: by the intake."""
    state = work.study.documents.get(document.path)
    if state is None:  # erased by a later record of the same batch
        step.dispositions[disposition] += 1
        return
    view = work.views.get(state.canonical_uid)
    made = list(view.references.values()) if view else []
    if disposition.outcome != "applied":
        step.dispositions[disposition] += 1
    elif document.problem and not is_told:
        refuse(step, record, _problem_of(document), now_ms, "document")
    elif document.manifest and not publish_manifests:
        empty = not any(group.items for group in document.groups)
        reason = IgnoredReason.EMPTY_MANIFEST if empty else IgnoredReason.MANIFEST
        step.dispositions["ignored", reason] += 1
    elif document.withheld:
        step.dispositions["ignored", IgnoredReason.UNFINISHED_REPORT] += 1
    elif not made and view and document.path in view.unresolved:
        step.dispositions["parked", ""] += 1
    elif made and not state.sent and all(r.withdrawn is WithdrawalReason.INVALID for r in made):
        refused = Refused(DeadLetterCode.FRAME_OUT_OF_RANGE, "no frame that the image has", "(0008,1160)")
        refuse(step, record, refused, now_ms, "document")
    else:
        step.dispositions["applied", ""] += 1


def _problem_of(document: Document) -> Refused:
    code = DeadLetterCode(document.problem)
    return Refused(code, "nothing that it refers to can be used", document.problem_tag)
