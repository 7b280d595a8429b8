"""The rules of a reference that FHIR validators do not check (MAPPING T1).

Rules of this file: pure; `check` names element and rule, never a value (patient data). What makes a value
right is here or in `core.graphics`; mending one is its reader's business. Cost per plain instance is constant
and small: a series of 10,000 is checked in one pass without an object for each.

Texts are checked by `core.check_texts`, in the same pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime

from processors.core.check_texts import text_problems
from processors.core.events import Region, SubsetKind
from processors.core.graphics import region_problem_2d, region_problem_3d
from processors.core.reference import WHOLE, ImagingReference, Kind, ReferencedInstance
from processors.core.vocabulary import (
    KEY_OBJECT_SELECTION,
    PRESENTATION_STATES,
    STRUCTURE_SETS,
    STRUCTURED_REPORTS,
    WITHOUT_FRAMES,
)

is_uid = re.compile(r"(?!.{65})[0-9]++(?:\.[0-9]++)*+\Z").match
"""PS3.5 9.1, save that a component may begin with 0: archives hold such UIDs and answer to no other.
Possessive, for a third of the time: it is most of what a plain instance costs here."""
UID_MOST = 64
"""Characters of a UID."""
is_id = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z").match
"""FHIR datatype id."""
_is_instant = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)\Z"
).match
"""FHIR datatype instant: seconds and offset are mandatory."""
_is_number = re.compile(r"0\Z|[1-9][0-9]{0,9}\Z").match
_is_channel = re.compile(r"[1-9][0-9]{0,4}\\(?:0|[1-9][0-9]{0,4})\Z").match
_is_item_path = re.compile(r"1(?:\.[1-9][0-9]*)*\Z").match
_is_endpoint = re.compile(
    r"(?:(?:https?://[^\s]+/)?Endpoint/[A-Za-z0-9\-.]{1,64}|urn:uuid:[0-9a-f\-]{36})\Z"
).match

UNSIGNED_INT_MAX = 2**31 - 1
"""FHIR datatype unsignedInt."""

_STANDARD = "1.2.840.10008.5.1.4.1.1."
_SUBSET_FAMILIES = {
    SubsetKind.SEGMENTS: (f"{_STANDARD}66.",),
    SubsetKind.ROIS: (f"{_STANDARD}481.",),
    SubsetKind.CONTENT_ITEMS: (f"{_STANDARD}88.", f"{_STANDARD}78.6", f"{_STANDARD}79.1"),
}
"""How the SOP Classes with such a subset begin, coming ones included: R5 reads a subset by the class."""
_NO_IMAGES = STRUCTURED_REPORTS | {KEY_OBJECT_SELECTION} | PRESENTATION_STATES | STRUCTURE_SETS


def check(reference: ImagingReference) -> list[str]:
    """Broken rules, each once, in element order; empty: fit to be published."""
    problems = dict.fromkeys(_head_problems(reference))
    problems.update(dict.fromkeys(text_problems(reference)))
    problems.update(dict.fromkeys(_list_problems(reference)))
    problems.update(dict.fromkeys(_instance_problems(reference.instances)))
    for instance in [each for each in reference.instances if each[3:] != WHOLE]:
        problems.update(dict.fromkeys(_detail_problems(reference, instance)))
    return list(problems)


def _instance_problems(instances: tuple[ReferencedInstance, ...]) -> Iterator[str]:
    """Rules of every instance; by columns, since a series of 10,000 passes here at every revision."""
    if not _are_uids([instance[0] for instance in instances]):
        yield "instance.uid: is a UID of at most 64 characters"
    numbers = [instance[2] for instance in instances if instance[2] is not None]
    if numbers and not (min(numbers) >= 0 and max(numbers) <= UNSIGNED_INT_MAX):
        yield "instance.number: is an unsignedInt"
    if not all(map(is_uid, {instance[1] for instance in instances} - {""})):
        yield "instance.sopClass: is a UID of at most 64 characters"


def _are_uids(uids: list[str]) -> bool:
    """Those of a series mostly differ in their last number only: then their common part is looked at once."""
    if not uids:
        return True
    longest, first, last = max(map(len, uids)), min(uids), max(uids)
    head = first.rpartition(".")[0]
    while head and not last.startswith(f"{head}."):
        head = head.rpartition(".")[0]
    lasts = [uid[len(head) + 1 :] for uid in uids]
    digits = "".join(lasts)
    alike = head != "" and all(lasts) and digits.isdecimal() and digits.isascii()
    return (is_uid(head) is not None and longest <= UID_MOST) if alike else all(map(is_uid, uids))


def _head_problems(reference: ImagingReference) -> Iterator[str]:
    if not is_id(reference.id):
        yield "id: 1 to 64 of A-Z, a-z, 0-9, - and ."
    for element, uid in (
        ("identifier", reference.document_uid or reference.series_instance_uid),
        ("studyUid", reference.study_instance_uid),
        ("seriesUid", reference.series_instance_uid),
        ("frameOfReferenceUid", reference.frame_of_reference_uid or "0"),
    ):
        if not is_uid(uid):
            yield f"{element}: is a UID of at most 64 characters"
    if reference.issued and not _instant(reference.issued):
        yield "issued: is an instant with seconds and offset"
    if reference.series_number is not None and not 0 <= reference.series_number <= UNSIGNED_INT_MAX:
        yield "seriesNumber: is an unsignedInt"
    if reference.content_item_path and not _is_item_path(reference.content_item_path):
        yield "extension: content item path is ordinals from 1"
    if not all(map(is_id, reference.focus)) or len(set(reference.focus)) != len(reference.focus):
        yield "focus: reference ids, each once"
    if reference.id in reference.focus:
        yield "focus: is not the reference itself"
    if not all(map(_is_endpoint, reference.endpoints)):
        yield "endpoint: refers to an Endpoint"


def _list_problems(reference: ImagingReference) -> Iterator[str]:
    """Rules of the instance list as a whole."""
    instances = reference.instances
    may_be_empty = reference.withdrawn is not None or reference.kind in (Kind.SERIES, Kind.SELECTION)
    if not instances and not may_be_empty:
        yield "instance: required unless the whole series is meant, or nothing any more"
    if reference.kind is Kind.SERIES:
        distinct = len({instance.sop_instance_uid for instance in instances})
    else:
        distinct = len({(instance.sop_instance_uid, instance.subset) for instance in instances})
    if distinct != len(instances):
        yield "instance: each instance and subset once"


def _detail_problems(reference: ImagingReference, instance: ReferencedInstance) -> Iterator[str]:
    yield from _subset_problems(instance)
    if instance.regions_2d and instance.sop_class_uid in _NO_IMAGES:
        yield "instance.imageRegion2D: only on an image"
    yield from _region_problems("instance.imageRegion2D", instance.regions_2d, region_problem_2d)
    if instance.regions_3d and not reference.frame_of_reference_uid:
        yield "instance.imageRegion3D: requires frameOfReferenceUid"
    yield from _region_problems("instance.imageRegion3D", instance.regions_3d, region_problem_3d)
    yield from _extension_problems(instance)


def _extension_problems(instance: ReferencedInstance) -> Iterator[str]:
    """What R5 has no element for: waveform channels, frames of segmentations, regions of whole slides."""
    channels = instance.waveform_channels
    if not all(map(_is_channel, channels)) or len(set(channels)) != len(channels):
        yield "instance.extension: waveform channels are M\\C pairs, each once"
    frames = instance.segmentation_frames
    if frames and not instance.sop_class_uid.startswith(_SUBSET_FAMILIES[SubsetKind.SEGMENTS]):
        yield "instance.extension: only a segmentation has segmentation frames"
    if not all(map(_is_number, frames)) or sorted({*map(int, frames)} - {0}) != [*map(int, frames)]:
        yield "instance.extension: segmentation frames count from 1, in order, each once"
    if instance.matrix_regions and instance.sop_class_uid in _NO_IMAGES:
        yield "instance.extension: only an image has a Total Pixel Matrix"
    where = "instance.extension: Total Pixel Matrix region"
    yield from _region_problems(where, instance.matrix_regions, region_problem_2d)


def _region_problems(
    element: str, regions: tuple[Region, ...], problem_of: Callable[[Region], str | None]
) -> Iterator[str]:
    for problem in filter(None, map(problem_of, regions)):
        yield f"{element}: {problem}"


def _subset_problems(instance: ReferencedInstance) -> Iterator[str]:
    kind, subset = instance.subset_kind, instance.subset
    if (kind is SubsetKind.NONE) != (not subset):
        yield "instance.subset: has a kind if and only if it has members"
    if len(set(subset)) != len(subset):
        yield "instance.subset: each member once"
    if kind is SubsetKind.CONTENT_ITEMS:
        if not all(map(is_uid, subset)):
            yield "instance.subset: content items are Observation UIDs"
    elif not all(map(_is_number, subset)):
        yield "instance.subset: numbers without leading zeros"
    else:
        numbers = [int(member) for member in subset]
        if numbers != sorted(numbers):
            yield "instance.subset: in numeric order"
        if 0 in numbers and kind is not SubsetKind.ROIS:
            yield "instance.subset: frames and segments count from 1"
    if kind and not _fits_class(kind, instance.sop_class_uid):
        yield "instance.subset: is of the kind that the SOP Class decides"


def _fits_class(kind: SubsetKind, sop_class_uid: str) -> bool:
    """A class that is not said, or is private, may have any."""
    if kind is SubsetKind.FRAMES:
        return sop_class_uid not in WITHOUT_FRAMES
    return not sop_class_uid.startswith(_STANDARD) or sop_class_uid.startswith(_SUBSET_FAMILIES[kind])


def _instant(text: str) -> bool:
    if not _is_instant(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
