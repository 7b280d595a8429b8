"""People and devices behind an object, as FHIR performers.

Rules of this file: names are for display only and never decide identity; who observed what in a content
tree is read from the root (TID 1002), not from single groups.
"""

from __future__ import annotations

from itertools import zip_longest

from processors.core.events import Performer
from processors.core.vocabulary import DCM, DICOM_UID_SYSTEM
from processors.dicom.codes import first_code, is_code
from processors.dicom.data_set import DataSet
from processors.dicom.reading import Reading
from processors.dicom.uids import uid
from processors.dicom.values import clean, first, items, person_names, text

PERFORMER = "PRF"
VERIFIER = "VRF"


def series_performers(reading: Reading) -> tuple[Performer, ...]:
    """Performing physicians (0008,1050)/(0008,1052), then operators (0008,1070)/(0008,1072): all PRF."""
    return tuple(
        dict.fromkeys(
            _people(reading, "PerformingPhysicianName", "PerformingPhysicianIdentificationSequence")
            + _people(reading, "OperatorsName", "OperatorIdentificationSequence")
        )
    )


def document_performers(reading: Reading) -> tuple[Performer, ...]:
    """Author observers (0040,A078), else the root's TID 1002 observers: PRF; verifying observers: VRF."""
    authors = items(reading.dataset, "AuthorObserverSequence", reading)
    found = [_author(author, reading) for author in authors]
    if not any(found):
        found = _tid_1002(reading)
    for verifier in items(reading.dataset, "VerifyingObserverSequence", reading):
        name = " ".join(person_names(verifier, "VerifyingObserverName", reading)[:1])
        code = _identifier(verifier, "VerifyingObserverIdentificationCodeSequence", reading)
        found.append(_person(VERIFIER, name, code))
    return tuple(dict.fromkeys(filter(None, found)))


def _people(reading: Reading, names: str, identifications: str) -> list[Performer]:
    """Names with the identification item of the same position (PS3.3 C.7.3.1.1)."""
    people = person_names(reading.dataset, names, reading)
    codes = [
        _identifier(entry, "PersonIdentificationCodeSequence", reading)
        for entry in items(reading.dataset, identifications, reading)
    ]
    pairs = zip_longest(people, codes, fillvalue=None)
    return [p for name, code in pairs if (p := _person(PERFORMER, name or "", code or ("", "")))]


def _author(author: DataSet, reading: Reading) -> Performer | None:
    """Identified Person or Device Macro (PS3.3 Table C.17-3b)."""
    if first(author, "ObserverType", reading) == "DEV":
        name = text(author, "StationName", reading) or text(author, "ManufacturerModelName", reading)
        return _device(uid(author, "DeviceUID", reading), name or text(author, "Manufacturer", reading))
    name = " ".join(person_names(author, "PersonName", reading)[:1])
    return _person(PERFORMER, name, _identifier(author, "PersonIdentificationCodeSequence", reading))


def _tid_1002(reading: Reading) -> list[Performer | None]:
    """121008 Person Observer Name; 121012 Device Observer UID with 121013 Device Observer Name (PS3.16)."""
    people: list[Performer | None] = []
    device_uid = device_name = ""
    for child in items(reading.dataset, "ContentSequence", reading):
        if first(child, "RelationshipType", reading) != "HAS OBS CONTEXT":
            continue
        concept = first_code(child, "ConceptNameCodeSequence", reading)
        if is_code(concept, DCM, "121008"):
            people += [
                _person(PERFORMER, n, ("", "")) for n in person_names(child, "PersonName", reading)[:1]
            ]
        elif is_code(concept, DCM, "121012"):
            device_uid = uid(child, "UID", reading)
        elif is_code(concept, DCM, "121013"):
            device_name = text(child, "TextValue", reading)
    return [*people, _device(device_uid, device_name)]


def _person(function: str, name: str, code: tuple[str, str]) -> Performer | None:
    return Performer(function, "Practitioner", clean(name), *code) if name or code[1] else None


def _device(device_uid: str, name: str) -> Performer | None:
    if not device_uid:
        return Performer(PERFORMER, "Device", name) if name else None
    return Performer(PERFORMER, "Device", name, DICOM_UID_SYSTEM, f"urn:oid:{device_uid}")


def _identifier(item: DataSet, keyword: str, reading: Reading) -> tuple[str, str]:
    """System and value of a person's code; both empty where the code has no system."""
    concept = first_code(item, keyword, reading)
    return (concept.coding.system, concept.coding.code) if concept and concept.coding else ("", "")
