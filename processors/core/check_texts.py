"""The rules of a reference's texts and codes: FHIR datatypes string, code, uri, CodeableConcept, Reference.

Rules of this file: pure; names element and rule, never a value. `core.checks` calls it, nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from processors.core.events import Concept, Performer
from processors.core.reference import PRECEDENCE, Identifier, ImagingReference

_is_text = re.compile(r"(?=.*\S)[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]+\Z", re.DOTALL).match
"""FHIR string: something to see, no control character but tab and line ends, no lone surrogate."""
_is_code = re.compile(r"[^\s]+(?: [^\s]+)*\Z").match
_is_uri = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s]+\Z").match

PERFORMER_FUNCTIONS = frozenset({"CON", "VRF", "PRF", "SPRF", "REF"})
PERFORMER_TYPES = frozenset(
    {
        "Practitioner",
        "PractitionerRole",
        "Device",
        "Organization",
        "CareTeam",
        "Patient",
        "RelatedPerson",
        "HealthcareService",
    }
)
"""Targets of ImagingSelection.performer.actor in R5."""


def text_problems(reference: ImagingReference) -> Iterator[str]:
    """Broken rules; may repeat itself."""
    if reference.withdrawn is not None and reference.withdrawn not in PRECEDENCE:
        yield "meta.tag: a known withdrawal reason"
    if reference.description and not _is_text(reference.description):
        yield "extension: description is a text"
    if reference.subject is not None:
        yield from _identifier_problems("subject", reference.subject)
    for performer in reference.performers:
        yield from _performer_problems(performer)
    for identifier in reference.based_on:
        yield from _identifier_problems("basedOn", identifier)
    for category in reference.category:
        yield from _concept_problems("category", category)
    yield from _concept_problems("code", reference.code)
    if reference.body_site is not None:
        yield from _concept_problems("bodySite", reference.body_site)


def _concept_problems(element: str, concept: Concept) -> Iterator[str]:
    coding = concept.coding
    if coding is None or not coding.system:
        if not (concept.text or (coding and (coding.display or coding.code))):
            yield f"{element}: required, a coding or a text"
    elif not _is_uri(coding.system) or not _is_code(coding.code):
        yield f"{element}: a coding has a system and a code without stray spaces"
    if coding is not None and coding.display and not _is_text(coding.display):
        yield f"{element}: display is a text"
    if concept.text and not _is_text(concept.text):
        yield f"{element}: text is a text"


def _identifier_problems(element: str, identifier: Identifier) -> Iterator[str]:
    if not _is_text(identifier.value):
        yield f"{element}: identifier has a value"
    if identifier.system and not _is_uri(identifier.system):
        yield f"{element}: identifier system is a URI"
    if identifier.assigner and not _is_text(identifier.assigner):
        yield f"{element}: assigner is a text"


def _performer_problems(performer: Performer) -> Iterator[str]:
    if performer.function not in PERFORMER_FUNCTIONS:
        yield "performer: function is CON, VRF, PRF, SPRF or REF"
    if performer.actor_type not in PERFORMER_TYPES:
        yield "performer: actor is of a type that may perform"
    if not performer.display and not performer.identifier_value:
        yield "performer: actor has a name or an identifier"
    if performer.display and not _is_text(performer.display):
        yield "performer: name is a text"
    if performer.identifier_value or performer.identifier_system:
        identifier = Identifier(performer.identifier_system, performer.identifier_value)
        yield from _identifier_problems("performer", identifier)
