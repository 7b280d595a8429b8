"""What a content item points at: the Image, Waveform and Composite Reference Macros (PS3.3 C.18.3 to C.18.5).

Rules of this file: one content item to the instances it names; merging and placing of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pydicom import Dataset

from processors.core.events import Focus, FocusKind, ReportedItem, SubsetKind
from processors.core.vocabulary import SEGMENTATIONS
from processors.dicom.evidence import NOWHERE, Evidence
from processors.dicom.reading import Reading
from processors.dicom.uids import uid
from processors.dicom.values import items, unsigned_numbers, whole_numbers
from processors.errors import WarningCode


class ReferencedItem(NamedTuple):
    """One referenced instance, with the presentation states it is to be shown with (SOP UIDs)."""

    item: ReportedItem
    presentation_states: tuple[str, ...] = ()


class Referenced(NamedTuple):
    """What one content item names. `out_of_range`: how many were dropped for a frame number below 1."""

    found: tuple[ReferencedItem, ...]
    out_of_range: int = 0


def referenced(content_item: Dataset, places: Evidence, reading: Reading) -> Referenced:
    """Instances of an IMAGE, WAVEFORM or COMPOSITE item. None or an unusable one: `reference_missing`.

    A frame number that is no whole number from 1 drops its reference: the sender may have counted from 0, and
    then the others are wrong, too. Numbers beyond the image are judged when the image is known.
    """
    found, out_of_range = [], 0
    for reference in items(content_item, "ReferencedSOPSequence", reading):
        sop_uid = uid(reference, "ReferencedSOPInstanceUID", reading)
        if not sop_uid:
            continue
        frames = whole_numbers(reference, "ReferencedFrameNumber", reading)
        if all(frames):
            item = _item(reference, sop_uid, frames, places, reading)
            found.append(ReferencedItem(item, _presentation_states(reference, reading)))
        else:
            out_of_range += 1
    if not found:
        reading.warn(WarningCode.REFERENCE_MISSING)
    return Referenced(tuple(found), out_of_range)


def merged(found: Iterable[ReportedItem]) -> tuple[ReportedItem, ...]:
    """One entry for each SOP Instance, in order of first mention: subsets united; a whole instance swallows
    its parts. For items without regions."""
    entries: dict[str, ReportedItem] = {}
    for item in found:
        known = entries.get(item.sop_instance_uid)
        entries[item.sop_instance_uid] = _union(known, item) if known else item
    return tuple(entries.values())


def presentation_focus(found: Iterable[ReferencedItem], places: Evidence) -> tuple[Focus, ...]:
    """The presentation states of `found` whose place the evidence tells (PS3.3 C.18.4), in order, unique."""
    focus: dict[Focus, None] = {}
    for state_uid in (state for entry in found for state in entry.presentation_states):
        place = places.get(state_uid)
        if place:
            focus[Focus(FocusKind.PRESENTATION_STATE, "|".join((*place, state_uid)))] = None
    return tuple(focus)


def numbers_text(numbers: Iterable[int]) -> tuple[str, ...]:
    """Numbers as a subset: sorted by value, unique, decimal text."""
    return tuple(map(str, sorted(set(numbers))))


def _item(
    reference: Dataset, sop_uid: str, frames: tuple[int | None, ...], places: Evidence, reading: Reading
) -> ReportedItem:
    class_uid = uid(reference, "ReferencedSOPClassUID", reading)
    segments = unsigned_numbers(reference, "ReferencedSegmentNumber", reading)
    kind, subset = SubsetKind.FRAMES, numbers_text(frame for frame in frames if frame)
    if class_uid in SEGMENTATIONS or segments:  # of a segmentation, only segments can be said (MAPPING 1.2)
        kind, subset = SubsetKind.SEGMENTS, numbers_text(segment for segment in segments if segment)
    channels = unsigned_numbers(reference, "ReferencedWaveformChannels", reading)
    pairs = dict.fromkeys(zip(channels[::2], channels[1::2], strict=False))
    return ReportedItem(
        *places.get(sop_uid, NOWHERE),
        sop_uid,
        class_uid,
        subset_kind=kind if subset else SubsetKind.NONE,
        subset=subset,
        waveform_channels=tuple(f"{group}\\{channel}" for group, channel in sorted(pairs)),
    )


def _presentation_states(reference: Dataset, reading: Reading) -> tuple[str, ...]:
    nested = items(reference, "ReferencedSOPSequence", reading)
    return tuple(filter(None, (uid(state, "ReferencedSOPInstanceUID", reading) for state in nested)))


def _union(one: ReportedItem, other: ReportedItem) -> ReportedItem:
    subset: tuple[str, ...] = ()
    if one.subset_kind == other.subset_kind and one.subset and other.subset:
        subset = numbers_text(map(int, one.subset + other.subset))
    channels: tuple[str, ...] = ()
    if one.waveform_channels and other.waveform_channels:
        channels = tuple(sorted({*one.waveform_channels, *other.waveform_channels}, key=_pair))
    return one._replace(
        sop_class_uid=one.sop_class_uid or other.sop_class_uid,
        subset_kind=one.subset_kind if subset else SubsetKind.NONE,
        subset=subset,
        waveform_channels=channels,
    )


def _pair(channel: str) -> tuple[int, ...]:
    return tuple(map(int, channel.split("\\")))
