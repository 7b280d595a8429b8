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
    """A reference was left out because none of its frame numbers is one (from 1)."""


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
        subset = _subset(reference, sop_class_uid, reading)
        if subset is None:
            frames_unusable = True
            continue
        item = ReportedItem(
            *evidence.get(sop_instance_uid, NOWHERE),
            sop_instance_uid,
            sop_class_uid,
            *subset,
            waveform_channels=_channels(reference, reading),
        )
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
        pairs = {pair for item in same for pair in item.waveform_channels}
        channels = tuple(sorted(pairs, key=lambda pair: tuple(map(int, pair.split("\\")))))
    return same[0]._replace(
        sop_class_uid=next((item.sop_class_uid for item in same if item.sop_class_uid), ""),
        subset_kind=same[0].subset_kind if subset else SubsetKind.NONE,
        subset=subset,
        waveform_channels=channels,
    )


def _subset(
    reference: DataSet, sop_class_uid: str, reading: Reading
) -> tuple[SubsetKind, tuple[str, ...]] | None:
    """Segments of a segmentation, else frames: the SOP Class decides what a subset means (FHIR
    instance.subset), so frames of a segmentation are not said.

    None if there are frame numbers and all are unusable.
    """
    if sop_class_uid in SEGMENTATIONS:
        segments = sorted(set(unsigned_numbers(reference, "ReferencedSegmentNumber", reading)))
        return (SubsetKind.SEGMENTS, tuple(map(str, segments))) if segments else (SubsetKind.NONE, ())
    sent = whole_numbers(reference, "ReferencedFrameNumber", reading)
    frames = sorted({number for number in sent if number})  # the first frame is 1 (PS3.3 table 10-3)
    if not all(sent):
        reading.warn(WarningCode.REFERENCE_MISSING)
    if sent and not frames:
        return None
    return (SubsetKind.FRAMES, tuple(map(str, frames))) if frames else (SubsetKind.NONE, ())


def _channels(reference: DataSet, reading: Reading) -> tuple[str, ...]:
    r"""Pairs of multiplex group and channel, `M\C` (PS3.3 C.18.5.1.1)."""
    if not has(reference, "ReferencedWaveformChannels"):
        return ()
    numbers = unsigned_numbers(reference, "ReferencedWaveformChannels", reading)
    pairs = sorted(set(zip(numbers[::2], numbers[1::2], strict=False)))
    return tuple(f"{group}\\{channel}" for group, channel in pairs)


def _presentation_states(reference: DataSet, evidence: Evidence, reading: Reading) -> list[Focus]:
    """The nested Referenced SOP Sequence of an image reference (PS3.3 C.18.4)."""
    found = []
    for nested in items(reference, "ReferencedSOPSequence", reading):
        sop_instance_uid = uid(nested, "ReferencedSOPInstanceUID", reading)
        place = evidence.get(sop_instance_uid)
        if place and uid(nested, "ReferencedSOPClassUID", reading) in PRESENTATION_STATES:
            found.append(Focus(FocusKind.PRESENTATION_STATE, "|".join([*place, sop_instance_uid])))
    return found
