"""A shared resource → the `selection` of `selection.made` (CONTRACT 3).

Rules of this file: only shape. What fits no selection is said by Unusable; whether UIDs, frames and regions
hold is judged by the processor, which has codes for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from processors.core.events import Region, SubsetKind
from processors.core.reference import ReferencedInstance
from processors.core.vocabulary import DCM
from processors.errors import UsageError
from processors.fhir.reading import read_reference
from processors.fhircast.context import (
    STUDY,
    Json,
    dicom_uid,
    objects,
    series_of,
    study_uid_of,
    text,
)

OF_INTEREST = {"system": DCM, "code": "113000", "display": "Of Interest"}
"""CID 7010: a study that somebody adds to a report says no more."""


class Unusable(Exception):
    """The text is the rule that it breaks, as a label of a metric has it."""


class Made(NamedTuple):
    study_instance_uid: str
    series_instance_uid: str
    selection: Json


def made_of(resource: Json, studies: dict[str, str]) -> list[Made]:
    """One of an ImagingSelection, one a series of an ImagingStudy; `studies` as in Context.

    Raises Unusable.
    """
    made = list(_of_study(resource)) if resource.get("resourceType") == STUDY else [_of(resource, studies)]
    if not made:
        raise Unusable("without_series")
    return made


def _of(resource: Json, studies: dict[str, str]) -> Made:
    study, series = series_of(resource, studies)
    if not study or not series:
        raise Unusable("without_series")
    try:
        read = read_reference(resource)
    except UsageError:
        raise Unusable("not_as_fhir_has_it") from None
    code = next(iter(objects(resource.get("code"))), {})
    coding = next(iter(objects(code.get("coding"))), {})
    selection = {
        "selection_id": text(resource.get("id")),
        "code": _said(coding, "system", "code", "display"),
        "text": text(code.get("text")),
        "issued": text(resource.get("issued")),
        "performer": [
            _performer(actor)
            for each in objects(resource.get("performer"))
            for actor in objects(each.get("actor"))
        ],
        "frame_of_reference_uid": dicom_uid(read.frame_of_reference_uid),
        "instances": [_instance(each) for each in read.instances],
    }
    return Made(study, series, {name: value for name, value in selection.items() if value})


def _of_study(resource: Json) -> Iterator[Made]:
    """R4 and R5 name the same elements; a study without its series points at nothing."""
    study = study_uid_of(resource)
    for series in objects(resource.get("series")):
        uid = dicom_uid(series.get("uid"))
        if not study or not uid:
            continue
        instances = [
            {"sop_instance_uid": dicom_uid(each.get("uid")), "sop_class_uid": sop_class}
            for each in objects(series.get("instance"))
            for sop_class in [dicom_uid(_code(each.get("sopClass")))]
        ]
        selection: Json = {"selection_id": text(resource.get("id")), "code": OF_INTEREST}
        yield Made(study, uid, selection | ({"instances": instances} if instances else {}))


def _instance(read: ReferencedInstance) -> Json:
    said: Json = {"sop_instance_uid": dicom_uid(read.sop_instance_uid)}
    if read.sop_class_uid:
        said["sop_class_uid"] = read.sop_class_uid
    if read.subset_kind is not SubsetKind.NONE:
        said[read.subset_kind] = list(read.subset)
    for name, regions in (("regions_2d", read.regions_2d), ("regions_3d", read.regions_3d)):
        if regions:
            said[name] = [_region(each) for each in regions]
    return said


def _region(region: Region) -> Json:
    return {"region_type": region.region_type, "coordinates": list(region.coordinates)}


def _performer(actor: Json) -> Json:
    """The type may be said by a literal reference only; its id means something at one server."""
    kind = text(actor.get("type")) or text(actor.get("reference")).rpartition("/")[0].rpartition("/")[2]
    identifier = next(iter(objects(actor.get("identifier"))), {})
    said = {"type": kind, "display": text(actor.get("display"))}
    return said | ({"identifier": _said(identifier, "system", "value")} if identifier else {})


def _code(value: Any) -> str:
    """Of a Coding, or of a CodeableConcept."""
    return next((text(each.get("code")) for each in objects(value)), "")


def _said(value: Json, *names: str) -> Json:
    return {name: said for name in names if (said := text(value.get(name)))}
