"""References to SOP Instances as reported items: those of content items (PS3.3 C.18.3 to C.18.5) and the
Image SOP Instance Reference Macro (PS3.3 10.3) of other objects.

Rules of this file: items of one sequence to reported items with their place and subset; why they are
referenced belongs to the reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from processors.core.events import Focus, FocusKind, ReportedItem, SubsetKind
from processors.core.vocabulary import PRESENTATION_STATES, SEGMENTATIONS
from processors.dicom.data_set import DataSet
from processors.dicom.evidence import NOWHERE, Evidence
from processors.dicom.reading import Reading
from processors.dicom.uids import uid
from processors.dicom.values import has, items, unsigned_numbers, whole_numbers
from processors.errors import WarningCode


class SopReferences(NamedTuple):
    items: tuple[ReportedItem, ...] = ()
    focus: tuple[Focus, ...] = ()
    """Presentation states the images are meant to be seen with."""
    frames_unusable: bool = False
    """A reference was left out because none of its frame or segment numbers is one (from 1)."""


def sop_references(content_item: DataSet, evidence: Evidence, reading: Reading) -> SopReferences:
    """Instances that an IMAGE, WAVEFORM or COMPOSITE item names; in the retired trial classes by Referenced
    Image Sequence (0008,1140).

    Warning `reference_missing` where Referenced SOP Sequence (0008,1199), type 1, or a UID in it is missing,
    and where a frame number is none.
    """
    references = items(content_item, "ReferencedSOPSequence", reading)
    references += items(content_item, "ReferencedImageSequence", reading)
    if not references:
        reading.warn(WarningCode.REFERENCE_MISSING)
    return named_instances(references, evidence, reading)


def named_instances(references: Iterable[DataSet], evidence: Evidence, reading: Reading) -> SopReferences:
    """What the items of one sequence name, each item on its own; warnings as above."""
    found: list[ReportedItem] = []
    focus: list[Focus] = []
    frames_unusable = False
    for reference in references:
        sop_instance_uid = uid(reference, "ReferencedSOPInstanceUID", reading)
        if not sop_instance_uid:
            reading.warn(WarningCode.REFERENCE_MISSING)
            continue
        sop_class_uid = uid(reference, "ReferencedSOPClassUID", reading)
        named = ReportedItem(
            *evidence.get(sop_instance_uid, NOWHERE),
            sop_instance_uid,
            sop_class_uid,
            waveform_channels=_channels(reference, reading),
        )
        item = _narrowed(named, reference, reading)
        if item is None:
            frames_unusable = True
            continue
        found.append(item)
        focus += _presentation_states(reference, evidence, reading)
    return SopReferences(tuple(found), tuple(focus), frames_unusable)


def united(found: Iterable[ReportedItem]) -> tuple[ReportedItem, ...]:
    """One entry for each SOP Instance, in order: subsets are united, a whole instance swallows its parts."""
    entries: dict[str, list[ReportedItem]] = {}
    for item in found:
        entries.setdefault(item.sop_instance_uid, []).append(item)
    return tuple(same[0] if len(same) == 1 else _one_of(same) for same in entries.values())


def _one_of(same: list[ReportedItem]) -> ReportedItem:
    subset: tuple[str, ...] = ()
    if len({item.subset_kind for item in same}) == 1 and all(item.subset for item in same):
        subset = tuple(sorted({member for item in same for member in item.subset}, key=int))
    channels: tuple[str, ...] = ()
    if all(item.waveform_channels for item in same):
        pairs = {pair.partition("\\") for item in same for pair in item.waveform_channels}
        channels = _in_order({(int(group), int(channel)) for group, _, channel in pairs})
    frames: set[str] = set()
    if all(item.segmentation_frames for item in same):
        frames = {frame for item in same for frame in item.segmentation_frames}
    return same[0]._replace(
        sop_class_uid=next((item.sop_class_uid for item in same if item.sop_class_uid), ""),
        subset_kind=same[0].subset_kind if subset else SubsetKind.NONE,
        subset=subset,
        waveform_channels=channels,
        segmentation_frames=tuple(sorted(frames, key=int)),
    )


def _narrowed(named: ReportedItem, reference: DataSet, reading: Reading) -> ReportedItem | None:
    """With its frames, or segments of a segmentation: the SOP Class decides what a subset means (FHIR
    instance.subset), so frames of a segmentation stand beside it.

    None if there are numbers of what the subset is and all are unusable.
    """
    frames = _counted(whole_numbers(reference, "ReferencedFrameNumber", reading), reading)
    if named.sop_class_uid in SEGMENTATIONS:
        kind = SubsetKind.SEGMENTS
        subset = _counted(unsigned_numbers(reference, "ReferencedSegmentNumber", reading), reading)
        named = named._replace(segmentation_frames=frames or ())
    else:
        kind, subset = SubsetKind.FRAMES, frames
    if subset is None:
        return None
    return named._replace(subset_kind=kind, subset=subset) if subset else named


def _counted(sent: tuple[int | None, ...], reading: Reading) -> tuple[str, ...] | None:
    """Frame or segment numbers in order, each once; both count from 1 (PS3.3 tables 10-3 and C.8.20-4), and 0
    is the background of a label map. Others: `reference_missing`, and None if there are only those.
    """
    if not all(sent):
        reading.warn(WarningCode.REFERENCE_MISSING)
    usable = sorted({number for number in sent if number})
    return None if sent and not usable else tuple(map(str, usable))


def _channels(reference: DataSet, reading: Reading) -> tuple[str, ...]:
    r"""Pairs of multiplex group, from 1, and channel, `M\C`; channel 0 is all of the group and swallows them
    (PS3.3 C.18.5.1.1). What is no pair: `reference_missing`.
    """
    if not has(reference, "ReferencedWaveformChannels"):
        return ()
    numbers = unsigned_numbers(reference, "ReferencedWaveformChannels", reading)
    sent = list(zip(numbers[::2], numbers[1::2], strict=False))
    pairs = {pair for pair in sent if pair[0]}
    if len(numbers) % 2 or not all(group for group, _ in sent):
        reading.warn(WarningCode.REFERENCE_MISSING)
    return _in_order(pairs)


def _in_order(pairs: set[tuple[int, int]]) -> tuple[str, ...]:
    whole = {group for group, channel in pairs if channel == 0}
    said = (pair for pair in sorted(pairs) if pair[1] == 0 or pair[0] not in whole)
    return tuple(f"{group}\\{channel}" for group, channel in said)


def _presentation_states(reference: DataSet, evidence: Evidence, reading: Reading) -> list[Focus]:
    """The nested Referenced SOP Sequence of an image reference (PS3.3 C.18.4); writers often leave what it
    names out of their evidence.
    """
    found = []
    for nested in items(reference, "ReferencedSOPSequence", reading):
        sop_instance_uid = uid(nested, "ReferencedSOPInstanceUID", reading)
        if sop_instance_uid and uid(nested, "ReferencedSOPClassUID", reading) in PRESENTATION_STATES:
            place = evidence.get(sop_instance_uid, NOWHERE)
            found.append(Focus(FocusKind.PRESENTATION_STATE, "|".join([*place, sop_instance_uid])))
    return found
