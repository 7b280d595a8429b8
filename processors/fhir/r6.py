"""ImagingReference → FHIR R6 ImagingSelection as in 6.0.0-snapshot1, a preview (MAPPING 1.4).

Rules of this file: only what differs from `fhir.r5`, which says the rest. R6 is not final: what is written
here follows one named snapshot, and changes with the next one.
"""

from __future__ import annotations

from processors.core.events import Region, SubsetKind
from processors.core.reference import WHOLE, ImagingReference, Kind, ReferencedInstance, WithdrawalReason
from processors.core.vocabulary import STRUCTURED_REPORTS
from processors.fhir import r5
from processors.fhir.datatypes import Content

FHIR_VERSION = "6.0.0-snapshot1"

OBSERVATION_UID = f"{r5.EXTENSIONS}/observation-uid"
"""R6 finds a content item by its position, and has no element for the UID that a sender may know instead."""
REGION_OF_INTEREST = f"{r5.EXTENSIONS}/region-of-interest"
"""ROI Number 0, which DICOM allows and positiveInt does not."""

_IN_ERROR = {WithdrawalReason.PATIENT_SAFETY, WithdrawalReason.WRONG_WORKLIST_ENTRY}
NUMBERED = {
    SubsetKind.FRAMES: "frameNumber",
    SubsetKind.SEGMENTS: "segmentNumber",
    SubsetKind.ROIS: "regionOfInterest",
}
"""An element a kind of subset."""


def render(reference: ImagingReference) -> Content:
    """The resource without `meta.versionId` and `meta.lastUpdated`: what the content hash is taken of."""
    content = r5.head(reference)
    content["status"] = status_of(reference.withdrawn)
    content["derivedFrom"] = content["derivedFrom"][0]
    if "bodySite" in content:
        content["bodySite"] = [content["bodySite"]]
    regions = [_region(each) for instance in reference.instances for each in instance.regions_3d]
    if regions and all(instance.sop_class_uid in STRUCTURED_REPORTS for instance in reference.instances):
        # A region in space needs no instance; R5 hangs it on the report that describes it.
        del content["seriesUid"]
        content.pop("seriesNumber", None)
    elif reference.instances:
        content["instance"] = _instances(reference)
    if reference.kind is Kind.SOURCE_ITEM:
        _drop_extension(content, r5.CONTENT_ITEM_PATH)
    if regions:
        content["imageRegion3D"] = regions
    return content


def status_of(withdrawn: WithdrawalReason | None) -> str:
    """`imagingselection-status` of MAPPING 3.1, with R6's "no longer valid"."""
    if withdrawn is None:
        return "available"
    return "entered-in-error" if withdrawn in _IN_ERROR else "inactive"


def _instances(reference: ImagingReference) -> list[Content]:
    rendered = []
    path = reference.content_item_path if reference.kind is Kind.SOURCE_ITEM else ""
    for instance in reference.instances:
        entry: Content = {"uid": instance.sop_instance_uid}
        if instance.number is not None:
            entry["number"] = instance.number
        if instance.sop_class_uid:
            entry["sopClass"] = f"urn:oid:{instance.sop_class_uid}"
        if path:
            entry["referencedContentItemIdentifier"] = [int(ordinal) for ordinal in path.split(".")]
        elif instance[3:] != WHOLE:
            entry = _detailed(entry, instance)
        rendered.append(entry)
    return rendered


def _detailed(entry: Content, instance: ReferencedInstance) -> Content:
    """An element a kind of subset (isl-10, isl-11), all positiveInt; what they cannot say is an extension."""
    numbers = [int(number) for pair in instance.waveform_channels for number in pair.split("\\")]
    extensions = r5.part_extensions(instance)
    if 0 in numbers:  # all channels of a group
        extensions += r5.channel_extensions(instance)
    elif numbers:
        entry["waveFormChannel"] = numbers
    if instance.subset_kind is SubsetKind.CONTENT_ITEMS:
        extensions += [{"url": OBSERVATION_UID, "valueId": uid} for uid in instance.subset]
    elif instance.subset_kind is not SubsetKind.NONE:
        positive = [int(number) for number in instance.subset if number != "0"]
        if len(positive) < len(instance.subset):
            extensions.append({"url": REGION_OF_INTEREST, "valueUnsignedInt": 0})
        if positive:
            entry[NUMBERED[instance.subset_kind]] = positive
    if instance.regions_2d:
        entry["imageRegion2D"] = [_region(each) for each in instance.regions_2d]
    return {"extension": extensions, **entry} if extensions else entry


def _region(region: Region) -> Content:
    """R6 has multipoint and no interpolated: the curve's points are kept, as a polyline."""
    region_type = "polyline" if region.region_type == "interpolated" else region.region_type
    return r5.region_of(region._replace(region_type=region_type))


def _drop_extension(content: Content, url: str) -> None:
    kept = [extension for extension in content.pop("extension", ()) if extension["url"] != url]
    if kept:
        content["extension"] = kept
