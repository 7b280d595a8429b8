"""fhir.resources' door: does a rendered resource fit the structure of its release?

Rules of this file: the only import of fhir.resources beside `r6_structure`, and late, since it takes half a
second. The library needs about a millisecond a resource and 37 µs an instance, and what it can find wrong
hangs on the resource's form: which elements, of which JSON type, matching which primitive's pattern. So a
verdict is kept by form, and a form that was seen costs a walk. What it lets pass (bindings, counts, ids) is
`core.checks`' part.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from processors.core.checks import is_id
from processors.fhir import r6_structure
from processors.fhir.datatypes import Content

SKELETON_INSTANCES = 2
"""A series' instances are alike: the first two show what can be wrong with the rest, at constant cost."""

FORMS_KEPT = 4096
"""Distinct forms remembered, a few kB each. They are few (some dozens a site); hostile input makes many, and
then the memory is emptied."""

_VOCABULARY = frozenset({"resourceType", "system", "code", "status", "type", "use", "url", "regionType"})
"""Members whose few values are part of the form."""
_is_instant = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z").match

_verdicts: dict[object, tuple[str, ...]] = {}


def validate(content: Content, *, whole: bool, structure: str = "") -> list[str]:
    """Problems as "element: kind of fault", never values; empty: it fits R5's ImagingSelection or R4's Basic,
    or, for the `structure` "R6", R6's ImagingSelection.

    `whole` is False for a series' reference: then two instances at most are looked at.
    """
    if not whole and len(content.get("instance", ())) > SKELETON_INSTANCES:
        content = content | {"instance": content["instance"][:SKELETON_INSTANCES]}
    trace: list[object] = [structure]
    _trace(content, trace)
    form = tuple(trace)
    verdict = _verdicts.get(form)
    if verdict is None:
        if len(_verdicts) >= FORMS_KEPT:
            _verdicts.clear()
        verdict = _verdicts[form] = tuple(_problems(_reduced(content), structure or content["resourceType"]))
    return list(verdict)


def _reduced(content: Content) -> Content:
    """One for each run of items of the same form, which have the same faults: thousands of coordinates are an
    extension each in R4.
    """
    reduced: Content = {}
    for member, value in content.items():
        if type(value) is dict:
            reduced[member] = _reduced(value)
        elif type(value) is list and value and type(value[0]) is dict:
            reduced[member] = _distinct(value)
        else:
            reduced[member] = value
    return reduced


def _distinct(items: list[Content]) -> list[Content]:
    by_form: dict[object, Content] = {}
    for item in items:
        trace: list[object] = []
        _trace(item, trace)
        by_form.setdefault(tuple(trace), item)
    return [_reduced(item) for item in by_form.values()]


def _trace(content: Content, form: list[object]) -> None:
    """Append all that a structural validator looks at; flat, with marks where an object or a list ends."""
    for member, value in content.items():
        form.append(member)
        kind = type(value)
        if kind is str:
            form.append(value if member in _VOCABULARY else _text_form(value))
        elif kind is dict:
            _trace(value, form)
            form.append("}")
        elif kind is not list:
            form.append(kind)
        elif value and type(value[0]) is dict:
            alike: dict[object, None] = {}  # the same can be wrong with all of one form
            for item in value:
                trace: list[object] = []
                _trace(item, trace)
                alike[tuple(trace)] = None
            form += alike
            form.append("]")
        else:
            form.append(frozenset(map(type, value)))


def _text_form(value: str) -> str:
    if is_id(value):
        return "id"
    if _is_instant(value):
        return "instant"
    return "text" if value == value.strip() else "padded" if value.strip() else "blank"


def prepare() -> None:
    """Load the library now, so that no reference waits for it."""
    _model("ImagingSelection")


@cache
def _model(structure: str) -> Any:
    if structure == "R6":
        return r6_structure.model()
    if structure == "Basic":  # which R4B left as it was in R4
        from fhir.resources.R4B.basic import Basic  # noqa: PLC0415 - half a second

        return Basic
    from fhir.resources.imagingselection import ImagingSelection  # noqa: PLC0415 - half a second

    return ImagingSelection


def _problems(content: Content, structure: str) -> list[str]:
    from pydantic import ValidationError  # noqa: PLC0415 - comes with the above

    try:
        _model(structure).model_validate(content)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_context=False, include_url=False)
        return sorted({f"{_element(fault['loc'])}: {fault['type']}" for fault in faults})
    return []


def _element(location: tuple[int | str, ...]) -> str:
    return ".".join(part for part in location if isinstance(part, str))
