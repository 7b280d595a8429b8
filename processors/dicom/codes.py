"""Coded entries (PS3.3 8.8) to codes with a FHIR system: no coding without a system, no retired id as
SNOMED CT.

Rules of this file: coding schemes and the Code Sequence Macro. What a code means belongs to its reader.
"""

from __future__ import annotations

import re

from pydicom.sr._snomed_dict import mapping as snomed_mapping

from processors.core.events import Code, Concept
from processors.core.vocabulary import SNOMED_CT
from processors.dicom.coding_schemes import SYSTEMS
from processors.dicom.data_set import DataSet
from processors.dicom.reading import Reading
from processors.dicom.uids import uid
from processors.dicom.values import first, items, tag_of, text
from processors.errors import WarningCode

URI = "urn:ietf:rfc:3986"

_RETIRED_SNOMED = {"SRT", "SNM3", "99SDM"}
"""SNOMED-RT style ids (PS3.16 8.1): to be mapped, never to be shown as SNOMED CT."""

_BASIC = tuple(map(tag_of, ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")))
_KNOWN = frozenset(SYSTEMS.values())

_SNOMED_CT_ID = re.compile(r"[0-9]{6,18}\Z")


def code(item: DataSet, reading: Reading) -> Concept:
    """One item of a code sequence. `coding` is None where no system can be named; `text` is then its meaning.

    Warnings: `code_without_scheme`, `code_unmapped`.
    """
    concept = reading.concepts.get(item)
    if concept is not None:
        return concept
    seen = _bytes_of(item)
    if seen is None:
        return _code(item, reading)
    concept = reading.concepts.get(seen)
    if concept is None:
        concept = _code(item, reading)
        if concept.coding is None or concept.coding.system not in _KNOWN:
            return concept
        reading.concepts[seen] = concept
    reading.concepts[item] = concept
    return concept


def _bytes_of(item: DataSet) -> tuple[bytes, int, int] | None:
    """The item's bytes from its first value on, and how long the first two values are, if it is as nearly all
    are: the same few again and again within a report, in ASCII and without anything that could be warned of.
    """
    elements = item.elements
    if len(elements) != 3:
        return None
    value, scheme, meaning = (elements.get(tag) for tag in _BASIC)
    if not (isinstance(value, tuple) and isinstance(scheme, tuple) and isinstance(meaning, tuple)):
        return None
    seen = bytes(item.data[value[1] : meaning[1] + meaning[2]])
    whole = value[1] < scheme[1] < meaning[1] and seen.isascii() and b"\\" not in seen and b"\x1b" not in seen
    return (seen, value[2], scheme[2]) if whole else None


def _code(item: DataSet, reading: Reading) -> Concept:
    meaning = text(item, "CodeMeaning", reading)
    urn = text(item, "URNCodeValue", reading)
    if urn:
        return Concept(Code(URI, urn.replace(" ", ""), meaning))
    value = text(item, "CodeValue", reading) or text(item, "LongCodeValue", reading)
    if not value:
        return Concept(None, meaning)
    scheme = first(item, "CodingSchemeDesignator", reading)
    if not scheme:
        reading.warn(WarningCode.CODE_WITHOUT_SCHEME)
        return Concept(None, meaning or value)
    coding = _coding(item, scheme, value, meaning, reading)
    if coding is None:
        reading.warn(WarningCode.CODE_UNMAPPED)
        return Concept(None, meaning or value)
    return Concept(coding)


def first_code(item: DataSet, keyword: str, reading: Reading) -> Concept | None:
    """The first item of the code sequence `keyword` that says anything, or None."""
    for entry in items(item, keyword, reading):
        concept = code(entry, reading)
        if concept != Concept():
            return concept
    return None


def first_sent_code(item: DataSet, keyword: str, reading: Reading) -> tuple[str, str]:
    """Code Value and Coding Scheme Designator of the first item, as sent; both "" if there is none."""
    for entry in items(item, keyword, reading)[:1]:
        value = text(entry, "CodeValue", reading) or text(entry, "LongCodeValue", reading)
        return value, first(entry, "CodingSchemeDesignator", reading)
    return "", ""


def is_code(concept: Concept | None, system: str, value: str) -> bool:
    """True if `concept` is coded as (value, system); its display does not matter."""
    return concept is not None and concept.coding is not None and concept.coding[:2] == (system, value)


def _coding(item: DataSet, scheme: str, value: str, meaning: str, reading: Reading) -> Code | None:
    if scheme in _RETIRED_SNOMED or (scheme == "SCT" and not _SNOMED_CT_ID.match(value)):
        mapped = snomed_mapping["SRT"].get(value)
        return Code(SNOMED_CT, mapped, meaning) if mapped else None
    system = SYSTEMS.get(scheme) or _oid_of(item, scheme, reading)
    return Code(system, value, meaning) if system else None


def _oid_of(item: DataSet, scheme: str, reading: Reading) -> str:
    """Coding Scheme UID (0008,010C) of the item itself, else of the object's Coding Scheme Identification
    Sequence (0008,0110), as a URI.
    """
    scheme_uid = uid(item, "CodingSchemeUID", reading)
    for entry in [] if scheme_uid else items(reading.dataset, "CodingSchemeIdentificationSequence", reading):
        if first(entry, "CodingSchemeDesignator", reading) == scheme:
            scheme_uid = uid(entry, "CodingSchemeUID", reading)
            break
    return f"urn:oid:{scheme_uid}" if scheme_uid else ""
