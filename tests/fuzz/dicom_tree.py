"""A data set as a tree that may be as wrong as one likes, and its bytes.

Rules of this file: encoding without any check; what is wrong is `dicom_mutations`' choice.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import NamedTuple

from processors.dicom.data_set import DataSet
from processors.dicom.element_headers import SHORT, UNDEFINED, vr_of

_ITEM, _ITEM_END, _SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD


@dataclass(slots=True)
class Element:
    tag: int
    vr: bytes
    value: bytes | list[Item]
    said_length: int | None = None
    """None: the true one, or for a sequence that is `delimited` none."""
    delimited: bool = False


@dataclass(slots=True)
class Item:
    elements: list[Element] = field(default_factory=list)
    said_length: int | None = None
    delimited: bool = False


class Form(NamedTuple):
    """How a data set is written: transfer syntax as said, and as done."""

    said: str = "1.2.840.10008.1.2.1"
    implicit: bool = False
    little: bool = True
    deflated: bool = False
    preamble: bool = True
    meta: bool = True


def tree_of(data_set: DataSet) -> Item:
    """The elements of a sound data set, all values copied."""
    found = Item()
    for tag, element in data_set.elements.items():
        if isinstance(element, list):
            found.elements.append(Element(tag, b"SQ", [tree_of(item) for item in element]))
        else:
            vr = element[0] or vr_of(tag) or b"UN"
            found.elements.append(Element(tag, vr, data_set.value_of(element)))
    return found


def copy_of(item: Item) -> Item:
    return Item([_copy(element) for element in item.elements], item.said_length, item.delimited)


def _copy(element: Element) -> Element:
    value = element.value if isinstance(element.value, bytes) else [copy_of(item) for item in element.value]
    return Element(element.tag, element.vr, value, element.said_length, element.delimited)


def written(root: Item, form: Form) -> bytes:
    """A Part 10 object, or what `form` makes of it."""
    out = bytearray()
    _write(root, form, out)
    if form.deflated:
        deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
        out = bytearray(deflate.compress(out) + deflate.flush())
    meta = b""
    if form.meta:
        uid = form.said.encode() + b"\0" * (len(form.said) % 2)
        meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(uid)) + uid
    return (b"\0" * 128 + b"DICM" if form.preamble else b"") + meta + bytes(out)


def _write(item: Item, form: Form, out: bytearray) -> None:
    order = "<" if form.little else ">"
    for element in item.elements:
        if isinstance(element.value, bytes):
            value = element.value
        else:
            nested = bytearray()
            for each in element.value:
                _write_item(each, form, nested)
            if element.delimited:
                nested += struct.pack(f"{order}HHI", 0xFFFE, _SEQUENCE_END, 0)
            value = bytes(nested)
        length = UNDEFINED if element.delimited else len(value)
        _write_header(element, length if element.said_length is None else element.said_length, form, out)
        out += value


def _write_header(element: Element, length: int, form: Form, out: bytearray) -> None:
    order = "<" if form.little else ">"
    out += struct.pack(f"{order}HH", element.tag >> 16, element.tag & 0xFFFF)
    if form.implicit:
        out += struct.pack(f"{order}I", length & UNDEFINED)
    elif element.vr in SHORT:
        out += element.vr + struct.pack(f"{order}H", length & 0xFFFF)
    else:
        out += element.vr + struct.pack(f"{order}HI", 0, length & UNDEFINED)


def _write_item(item: Item, form: Form, out: bytearray) -> None:
    order = "<" if form.little else ">"
    content = bytearray()
    _write(item, form, content)
    length = UNDEFINED if item.delimited else len(content)
    said = length if item.said_length is None else item.said_length
    out += struct.pack(f"{order}HHI", 0xFFFE, _ITEM, said & UNDEFINED) + content
    if item.delimited:
        out += struct.pack(f"{order}HHI", 0xFFFE, _ITEM_END, 0)
