"""Data sets changed in what they are made of: elements, VRs, lengths, items, nesting, character sets.

Rules of this file: one change a function, made in place on a tree that is the mutant's own.
"""

from __future__ import annotations

import struct
from random import Random

from processors.dicom import _READERS
from processors.dicom.element_headers import vr_of
from tests.fuzz.dicom_tree import Element, Form, Item, copy_of

MOST_BYTES = 400_000
"""A tree is not multiplied beyond about so many: more would only make fewer mutants."""
_LENGTHS = (0, 1, 2, 7, 8, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_VRS = tuple(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OF OW PN SH SL SQ SS ST TM UI UL UN UR US UT UV ZZ \0\0".split()
)
_TEXTS = (
    *(b"", b" ", b"\0", b"\\", b"\\" * 300, b"A" * 70_000, b"1\\2\\3", b"^=^=^", b"\xff\xfe", b"\xe9\xe8"),
    *(b"\x1b$B;3ED", b"\x1b" * 50, b"\x1b$)C\xb1\xe8", b"\xed\xa0\x80", "Ж山😀".encode(), b"a\x07\r\nb"),
    *(b"-1", b"1.5", b"1e400", b"nan", b"inf", b"9" * 5_000, b"2147483648", b"0x10", b"+", b"." * 64),
    *(b"1." * 40, b"1.2.840.10008.1", b"00.1", b"20260230", b"99999999", b"246060", b"-0000", b"+1400"),
)
_CHARSETS = (
    *(
        b"ISO_IR 100",
        b"ISO_IR 192",
        b"ISO 2022 IR 87",
        b"\\ISO 2022 IR 149",
        b"GB18030",
        b"GBK",
        b"ISO_IR 13",
    ),
    *(
        b"ISO 2022 IR 6\\ISO 2022 IR 87\\ISO 2022 IR 159",
        b"hex",
        b"idna",
        b"utf_7",
        b"undefined",
        b"\\\\\\",
        b"\0",
    ),
)
_CLASSES = sorted(_READERS)
_SOP_CLASS, _CHARACTER_SET, _CONTENT = 0x00080016, 0x00080005, 0x0040A730
_FORMS = (
    Form(),
    Form("1.2.840.10008.1.2", implicit=True),
    Form("1.2.840.10008.1.2.2", little=False),
    Form("1.2.840.10008.1.2.1.99", deflated=True),
    Form("1.2.840.10008.1.2.4.50"),
    Form("1.2.840.10008.1.2", implicit=False),
    Form(implicit=True),
    Form(preamble=False, meta=False),
    Form("", implicit=True, preamble=False),
    Form("1.2.840.10008.1.2.1.99"),
)


def form(chance: Random) -> Form:
    return _FORMS[0] if chance.random() < 0.5 else chance.choice(_FORMS)


def mutate(root: Item, chance: Random) -> None:
    """One to five changes."""
    for _ in range(chance.choice((1, 1, 2, 2, 3, 5))):
        chance.choices(_CHANGES, _WEIGHTS)[0](root, chance)


def _places(root: Item) -> list[tuple[Item, int]]:
    """Every element as its item and index, at any depth."""
    found, pending = [], [root]
    while pending:
        item = pending.pop()
        for index, element in enumerate(item.elements):
            found.append((item, index))
            if isinstance(element.value, list):
                pending += element.value
    return found


def _any(root: Item, chance: Random) -> Element | None:
    places = _places(root)
    if not places:
        return None
    item, index = chance.choice(places)
    return item.elements[index]


def _any_sequence(root: Item, chance: Random) -> tuple[Element, list[Item]] | None:
    found = [
        (e, e.value) for item, index in _places(root) if isinstance((e := item.elements[index]).value, list)
    ]
    return chance.choice(found) if found else None


def _size(item: Item) -> int:
    return sum(
        12 + (len(e.value) if isinstance(e.value, bytes) else 0)
        for i, n in _places(item)
        for e in (i.elements[n],)
    )


def _value(root: Item, chance: Random) -> None:
    element = _any(root, chance)
    if element is not None and isinstance(element.value, bytes):
        numbers = struct.pack("<f", chance.choice((0.0, -1.0, 3e38, float("nan"), float("inf"))))
        element.value = chance.choice((*_TEXTS, numbers, numbers * 7, b"\xff" * 8, element.value * 3))


def _vr(root: Item, chance: Random) -> None:
    element = _any(root, chance)
    if element is not None:
        element.vr = chance.choice(_VRS)


def _length(root: Item, chance: Random) -> None:
    element = _any(root, chance)
    if element is not None:
        true = len(element.value)
        element.said_length = chance.choice((*_LENGTHS, true + 1, max(0, true - 1), true * 2))


def _item_length(root: Item, chance: Random) -> None:
    found = _any_sequence(root, chance)
    if found and found[1]:
        chance.choice(found[1]).said_length = chance.choice((*_LENGTHS, 16, 40))


def _delimiters(root: Item, chance: Random) -> None:
    """All of them, so that whole objects come in either form."""
    for item, index in _places(root):
        element = item.elements[index]
        if isinstance(element.value, list):
            element.delimited = chance.random() < 0.8
            for each in element.value:
                each.delimited = chance.random() < 0.8


def _drop(root: Item, chance: Random) -> None:
    places = _places(root)
    if places:
        item, index = chance.choice(places)
        del item.elements[index]


def _again(root: Item, chance: Random) -> None:
    """An element once more, somewhere."""
    places = _places(root)
    if places:
        item, index = chance.choice(places)
        twin = copy_of(Item([item.elements[index]])).elements[0]
        target, at = chance.choice(places)
        target.elements.insert(at, twin)


def _retag(root: Item, chance: Random) -> None:
    """What one element has, as another's value."""
    first, second = _any(root, chance), _any(root, chance)
    if first is not None and second is not None:
        first.tag = second.tag
        if chance.random() < 0.5:
            first.vr = vr_of(first.tag) or b"UN"


def _items(root: Item, chance: Random) -> None:
    found = _any_sequence(root, chance)
    if not found:
        return
    _, items = found
    act = chance.randrange(4)
    if act == 0:
        items.clear()
    elif act == 1 and items:
        del items[chance.randrange(len(items))]
    elif act == 2:
        chance.shuffle(items)
    elif items:
        one = chance.choice(items)
        times = min(chance.choice((1, 3, 30, 1_000)), MOST_BYTES // (_size(root) + 1) + 1)
        items += [copy_of(one) for _ in range(times)]


def _nest(root: Item, chance: Random) -> None:
    """A sequence in a sequence of its own kind, some or too many levels deep."""
    found = _any_sequence(root, chance)
    if not found:
        return
    element, items = found
    for _ in range(chance.choice((1, 5, 40, 63, 64, 65, 300))):
        items = [Item([Element(element.tag, b"SQ", items, delimited=element.delimited)])]
    element.value = items


def _graft(root: Item, chance: Random) -> None:
    """Some other sequence's items as this one's."""
    first, second = _any_sequence(root, chance), _any_sequence(root, chance)
    if first and second and _size(root) < MOST_BYTES:
        first[0].value = [copy_of(item) for item in second[1]]


def _class(root: Item, chance: Random) -> None:
    """Read by another reader than it was written for."""
    _put(root, _SOP_CLASS, b"UI", chance.choice(_CLASSES).encode())


def _charset(root: Item, chance: Random) -> None:
    _put(root, _CHARACTER_SET, b"CS", chance.choice(_CHARSETS))
    for _ in range(5):
        element = _any(root, chance)
        if element is not None and isinstance(element.value, bytes):
            element.value = chance.choice(_TEXTS)


def _by_reference(root: Item, chance: Random) -> None:
    """A content item that points at some other, itself, or nothing."""
    found = [
        e for i, n in _places(root) if (e := i.elements[n]).tag == _CONTENT and isinstance(e.value, list)
    ]
    if found:
        element = chance.choice(found)
        path = [1] + [chance.randrange(6) for _ in range(chance.choice((0, 1, 2, 4)))]
        pointing = Element(0x0040DB73, b"UL", struct.pack(f"<{len(path)}I", *path))
        relation = Element(0x0040A010, b"CS", b"SELECTED FROM ")
        assert isinstance(element.value, list)
        element.value.insert(chance.randrange(len(element.value) + 1), Item([relation, pointing]))


def _put(root: Item, tag: int, vr: bytes, value: bytes) -> None:
    root.elements = [element for element in root.elements if element.tag != tag]
    root.elements.insert(0, Element(tag, vr, value))


_CHANGES = (
    *(_value, _vr, _length, _item_length, _delimiters, _drop, _again, _retag),
    *(_items, _nest, _graft, _class, _charset, _by_reference),
)
_WEIGHTS = (6, 4, 4, 2, 2, 4, 2, 3, 4, 1, 2, 2, 2, 2)
