"""JSON values changed in what they are made of: types, members, lists, depth, odd texts and numbers.

Rules of this file: plain values in and out; DICOM JSON, events and selections are all trees to it.
"""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63), 10**40, 0.5, -0.0, 1e308, 5e-324),
    *("", " ", "\0", "\ud800", "\u2028", "Ж山😀", "1", "1.5", "nan", "A" * 70_000, "1.2.3", "1..2", "0" * 65),
    *("2026-01-02T00:00:00Z", "9999-12-31T23:59:60-23:59", "0001-01-01T00:00:00+14:00", "SQ", "UI", "PN"),
    *(
        [],
        {},
        [[]],
        [None],
        [{}],
        {"": None},
        {"vr": "SQ", "Value": [{}]},
        {"vr": "PN", "Value": [{"Alphabetic": 1}]},
    ),
)
Place = tuple[Any, Any]
"""A list or an object, and the index or name in it."""


def mutated(value: Any, chance: Random) -> Any:
    """A changed copy."""
    root = [copy.deepcopy(value)]
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        container, key = chance.choice(_places(root) or [([None], 0)])
        chance.choice(_CHANGES)(root, container, key, chance)
    return root[0] if root else None


def text_of(value: Any, chance: Random) -> bytes:
    """As writers of every kind would write it; nesting beyond what they can is done by hand."""
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    if chance.random() < 0.02:
        levels = chance.choice((100, 1_000, 100_000))
        text = text.replace(chance.choice(("null", "1", '""', "[]")), "[" * levels + "]" * levels, 1)
    return text.encode("utf-8", "surrogatepass")


def _places(root: list[Any]) -> list[Place]:
    found: list[Place] = []
    pending: list[Any] = [root]
    while pending:
        container = pending.pop()
        members = enumerate(container) if isinstance(container, list) else container.items()
        for key, value in members:
            found.append((container, key))
            if isinstance(value, list | dict):
                pending.append(value)
    return found


def _replace(root: list[Any], container: Any, key: Any, chance: Random) -> None:
    container[key] = copy.deepcopy(chance.choice(_VALUES))


def _remove(root: list[Any], container: Any, key: Any, chance: Random) -> None:
    del container[key]


def _other(root: list[Any], container: Any, key: Any, chance: Random) -> None:
    """Another place's value."""
    other, name = chance.choice(_places(root) or [(container, key)])
    container[key] = copy.deepcopy(other[name])


def _rename(root: list[Any], container: Any, key: Any, chance: Random) -> None:
    if isinstance(container, dict):
        name = chance.choice(
            (key.upper(), key + "_", "", "0040A730", "selection", "dataset", "Value", "vr", "event")
        )
        container[name] = container.pop(key)


def _wrap(root: list[Any], container: Any, key: Any, chance: Random) -> None:
    for _ in range(chance.choice((1, 2, 70, 200))):
        container[key] = (
            [container[key]] if chance.random() < 0.5 else {"Value": [container[key]], "vr": "SQ"}
        )


def _many(root: list[Any], container: Any, key: Any, chance: Random) -> None:
    if isinstance(container[key], list) and len(json.dumps(container[key])) < 20_000:
        container[key] = [
            copy.deepcopy(each) for _ in range(chance.choice((2, 50, 400))) for each in container[key]
        ]


def _stretch(root: list[Any], container: Any, key: Any, chance: Random) -> None:
    value = container[key]
    if isinstance(value, str):
        container[key] = chance.choice(
            (value + "\0", value * 3, value[:-1], value + "\\" + value, value[::-1])
        )
    elif isinstance(value, int | float):
        container[key] = chance.choice((-value, value + 0.5, str(value), [value], bool(value)))


_CHANGES = (_replace, _replace, _remove, _other, _rename, _wrap, _many, _stretch)
