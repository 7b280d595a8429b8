"""ImagingReference → FHIR R4 Basic, by HL7's cross-version extensions (MAPPING 1.5).

Rules of this file: R4 has no ImagingSelection, so it carries the R5 one of `fhir.r5`, element by element, in
extensions of the package hl7.fhir.uv.xver-r5.r4; nothing is decided here but where. The package's versions
do not read each other: which one is a setting. A reader without the package sees identifiers, subject, date
and, in `meta.tag`, whether it was withdrawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from processors.core.reference import ImagingReference
from processors.fhir import r5
from processors.fhir.datatypes import Content, reference_to, uid_identifier
from processors.fhir.r4_codes import with_known_codes

FHIR_VERSION = "4.0.1"
PACKAGES = ("0.1.0", "0.0.1-snapshot-2")
"""Versions of the package: the first is flat, an extension an element; the second is one nested extension."""

_PREFIX = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ImagingSelection"
_PROFILES = {
    "0.1.0": "http://hl7.org/fhir/5.0/StructureDefinition/profile-ImagingSelection",
    "0.0.1-snapshot-2": "http://hl7.org/fhir/4.0/StructureDefinition/R5-ImagingSelection-for-R4",
}
_DATATYPE = {"url": "http://hl7.org/fhir/StructureDefinition/_datatype", "valueString": "CodeableReference"}
"""R4 has no CodeableReference: the package says so beside its parts."""
_CODE = {"coding": [{"system": "http://hl7.org/fhir/fhir-types", "code": "ImagingSelection"}]}

Shape = str | Mapping[str, Any]
"""Name of a value's R4 type, or a shape for each child element."""

_REGION: Shape = {"regionType": "Code", "coordinate": "Decimal"}
_ELEMENTS: dict[str, Shape] = {
    "status": "Code",
    "issued": "Instant",
    "performer": {"function": "CodeableConcept", "actor": "Reference"},
    "basedOn": "Reference",
    "category": "CodeableConcept",
    "code": "CodeableConcept",
    "studyUid": "Id",
    "derivedFrom": "Reference",
    "endpoint": "Reference",
    "seriesUid": "Id",
    "seriesNumber": "UnsignedInt",
    "frameOfReferenceUid": "Id",
    "bodySite": {"concept": "CodeableConcept"},
    "focus": "Reference",
    "instance": {
        "uid": "Id",
        "number": "UnsignedInt",
        "sopClass": "Coding",
        "subset": "String",
        "imageRegion2D": _REGION,
        "imageRegion3D": _REGION,
    },
}
"""Elements without a place of their own in Basic, in R5's order."""


def render(
    reference: ImagingReference,
    package: str = PACKAGES[0],
    *,
    status_modifies: bool = False,
    plain_codes: bool = False,
) -> Content:
    """The resource without `meta.versionId` and `meta.lastUpdated`: what the content hash is taken of.

    `status_modifies` says the status as a modifier extension, which readers without the package must refuse
    (FHIR R4, Extensibility); in the nested form it is a part of the one extension. `plain_codes` says codes
    that R4 does not know yet as any other (`fhir.r4_codes`).
    """
    selection = r5.render(reference) if plain_codes else with_known_codes(r5.render(reference))
    if reference.focus:
        selection["focus"] = [reference_to("Basic", focus) for focus in reference.focus]
    nested = package == "0.0.1-snapshot-2"
    code = selection.pop("code") if nested else _CODE
    modifiers: list[Content] = []
    if nested:
        children = [_extension(name, shape, each) for name, shape, each in _carried(selection)]
        carried = [{"url": _PREFIX, "extension": children}]
    else:
        carried = [_extension(f"{_PREFIX}.{name}", shape, each) for name, shape, each in _carried(selection)]
        if status_modifies:
            modifiers = [carried.pop(0)]
    content: Content = {"resourceType": "Basic", "id": reference.id}
    content["meta"] = {"profile": [_PROFILES[package]], **selection.get("meta", {})}
    content["extension"] = [*selection.get("extension", ()), *carried]
    if modifiers:
        content["modifierExtension"] = modifiers
    content["identifier"] = [*selection["identifier"], _study_identifier(reference)]
    content["code"] = code
    if reference.subject is not None:
        content["subject"] = selection["subject"]
    if reference.issued:
        content["created"] = reference.issued[:10]
    return content


def skeleton(content: Content) -> Content:
    """The same with at most two instances, which are the last of their list; `content` stays as it is."""
    extensions = content["extension"]
    if extensions[-1]["url"] == _PREFIX:
        only = {"url": _PREFIX, "extension": _cut(extensions[-1]["extension"], "instance")}
        return content | {"extension": [*extensions[:-1], only]}
    return content | {"extension": _cut(extensions, f"{_PREFIX}.instance")}


def _cut(extensions: list[Content], url: str) -> list[Content]:
    first = next((at for at, each in enumerate(extensions) if each["url"] == url), len(extensions))
    return extensions[: first + 2]


def _study_identifier(reference: ImagingReference) -> Content:
    """Basic has no search by study; by identifier it has (MAPPING 1.5)."""
    kind = {"type": r5.STUDY_UID_TYPE}
    return {"use": "secondary", **kind, **uid_identifier(reference.study_instance_uid)}


def _carried(selection: Content) -> Iterator[tuple[str, Shape, Any]]:
    """(element, shape, value), a repeated element as often as it has values."""
    for name, shape in _ELEMENTS.items():
        value = selection.get(name)
        if isinstance(value, list):
            for each in value:
                yield name, shape, each
        elif value is not None:
            yield name, shape, value


def _extension(url: str, shape: Shape, value: Any) -> Content:
    if isinstance(shape, str):
        return {"url": url, f"value{shape}": value}
    children: list[Content] = [*value.get("extension", ())]
    if "concept" in shape:
        children.append(_DATATYPE)
    for name, inner in shape.items():
        child = value.get(name)
        if isinstance(child, list):
            children += [_extension(name, inner, each) for each in child]
        elif child is not None:
            children.append(_extension(name, inner, child))
    return {"url": url, "extension": children}
