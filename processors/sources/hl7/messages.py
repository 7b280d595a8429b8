"""HL7 v2 messages to events: merges of patients, corrections of orders (HL7 v2.5.1 chapters 3 and 4).

Rules of this file: fields to values of the contract, no network. Of a patient only identifiers are taken,
which is all that references hold.

    ADT A18 A34 A36 A40 A46 A47      MRG-1 → PID-3 of each pair: patient.merged
    ADT A08                          study.updated of each study that orders named for this patient
    ORM O01, OMI O23, OMG O19        study.updated of the study in ZDS-1 or IPC-3 (IHE SWF), unless cancelled
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple

import hl7

from processors.sources.events import Outgoing, event_of
from processors.sources.ledger import Ledger

MERGES = frozenset({"A18", "A34", "A36", "A40", "A46", "A47"})
UPDATES = frozenset({"A08"})
ORDERS = frozenset({"ORM", "OMI", "OMG"})
CANCELLED = frozenset({"CA", "CR", "DC", "DR", "OC", "OD"})
"""Order Control (ORC-1, table 0119) after which the order says nothing more of its study."""
_MEDICAL_RECORD = ("MR", "PI", "PT")
"""Identifier types (CX-5, table 0203) of the patient, in order of preference."""
_UNIVERSAL = frozenset({"ISO", "URI", "DNS"})
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(?:(\d\d)(?:\.(\d{1,4}))?)?)?([+-]\d{4})?\Z")


class Incomplete(Exception):
    """A message that lacks what its event is about; the text names the field, never its value."""


class Identifier(NamedTuple):
    value: str
    issuer: str
    kind: str


class Messages:
    """`zone`: of times without an offset; None: such messages happened when they came."""

    def __init__(self, ledger: Ledger, source: str, zone: tzinfo | None) -> None:
        self._ledger, self._source, self._zone = ledger, source, zone

    def events_of(self, message: hl7.Message, now: datetime) -> list[Outgoing]:
        """None for a message that tells of nothing here. Raises Incomplete."""
        kind, trigger = component(message, "MSH", 9, 1), component(message, "MSH", 9, 2)
        at = self._time_of(message, now)
        if kind == "ADT" and trigger in MERGES:
            return list(self._merges(message, at))
        if kind == "ADT" and trigger in UPDATES:
            return self._updates(message, at, self._studies_of(_patient(message)))
        if kind in ORDERS and component(message, "ORC", 1, 1) not in CANCELLED:
            studies = _studies_in(message)
            self._remember(_patient(message), studies)
            return self._updates(message, at, studies)
        return []

    def _merges(self, message: hl7.Message, at: datetime) -> Iterator[Outgoing]:
        survivors: list[Identifier] = []
        for segment in message:
            name = str(segment[0])
            if name == "PID":
                survivors = identifiers(message, segment, 3)
            elif name == "MRG":
                yield from self._merge(message, survivors, identifiers(message, segment, 1), at)
        if not any(str(segment[0]) == "MRG" for segment in message):
            raise Incomplete("MRG-1")

    def _merge(
        self, message: hl7.Message, survivors: list[Identifier], priors: list[Identifier], at: datetime
    ) -> Iterator[Outgoing]:
        """Each prior id with the survivor's id of the same authority."""
        if not survivors or not priors:
            raise Incomplete("PID-3" if not survivors else "MRG-1")
        for prior in priors:
            same = [each for each in survivors if each.issuer == prior.issuer]
            survivor = (same or survivors)[0]
            if survivor[:2] == prior[:2]:
                continue
            digest = hashlib.sha256("\0".join((*prior[:2], *survivor[:2])).encode()).hexdigest()[:16]
            yield event_of(
                "patient.merged",
                f"{component(message, 'MSH', 10, 1)}/{digest}",
                self._sender(message),
                at,
                prior_patient_id=prior.value,
                issuer_of_prior_patient_id=prior.issuer,
                patient_id=survivor.value,
                issuer_of_patient_id=survivor.issuer,
            )

    def _updates(self, message: hl7.Message, at: datetime, studies: list[str]) -> list[Outgoing]:
        patient = _patient(message)
        accession, issuer = _accession(message)
        return [
            event_of(
                "study.updated",
                f"{component(message, 'MSH', 10, 1)}/{study}",
                self._sender(message),
                at,
                study_instance_uid=study,
                patient_id=patient.value,
                issuer_of_patient_id=patient.issuer,
                accession_number=accession,
                issuer_of_accession_number=issuer,
            )
            for study in studies
        ]

    def _remember(self, patient: Identifier, studies: list[str]) -> None:
        """By a hash: the ledger holds no patient."""
        known = self._studies_of(patient)
        if set(studies) - set(known):
            self._ledger.put([(_key_of(patient), json.dumps(sorted({*known, *studies})))])

    def _studies_of(self, patient: Identifier) -> list[str]:
        kept: list[str] = json.loads(self._ledger.get(_key_of(patient)) or "[]")
        return kept

    def _sender(self, message: hl7.Message) -> str:
        return self._source or component(message, "MSH", 3, 1) or "hl7"

    def _time_of(self, message: hl7.Message, now: datetime) -> datetime:
        """EVN-2, or MSH-7; the time of arrival if neither can be used."""
        for segment, field in (("EVN", 2), ("MSH", 7)):
            found = _TIME.match(component(message, segment, field, 1))
            if found is None or found[4] is None:
                continue
            zone: tzinfo | None = _offset(found[8]) if found[8] else self._zone
            if zone is None:
                continue
            day, clock = "-".join(found.group(1, 2, 3)), ":".join((found[4], found[5], found[6] or "00"))
            fraction = (found[7] or "0").ljust(6, "0")
            try:
                return datetime.fromisoformat(f"{day}T{clock}.{fraction}").replace(tzinfo=zone)
            except ValueError:
                continue
        return now


