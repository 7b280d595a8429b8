"""ImagingReference → FHIR R5 ImagingSelection (MAPPING 1 and 2).

Rules of this file: only shape. Values come from a reference that `core.checks` passed; members in FHIR's
element order, so that equal references give equal bytes; nothing empty is written (FHIR JSON 2.6.2). Other
releases get a file each.
"""

from __future__ import annotations

from typing import Any

from processors.core.events import Region, SubsetKind
from processors.core.graphics import points_apart
from processors.core.identity import BASE
from processors.core.reference import WHOLE, ImagingReference, ReferencedInstance, WithdrawalReason
from processors.fhir.datatypes import (
    Content,
    code_of,
    codeable_concept,
    coding,
    identifier_of,
    performer_of,
    reference_to,
    uid_identifier,
)

FHIR_VERSION = "5.0.0"

WITHDRAWAL_REASON = f"{BASE}/fhir/CodeSystem/withdrawal-reason"
EXTENSIONS = f"{BASE}/fhir/StructureDefinition"
"""Of our own, for what a release has no element for."""
CONTENT_ITEM_PATH = f"{EXTENSIONS}/sr-content-item-path"
WAVEFORM_CHANNEL = f"{EXTENSIONS}/waveform-channel"
"""One extension a pair, "M\\C" (PS3.3 C.18.5): R5's subset does not know channels."""
SEGMENTATION_FRAME = f"{EXTENSIONS}/segmentation-frame"
"""One extension a frame number of a segmentation, whose subset is segments."""
MATRIX_REGION = f"{EXTENSIONS}/total-pixel-matrix-region"
"""A region in coordinates of the Total Pixel Matrix; its parts are named as those of imageRegion2D, which
counts from the image or frame."""
ARTIFACT_DESCRIPTION = "http://hl7.org/fhir/StructureDefinition/artifact-description"

STUDY_UID_TYPE = codeable_concept(code_of("DCM", "110180", "Study Instance UID"))
_ACCESSION_TYPE = codeable_concept(code_of("ACSN", "ACSN"))


def render(reference: ImagingReference) -> Content:
    """The resource without `meta.versionId` and `meta.lastUpdated`: what the content hash is taken of."""
    content = head(reference)
    _put(content, "instance", _instances(reference.instances))
    return content


