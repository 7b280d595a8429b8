"""The `selection` of `selection.made`: references that a viewer, an AI or a FHIRcast session makes.

Rules of this file: what is said of an instance narrows it, so an instance whose subset cannot be used is left
out, never widened to the whole image; a region, a performer or a display that cannot be used is dropped, with
a warning. Nothing left: refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple, NoReturn

from processors.core.check_texts import PERFORMER_TYPES
from processors.core.events import Code, Concept, Performer, Region, ReportedItem, SubsetKind
from processors.core.graphics import region_problem_2d, region_problem_3d
from processors.core.vocabulary import DCM, SNOMED_CT
from processors.errors import DeadLetterCode, Refused, WarningCode
from processors.wire import uids
from processors.wire.texts import has_control
from processors.wire.uids import Warnings

SYSTEMS = {"DCM": DCM, "SCT": SNOMED_CT}
"""DICOM's own words for two systems, which senders use where FHIR wants the URI."""

PERFORMED = "PRF"
"""v3-ParticipationType of who made the selection."""

_is_uri = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+").fullmatch
_is_code = re.compile(r"\S+(?: \S+)*").fullmatch
_instant = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)\d*(Z|[+-]\d\d:\d\d)").fullmatch
_FIRST = {SubsetKind.FRAMES: 1, SubsetKind.SEGMENTS: 1, SubsetKind.ROIS: 0}
"""Frames and segments count from 1 (PS3.3 10.3, C.8.20.2); ROI numbers are any."""
_NUMBER_MAX = 2**31 - 1
"""VR IS."""


_ID_MOST = 4096
"""Characters: it is a part of keys."""
_COORDINATE_MAX = 3.4e38
"""VR FL, that of DICOM's own coordinates, is a binary32. JSON's integers have no bound, floats do."""


class Selection(NamedTuple):
    selection_id: str
    code: Concept
    issued: str
    performers: tuple[Performer, ...]
    frame_of_reference_uid: str
    items: tuple[ReportedItem, ...]
    """Empty: the whole series is meant."""
    warnings: Warnings


def selection_of(
    members: dict[str, Any] | None, study: str, series: str, frame_of_reference: str | None
) -> Selection:
    """`frame_of_reference`: the event's own, where the selection has none.

    Raises Refused: undecodable_record (no id, no code), frame_out_of_range, no_usable_reference.
    """
    said = members or {}
    warnings: list[str] = []
    selection_id = selection_id_of(members)
    code = _concept(said, warnings)
    frame, more = uids.optional(_typed(said.get("frame_of_reference_uid"), warnings) or frame_of_reference)
    warnings += more
    return Selection(
        selection_id,
        code,
        _issued(said.get("issued"), warnings),
        tuple(_performers(said.get("performer"), warnings)),
        frame,
        _items(said.get("instances"), study, series, warnings),
        tuple(dict.fromkeys(warnings)),
    )


def selection_id_of(members: dict[str, Any] | None) -> str:
    """The sender's own id. Raises Refused(undecodable_record)."""
    selection_id = (members or {}).get("selection_id")
    if not isinstance(selection_id, str) or not 0 < len(selection_id) <= _ID_MOST:
        _refuse("selection.selection_id", f"a selection has an id, a text of at most {_ID_MOST} characters")
    return selection_id


def _concept(said: dict[str, Any], warnings: list[str]) -> Concept:
    text = _text(said.get("text"), warnings)
    code = said.get("code")
    if code is not None and not isinstance(code, dict):
        _refuse("selection.code", "code is an object of system, code and display")
    code = code or {}
    value, system, display = (_text(code.get(name), warnings) for name in ("code", "system", "display"))
    if not (value or display or text):
        _refuse("selection.code", "a selection has a code or a text")
    system = SYSTEMS.get(system, system)
    if value and _is_code(value) and _is_uri(system):
        return Concept(Code(system, value, display), text)
    if value:
        warnings.append(WarningCode.CODE_UNMAPPED if system else WarningCode.CODE_WITHOUT_SCHEME)
    return Concept(None, text or display or value)


def _issued(value: Any, warnings: list[str]) -> str:
    """FHIR instant, at most microseconds; empty where it is none."""
    if value is None or value == "":
        return ""
    parts = _instant(value.upper()) if isinstance(value, str) else None
    try:
        if parts and parts[2][1:] <= "14:00":
            datetime.fromisoformat(parts[1] + parts[2])
            return parts[1] + parts[2]
    except ValueError:
        pass
    warnings.append(WarningCode.TIMESTAMP_UNUSABLE)
    return ""


