"""Records in which a marked word stands wherever a person's data may stand, and where it must not stand.

Rules of this file: inputs only, nothing random; what may come of them is the tests' to say.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydicom.datadict import tag_for_keyword

from processors.dicom.element_headers import SHORT
from processors.pipeline.records import Headers
from tests.fuzz import seeds
from tests.fuzz.dicom_tree import Element, Form, Item, copy_of, written

MARK = "ZQXMARK"
_VALUE = b"ZQXMARK "
_TEXTS = {b"PN", b"LO", b"SH", b"ST", b"LT", b"UT", b"UC", b"UR", b"AE", b"AS", b"DA", b"TM", b"DT", b"UN"}
CODES = {
    tag_for_keyword(keyword)
    for keyword in (
        "Modality BodyPartExamined CodeValue LongCodeValue URNCodeValue CodeMeaning CodingSchemeDesignator "
        "CodingSchemeVersion"
    ).split()
}
"""What a sender declares to be a code is taken for one: these, and nothing else, may be in facts."""
_DICOM: Headers = [("content-type", b"application/dicom")]
_MODEL: Headers = [("content-type", b"application/dicom+json")]
_CUTS = 12


class Marked(NamedTuple):
    name: str
    """What it is, for a test that fails."""
    value: bytes
    headers: Headers
    is_code: bool = False
    """The mark stands where a code belongs."""


def records() -> Iterator[Marked]:
    for each in seeds.generated():
        if each.tree is not None:
            yield from _objects(each.name, each.tree)
    for values in seeds.events():
        yield from _values(values, [])
    for values in seeds.models():
        yield from _values(values, _MODEL)
    yield Marked("no record at all", _VALUE * 3, [])
    yield Marked("a name for a file", b"\0" * 128 + b"DICM" + _VALUE, _DICOM)


def data_sets() -> Iterator[bytes]:
    """Bare ones, as an association carries them, with the mark in every text; whole, and cut short."""
    for each in seeds.generated():
        if each.tree is not None:
            data = written(_marked(each.tree), Form(preamble=False, meta=False))
            yield data
            yield data[: len(data) * 2 // 3]


def _marked(tree: Item) -> Item:
    whole = copy_of(tree)
    for _, element in _elements(whole):
        if element.vr in _TEXTS and element.tag not in CODES:
            element.value = _VALUE
    whole.elements.append(Element(0x7FE1_0010, b"LO", _VALUE))
    return whole


def _objects(name: str, tree: Item) -> Iterator[Marked]:
    data = written(_marked(tree), Form())
    yield Marked(f"{name}: every text", data, _DICOM)
    yield Marked(f"{name}: in an event", _event(data), [])
    for cut in range(1, _CUTS):
        yield Marked(f"{name}: cut {cut}", data[: len(data) * cut // _CUTS], _DICOM)
    for number in _numbers(tree):
        one = copy_of(tree)
        path, element = list(_elements(one))[number]
        element.vr = element.vr if element.vr in SHORT or element.vr in _TEXTS else b"UT"
        element.value = _VALUE
        yield Marked(f"{name}: {path}", written(one, Form()), _DICOM, element.tag in CODES)


def _numbers(tree: Item) -> list[int]:
    """Positions of elements, one of each path: items of a sequence are like each other."""
    first: dict[str, int] = {}
    for number, (path, _) in enumerate(_elements(tree)):
        first.setdefault(path, number)
    return sorted(first.values())


def _elements(item: Item, path: str = "") -> Iterator[tuple[str, Element]]:
    for element in item.elements:
        here = f"{path}/{element.tag:08x}"
        yield here, element
        if isinstance(element.value, list):
            for each in element.value:
                yield from _elements(each, here)


def _event(document: bytes) -> bytes:
    said = {
        "event": "report.arrived",
        "event_id": f"{MARK}-1",
        "source": "PACS_A",
        "occurred_at": "2026-01-02T11:00:00+01:00",
        "patient_id": MARK,
        "document": base64.b64encode(document).decode("ascii"),
        MARK: MARK,
    }
    return json.dumps(said).encode()


def _values(values: seeds.Values, headers: Headers) -> Iterator[Marked]:
    marked: tuple[Any, ...] = (MARK,) if headers else (MARK, {MARK: MARK}, [MARK])
    for path in _paths(values.value):
        is_code = bool(
            set(path) & {"source", "code", "modality", "body_part_examined", "00080060", "00080100"}
        )
        is_code |= bool(set(path) & {"00080102", "00080104", "00180015"})
        for wrong in marked:
            changed = copy.deepcopy(values.value)
            place: Any = changed
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = wrong
            name = f"{values.name}: {'/'.join(map(str, path))} = {wrong}"
            yield Marked(name, json.dumps(changed).encode(), headers, is_code)
    text = json.dumps({MARK: MARK, **values.value, f"{MARK}2": MARK}).encode()
    for cut in range(1, _CUTS):
        yield Marked(f"{values.name}: cut {cut}", text[: len(text) * cut // _CUTS], headers)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of every member; of a list the first only."""
    members = value.items() if isinstance(value, dict) else enumerate(value[:1])
    for key, each in members:
        yield (*path, key)
        if isinstance(each, dict | list):
            yield from _paths(each, (*path, key))
