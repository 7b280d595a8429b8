"""Which of the instances a document or a selection names are listed, and how.

Rules of this file: one bucket of reported items of one series → referenced instances, judged by what is known
of each; pure. Used by `document_references` and by selections.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from processors.core.events import ReportedItem, SubsetKind
from processors.core.instances import InstanceState
from processors.core.policy import Policy
from processors.core.reference import ReferencedInstance, WithdrawalReason
from processors.core.standing import reasons_against
from processors.core.study import StudyState
from processors.core.vocabulary import SEGMENTATIONS, WITHOUT_FRAMES


class Listing(NamedTuple):
    instances: tuple[ReferencedInstance, ...]
    """Sorted by number, then UID."""
    reasons: tuple[WithdrawalReason, ...]
    """Why none stands; empty: those listed stand."""
    frame_of_reference_uid: str
    """Common to all listed ones, each known; else empty."""
    holders: tuple[InstanceState, ...]
    """The known ones among those listed."""


class _Judged(NamedTuple):
    item: ReportedItem
    instance: InstanceState | None
    reasons: list[WithdrawalReason]
    valid: bool


def list_items(
    study: StudyState, series_uid: str, items: Sequence[ReportedItem], policy: Policy, standing: bool
) -> Listing:
    """List what stands; if nothing does, or the source itself does not (`standing` False), everything."""
    judged = [_judge(study, series_uid, item, policy) for item in items]
    valid = [j for j in judged if j.valid]
    stands = [j for j in valid if not j.reasons]
    reasons: list[WithdrawalReason] = []
    if not stands:
        reasons = [r for j in valid for r in j.reasons] or [WithdrawalReason.INVALID] * bool(items)
    chosen = (stands if standing else valid) or valid or judged
    entries = _merged((_entry(j), j.instance) for j in chosen)
    entries.sort(key=lambda e: (e[0].number is None, e[0].number or 0, e[0].sop_instance_uid))
    distinct = {i.header.frame_of_reference_uid if i and i.stamp else "" for _, i in entries}
    return Listing(
        tuple(e for e, _ in entries),
        tuple(reasons),
        distinct.pop() if len(distinct) == 1 else "",
        tuple(i for _, i in entries if i is not None),
    )


def _judge(study: StudyState, series_uid: str, item: ReportedItem, policy: Policy) -> _Judged:
    series = study.series.get(series_uid)
    instance = series.instances.get(item.sop_instance_uid) if series else None
    reasons = reasons_against(study, series_uid, item.sop_instance_uid, policy.hide_quality_rejections)
    frames = instance.header.frames if instance else None
    sent = item.subset if item.subset_kind is SubsetKind.FRAMES else item.segmentation_frames
    if not sent or frames is None:
        return _Judged(item, instance, reasons, True)
    # PS3.3 table 10-3: the first frame is 1; numbers beyond the image mean nothing.
    within = tuple(f for f in sent if 1 <= int(f) <= frames)
    if not within:
        return _Judged(item, instance, reasons, False)
    if item.subset_kind is SubsetKind.FRAMES:
        return _Judged(item._replace(subset=within), instance, reasons, True)
    return _Judged(item._replace(segmentation_frames=within), instance, reasons, True)


def _entry(judged: _Judged) -> ReferencedInstance:
    item, instance = judged.item, judged.instance
    known = instance.header if instance else None
    sop_class_uid = (known.sop_class_uid if known else "") or item.sop_class_uid
    kind, subset, frames = item.subset_kind, item.subset, item.segmentation_frames
    if kind is SubsetKind.FRAMES and sop_class_uid in WITHOUT_FRAMES:
        frames = subset if sop_class_uid in SEGMENTATIONS else ()
        kind, subset = SubsetKind.NONE, ()
    return ReferencedInstance(
        item.sop_instance_uid,
        sop_class_uid,
        known.number if known else None,
        kind,
        subset,
        item.regions_2d,
        item.regions_3d,
        item.waveform_channels,
        frames,
        item.matrix_regions,
    )


Entry = tuple[ReferencedInstance, InstanceState | None]


def _merged(entries: Iterable[Entry]) -> list[Entry]:
    """One entry an instance, subsets united; the whole instance swallows its parts.

    With regions or channels, one entry an instance and subset: they apply to all frames of their entry (FHIR
    instance.imageRegion2D). What is named without them, too, is not listed again.
    """
    merged: dict[tuple[str, ...], Entry] = {}
    for entry, instance in entries:
        plain = not (entry.regions_2d or entry.regions_3d or entry.waveform_channels or entry.matrix_regions)
        uid = entry.sop_instance_uid
        key = (uid,) if plain else _with_detail(entry)
        other = merged.get(key)
        merged[key] = (entry if other is None else _united(other[0], entry), instance)
    return [kept for key, kept in merged.items() if len(key) > 1 or _with_detail(kept[0]) not in merged]


def _with_detail(entry: ReferencedInstance) -> tuple[str, ...]:
    """The key of the same instance and subset with regions or channels."""
    return (entry.sop_instance_uid, entry.subset_kind, *entry.subset)


def _united(one: ReferencedInstance, other: ReferencedInstance) -> ReferencedInstance:
    frames: set[str] = set()
    if one.segmentation_frames and other.segmentation_frames:
        frames = {*one.segmentation_frames, *other.segmentation_frames}
    one = one._replace(segmentation_frames=tuple(sorted(frames, key=int)))
    if one.subset != other.subset or one.subset_kind is not other.subset_kind:
        if one.subset_kind is not other.subset_kind or not one.subset or not other.subset:
            return one._replace(subset_kind=SubsetKind.NONE, subset=())
        numeric = one.subset_kind is not SubsetKind.CONTENT_ITEMS
        united = set(one.subset) | set(other.subset)
        return one._replace(subset=tuple(sorted(united, key=int) if numeric else sorted(united)))
    return one._replace(
        regions_2d=tuple(dict.fromkeys(one.regions_2d + other.regions_2d)),
        regions_3d=tuple(dict.fromkeys(one.regions_3d + other.regions_3d)),
        waveform_channels=tuple(dict.fromkeys(one.waveform_channels + other.waveform_channels)),
        matrix_regions=tuple(dict.fromkeys(one.matrix_regions + other.matrix_regions)),
    )