def _performers(value: Any, warnings: list[str]) -> Iterator[Performer]:
    """One object, or several; `identifier` is {system, value} or a text."""
    for said in value if isinstance(value, list) else [value] if value is not None else []:
        actor = said if isinstance(said, dict) else {}
        identifier = actor.get("identifier")
        if not isinstance(identifier, dict):
            identifier = {"value": identifier}
        system, number = (_text(identifier.get(name), warnings) for name in ("system", "value"))
        display = _text(actor.get("display"), warnings)
        actor_type = _typed(actor.get("type"), [])
        if actor_type in PERFORMER_TYPES and (display or number):
            known = system if number and _is_uri(system) else ""
            yield Performer(PERFORMED, actor_type, display, known, number)
        else:
            warnings.append(WarningCode.BAD_VR)


def _items(value: Any, study: str, series: str, warnings: list[str]) -> tuple[ReportedItem, ...]:
    if value is None or value == []:
        return ()
    if not isinstance(value, list):
        _refuse("selection.instances", "instances is an array")
    items: dict[ReportedItem, None] = {}
    problem = DeadLetterCode.NO_USABLE_REFERENCE
    for said in value:
        try:
            items[_item(said, study, series, warnings)] = None
        except Refused as refused:
            warnings.append(WarningCode.REFERENCE_MISSING)
            if refused.code is DeadLetterCode.FRAME_OUT_OF_RANGE:
                problem = refused.code
    if not items:
        raise Refused(problem, "no instance of the selection can be used", "selection.instances")
    return tuple(items)


def _item(said: Any, study: str, series: str, warnings: list[str]) -> ReportedItem:
    """Raises Refused when the instance or its subset cannot be used."""
    if not isinstance(said, dict):
        _refuse("selection.instances", "an instance is an object")
    sop_instance, more = uids.required(_typed(said.get("sop_instance_uid"), warnings), uids.SOP_INSTANCE)
    sop_class, of_class = uids.optional(_typed(said.get("sop_class_uid"), warnings))
    kind, subset = _subset(said)
    warnings += more + of_class
    return ReportedItem(
        study,
        series,
        sop_instance,
        sop_class,
        kind,
        subset,
        tuple(_regions(said.get("regions_2d"), 2, warnings)),
        tuple(_regions(said.get("regions_3d"), 3, warnings)),
    )


def _subset(said: dict[str, Any]) -> tuple[SubsetKind, tuple[str, ...]]:
    named = [kind for kind in SubsetKind if kind and said.get(kind) not in (None, [])]
    if not named:
        return SubsetKind.NONE, ()
    if len(named) > 1 or not isinstance(said[named[0]], list):
        _refuse("selection.instances", "an instance has one subset, an array")
    kind, members = named[0], said[named[0]]
    if kind is SubsetKind.CONTENT_ITEMS:  # Observation UIDs (0040,A171)
        found = {
            uids.required(member if isinstance(member, str) else "", "(0040,A171)")[0] for member in members
        }
        return kind, tuple(sorted(found))
    numbers = {_number(member) for member in members}
    if not all(_FIRST[kind] <= number <= _NUMBER_MAX for number in numbers):
        raise Refused(
            DeadLetterCode.FRAME_OUT_OF_RANGE, f"{kind} are numbers from {_FIRST[kind]}", f"selection.{kind}"
        )
    return kind, tuple(map(str, sorted(numbers)))


def _number(value: Any) -> int:
    """A whole number, also as decimal text; -1 for anything else."""
    if isinstance(value, str) and len(value) <= 12 and value.isascii() and value.isdigit():  # VR IS: 12 bytes
        return int(value)
    whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1
    return int(value) if whole else -1


def _regions(value: Any, dimensions: int, warnings: list[str]) -> Iterator[Region]:
    problem = region_problem_2d if dimensions == 2 else region_problem_3d
    for said in value if isinstance(value, list) else [value] if value is not None else []:
        region = _region(said)
        if region and not problem(region):
            yield region
        else:
            warnings.append(WarningCode.REGION_DROPPED)


def _region(said: Any) -> Region | None:
    region_type, coordinates = (
        (said.get("region_type"), said.get("coordinates")) if isinstance(said, dict) else (None, None)
    )
    if not isinstance(region_type, str) or not isinstance(coordinates, list):
        return None
    if not all(map(_is_coordinate, coordinates)):
        return None
    return Region(
        region_type, tuple(int(number) if number == number // 1 else number for number in coordinates)
    )


def _is_coordinate(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _COORDINATE_MAX


def _typed(value: Any, warnings: list[str]) -> str:
    """Text, or empty with a warning for another type."""
    if value is None or isinstance(value, str):
        return value or ""
    warnings.append(WarningCode.BAD_VR)
    return ""


def _text(value: Any, warnings: list[str]) -> str:
    """Text that FHIR can show, else empty with a warning."""
    text = _typed(value, warnings).strip()
    if has_control(text):
        warnings.append(WarningCode.TEXT_UNDECODABLE)
        return ""
    return text


def _refuse(field: str, rule: str) -> NoReturn:
    raise Refused(DeadLetterCode.UNDECODABLE_RECORD, rule, field)