def head(reference: ImagingReference) -> Content:
    """All but the instances."""
    content: Content = {"resourceType": "ImagingSelection", "id": reference.id}
    if reference.withdrawn is not None:
        content["meta"] = {"tag": [{"system": WITHDRAWAL_REASON, "code": str(reference.withdrawn)}]}
    _put(content, "extension", _extensions(reference))
    content["identifier"] = [
        {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{reference.id}"},
        {"use": "secondary", **uid_identifier(reference.document_uid or reference.series_instance_uid)},
    ]
    content["status"] = status_of(reference.withdrawn)
    if reference.subject is not None:
        content["subject"] = {"type": "Patient", "identifier": identifier_of(reference.subject)}
    _put(content, "issued", reference.issued)
    _put(content, "performer", [performer_of(performer) for performer in reference.performers])
    _put(
        content,
        "basedOn",
        [
            {"type": "ServiceRequest", "identifier": {"type": _ACCESSION_TYPE, **identifier_of(accession)}}
            for accession in reference.based_on
        ],
    )
    _put(content, "category", [codeable_concept(category) for category in reference.category])
    content["code"] = codeable_concept(reference.code)
    _put_series(content, reference)
    return content


def _put_series(content: Content, reference: ImagingReference) -> None:
    """From studyUid to focus."""
    study = reference.study_instance_uid
    content["studyUid"] = study
    content["derivedFrom"] = [
        {"type": "ImagingStudy", "identifier": {"type": STUDY_UID_TYPE, **uid_identifier(study)}}
    ]
    _put(content, "endpoint", [{"reference": endpoint} for endpoint in reference.endpoints])
    content["seriesUid"] = reference.series_instance_uid
    if reference.series_number is not None:
        content["seriesNumber"] = reference.series_number
    _put(content, "frameOfReferenceUid", reference.frame_of_reference_uid)
    if reference.body_site is not None:
        content["bodySite"] = {"concept": codeable_concept(reference.body_site)}
    _put(content, "focus", [reference_to("ImagingSelection", focus) for focus in reference.focus])


def status_of(withdrawn: WithdrawalReason | None) -> str:
    """`imagingselection-status` of MAPPING 3.1; R5 has no "no longer valid"."""
    if withdrawn is None:
        return "available"
    return "unknown" if withdrawn is WithdrawalReason.RETENTION_EXPIRED else "entered-in-error"


def _extensions(reference: ImagingReference) -> list[Content]:
    extensions = []
    if reference.description:
        extensions.append({"url": ARTIFACT_DESCRIPTION, "valueMarkdown": reference.description})
    if reference.content_item_path:
        extensions.append({"url": CONTENT_ITEM_PATH, "valueString": reference.content_item_path})
    return extensions


def _instances(instances: tuple[ReferencedInstance, ...]) -> list[Content]:
    """A dictionary an instance and one a SOP Class: a series of 10,000 passes here at every revision."""
    sop_classes = {
        uid: coding(code_of("URI", f"urn:oid:{uid}"))
        for uid in {instance.sop_class_uid for instance in instances}
        if uid
    }
    return [
        {"uid": each[0], "number": each[2], "sopClass": sop_classes[each[1]]}
        if each[2] is not None and each[1] and each[3:] == WHOLE
        else _instance(each, sop_classes)
        for each in instances
    ]


def _instance(instance: ReferencedInstance, sop_classes: dict[str, Content]) -> Content:
    entry: Content = {"uid": instance.sop_instance_uid}
    if instance.number is not None:
        entry["number"] = instance.number
    if instance.sop_class_uid:
        entry["sopClass"] = sop_classes[instance.sop_class_uid]
    return entry if instance[3:] == WHOLE else _detailed(entry, instance)


def _detailed(entry: Content, instance: ReferencedInstance) -> Content:
    detailed: Content = {}
    _put(detailed, "extension", channel_extensions(instance) + part_extensions(instance))
    detailed |= entry
    if instance.subset_kind is not SubsetKind.NONE:
        _put(detailed, "subset", list(instance.subset))
    _put(detailed, "imageRegion2D", [region_of(region) for region in points_apart(instance.regions_2d)])
    _put(detailed, "imageRegion3D", [region_of(region) for region in instance.regions_3d])
    return detailed


def channel_extensions(instance: ReferencedInstance) -> list[Content]:
    return [{"url": WAVEFORM_CHANNEL, "valueString": pair} for pair in instance.waveform_channels]


def part_extensions(instance: ReferencedInstance) -> list[Content]:
    """Parts of an instance that no release has an element for."""
    extensions: list[Content] = [
        {"url": SEGMENTATION_FRAME, "valuePositiveInt": int(frame)} for frame in instance.segmentation_frames
    ]
    for region in instance.matrix_regions:
        parts: list[Content] = [{"url": "regionType", "valueCode": region.region_type}]
        parts += [{"url": "coordinate", "valueDecimal": number} for number in _decimals(region)]
        extensions.append({"url": MATRIX_REGION, "extension": parts})
    return extensions


def region_of(region: Region) -> Content:
    return {"regionType": region.region_type, "coordinate": _decimals(region)}


def _decimals(region: Region) -> list[int | float]:
    """Whole numbers without ".0": FHIR decimals carry their precision."""
    return [int(number) if number == int(number) else number for number in region.coordinates]


def _put(content: Content, element: str, value: Any) -> None:
    """Leave out what is empty."""
    if value:
        content[element] = value
