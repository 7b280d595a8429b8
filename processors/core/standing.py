"""Why an instance or a document no longer stands: deleted, rejected, superseded (MAPPING 3).

Rules of this file: judgements over StudyState, pure; each returns the reasons that apply, and
`earliest` picks the one to publish (CONTRACT 4, Withdrawal reasons).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from processors.core.events import DocumentPath
from processors.core.instances import InstanceState
from processors.core.reference import PRECEDENCE, WithdrawalReason
from processors.core.study import DocumentState, StudyState, canonical_uid_of
from processors.core.versions import rivals

REVOKE = "REVOKE"
_TITLES = {
    "113001": WithdrawalReason.QUALITY,
    "113037": WithdrawalReason.PATIENT_SAFETY,
    "113038": WithdrawalReason.WRONG_WORKLIST_ENTRY,
    "113039": WithdrawalReason.RETENTION_EXPIRED,
}


def earliest(reasons: Iterable[WithdrawalReason]) -> WithdrawalReason | None:
    return min(reasons, key=PRECEDENCE.__getitem__, default=None)


def rejection_of(
    study: StudyState, series_uid: str, sop_uid: str, instance: InstanceState | None, hide_quality: bool
) -> WithdrawalReason | None:
    """The rejection in force on this path (MAPPING 3.2), or that it lies elsewhere now; else None.

    A note says it of the path, or of the SOP UID in any series of its study. A retention expiry ends when the
    instance arrives again; a revoking note lifts what was said before it.
    """
    moved = [WithdrawalReason.SUPERSEDED] if (series_uid, sop_uid) in study.moved else []
    if not study.rejections:
        return earliest(moved)
    notes = [found for key in ((series_uid, sop_uid), ("", sop_uid)) if (found := study.rejections.get(key))]
    revoked = max((titles[REVOKE] for titles in notes if REVOKE in titles), default=None)
    reasons = moved
    for titles in notes:
        for title, stamp in titles.items():
            if title == REVOKE or (revoked is not None and stamp < revoked):
                continue
            reason = _TITLES[title]
            if reason is WithdrawalReason.QUALITY and not hide_quality:
                continue
            came_back = instance is not None and instance.latest_arrival_us > stamp.occurred_at_us
            if reason is WithdrawalReason.RETENTION_EXPIRED and came_back:
                continue
            reasons.append(reason)
    return earliest(reasons)


def reasons_against(
    study: StudyState, series_uid: str, sop_uid: str, hide_quality: bool
) -> list[WithdrawalReason]:
    """Why this instance is not to be shown; empty: it stands, or was never heard of."""
    series = study.series.get(series_uid)
    instance = series.instances.get(sop_uid) if series else None
    reasons = []
    if instance is not None and instance.stamp is not None and not instance.live:
        reasons.append(WithdrawalReason.DELETED)
    rejected = rejection_of(study, series_uid, sop_uid, instance, hide_quality)
    if rejected is not None:
        reasons.append(rejected)
    return reasons


def reasons_against_document(
    study: StudyState, state: DocumentState, hide_quality: bool
) -> list[WithdrawalReason]:
    """Why a document as a whole no longer stands; a fragment carries its home's judgement."""
    if not state.at_home:
        return [WithdrawalReason(state.fragment_withdrawn)] if state.fragment_withdrawn else []
    path: DocumentPath = state.content.path
    reasons = reasons_against(study, path.series_instance_uid, path.sop_instance_uid, hide_quality)
    is_replaced = study.superseded and not study.superseded.keys().isdisjoint(_identical(study, state))
    if is_replaced or any(_is_kept(study, rival, hide_quality) for rival in rivals(study, state.content)):
        reasons.append(WithdrawalReason.SUPERSEDED)
    return reasons


def _is_kept(study: StudyState, state: DocumentState, hide_quality: bool) -> bool:
    """Neither deleted nor rejected."""
    path = state.content.path
    return not reasons_against(study, path.series_instance_uid, path.sop_instance_uid, hide_quality)


def _identical(study: StudyState, state: DocumentState) -> Iterator[str]:
    """SOP UIDs of the document and of its identical copies, as far as any copy here names them."""
    canonical = state.canonical_uid
    for path in study.families[canonical]:
        content = study.documents[path].content
        if canonical_uid_of(content) == canonical:
            yield path.sop_instance_uid
            yield from content.identical
