"""FHIR's general datatypes that every release shares: Coding, CodeableConcept, Identifier, Reference.

Rules of this file: pure shape, members in FHIR's element order, nothing empty.
"""

from __future__ import annotations

from typing import Any

from processors.core.events import Code, Concept, Performer
from processors.core.reference import Identifier
from processors.core.vocabulary import DCM, DICOM_UID_SYSTEM

Content = dict[str, Any]
"""A resource, or a part of one, as parsed JSON."""

SYSTEMS = {
    "DCM": DCM,
    "URI": "urn:ietf:rfc:3986",
    "ACSN": "http://terminology.hl7.org/CodeSystem/v2-0203",
    "PARTICIPATION": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
}
"""Short name → code system, of those that we choose ourselves (MAPPING 5.3)."""

PARTICIPATION_DISPLAYS = {
    "CON": "consultant",
    "VRF": "verifier",
    "PRF": "performer",
    "SPRF": "secondary performer",
    "REF": "referrer",
}


def code_of(scheme: str, code: str, display: str = "") -> Concept:
    return Concept(Code(SYSTEMS[scheme], code, display))


def coding(concept: Concept) -> dict[str, Any]:
    """Coding of a concept that has one."""
    assert concept.coding is not None
    system, code, display = concept.coding
    return {"system": system, "code": code, **({"display": display} if display else {})}


def codeable_concept(concept: Concept) -> dict[str, Any]:
    """A code without a system cannot be a coding: its meaning is the text."""
    text = concept.text
    content: dict[str, Any] = {}
    if concept.coding is not None and concept.coding.system:
        content["coding"] = [coding(concept)]
    elif concept.coding is not None:
        text = text or concept.coding.display or concept.coding.code
    if text:
        content["text"] = text
    return content


def identifier_of(identifier: Identifier) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if identifier.system:
        content["system"] = identifier.system
    content["value"] = identifier.value
    if identifier.assigner:
        content["assigner"] = {"display": identifier.assigner}
    return content


def uid_identifier(uid: str) -> dict[str, Any]:
    """A DICOM UID as Identifier (NamingSystem DUI); the value is a string: components may begin with 0."""
    return {"system": DICOM_UID_SYSTEM, "value": f"urn:oid:{uid}"}


def reference_to(resource_type: str, resource_id: str) -> dict[str, Any]:
    return {"reference": f"{resource_type}/{resource_id}"}


def performer_of(performer: Performer) -> dict[str, Any]:
    """ImagingSelection.performer with a logical actor."""
    function = Concept(
        Code(SYSTEMS["PARTICIPATION"], performer.function, PARTICIPATION_DISPLAYS[performer.function])
    )
    actor: dict[str, Any] = {"type": performer.actor_type}
    if performer.identifier_value:
        actor["identifier"] = identifier_of(
            Identifier(performer.identifier_system, performer.identifier_value)
        )
    if performer.display:
        actor["display"] = performer.display
    return {"function": codeable_concept(function), "actor": actor}