def component(message: hl7.Message, segment: str, field: int, part: int) -> str:
    """A component of the first repetition, unescaped; empty if it is not there."""
    try:
        text = str(message.segment(segment)[field])
    except (KeyError, IndexError):
        return ""
    return _parts(message, _repetitions(message, text)[0], part)


def identifiers(message: hl7.Message, segment: Any, field: int) -> list[Identifier]:
    """Repetitions of a CX field (HL7 v2.5.1 2.A.14) that have an id."""
    try:
        text = str(segment[field])
    except IndexError:
        return []
    found = []
    for repetition in _repetitions(message, text):
        value = _parts(message, repetition, 1)
        if value and value != '""':
            found.append(
                Identifier(value, _authority(message, repetition, 4), _parts(message, repetition, 5))
            )
    return found


def _patient(message: hl7.Message) -> Identifier:
    try:
        found = identifiers(message, message.segment("PID"), 3)
    except KeyError:
        found = []
    if not found:
        raise Incomplete("PID-3")
    return min(found, key=lambda each: (*_MEDICAL_RECORD, each.kind).index(each.kind))


def _studies_in(message: hl7.Message) -> list[str]:
    """ZDS-1 (IHE RAD TF-2 4.4.4.1.2.4), or IPC-3 of OMI, without repeats."""
    found = []
    for segment in message:
        field = {"ZDS": 1, "IPC": 3}.get(str(segment[0]))
        if field and len(segment) > field:
            found.append(_parts(message, _repetitions(message, str(segment[field]))[0], 1))
    return list(dict.fromkeys(uid for uid in found if uid))


def _accession(message: hl7.Message) -> tuple[str, str]:
    """IPC-1 (EI) of OMI; OBR-18, where IHE puts it, of ORM."""
    value = component(message, "IPC", 1, 1)
    if value:
        text = str(message.segment("IPC")[1])
        return value, _issuer(*(_parts(message, text, part) for part in (2, 3, 4)))
    return component(message, "OBR", 18, 1), ""


def _authority(message: hl7.Message, repetition: str, part: int) -> str:
    """Assigning authority (HD): its universal id, else its local name (as PS3.3 10.14 says it)."""
    pieces = repetition.split(_separators(message)[3])
    sub = pieces[part - 1].split(_separators(message)[4]) if len(pieces) >= part else []
    return _issuer(*(_unescaped(message, each) for each in (*sub, "", "", "")[:3]))


def _issuer(local: str, universal: str, kind: str) -> str:
    if universal and kind == "UUID":
        return f"urn:uuid:{universal.lower()}"
    return universal if universal and kind in _UNIVERSAL else local


def _parts(message: hl7.Message, repetition: str, part: int) -> str:
    pieces = repetition.split(_separators(message)[3])
    if len(pieces) < part:
        return ""
    return _unescaped(message, pieces[part - 1].split(_separators(message)[4])[0])


def _repetitions(message: hl7.Message, text: str) -> list[str]:
    return text.split(_separators(message)[2])


def _separators(message: hl7.Message) -> str:
    """Of segments, fields, repetitions, components, subcomponents."""
    return str(message.separators)


def _unescaped(message: hl7.Message, text: str) -> str:
    return str(message.unescape(text)).strip()


def _key_of(patient: Identifier) -> str:
    digest = hashlib.sha256("\0".join(patient[:2]).encode())
    return f"patient/{digest.hexdigest()}"


def _offset(text: str) -> tzinfo:
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes)) if minutes else UTC
