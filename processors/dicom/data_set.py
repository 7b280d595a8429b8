"""A data set as it lies in its bytes: which elements there are and where their values are.

Rules of this file: the container and the character sets it is written in; what a value means is
`values`'s. No value is copied until it is asked for, so that bulk data costs nothing.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from mmap import mmap

from pydicom.charset import STAND_ALONE_ENCODINGS, default_encoding, python_encoding

Buffer = bytes | bytearray | mmap

Element = tuple[bytes, int, int]
"""VR (two letters, empty in implicit VR), where the value starts, and its length in bytes."""

_CHARACTER_SET = 0x00080005


class DataSet:
    """An object's or an item's elements by tag: a sequence as the list of its items, any other as Element."""

    __slots__ = ("_encodings", "data", "elements", "little", "outer")

    def __init__(
        self,
        data: Buffer = b"",
        little: bool = True,
        outer: DataSet | None = None,
        encodings: tuple[str, ...] = (),
    ) -> None:
        """`outer` is the data set that an item is nested in, whose character sets it shares (PS3.3
        C.12.1.1.2) unless it has its own; `encodings`, Python's names, are said where (0008,0005)
        does not hold.
        """
        self.data = data
        self.little = little
        self.outer = outer
        self.elements: dict[int, Element | list[DataSet]] = {}
        self._encodings = encodings

    def let_go(self) -> None:
        """Forget all of it, once it is read. An item and what it is nested in name each other, so the bytes
        of every object would stay until cycles are looked for, which a member does rarely.
        """
        waiting = [self]
        while waiting:
            one = waiting.pop()
            for element in one.elements.values():
                if isinstance(element, list):
                    waiting += element
            one.data, one.elements, one.outer = b"", {}, None

    def value_of(self, element: Element) -> bytes:
        _, at, length = element
        return bytes(self.data[at : at + length])

    @property
    def is_alike_anywhere(self) -> bool:
        """Whether the same bytes elsewhere in the object mean the same: nothing that broke, no nesting whose
        depth counts, and nothing that a character set is needed for.
        """
        for element in self.elements.values():
            if isinstance(element, list):
                return False
            value = self.value_of(element)
            if not value.isascii() or b"\x1b" in value:
                return False
        return bool(self.elements)

    @property
    def encodings(self) -> tuple[str, ...]:
        """Of Specific Character Set (0008,0005), at least one; that of no known set is the default's."""
        if not self._encodings:
            sent = self.elements.get(_CHARACTER_SET)
            if isinstance(sent, tuple) and sent[2]:
                self._encodings = _encodings_of(self.value_of(sent))
            else:
                self._encodings = self.outer.encodings if self.outer else (default_encoding,)
        return self._encodings


def encoding_of(character_set: str) -> str | None:
    """Python's name of one value of (0008,0005), also of one nearly written so; None if there is none.

    Codecs that a character set cannot mean, as `hex` or `idna`, which raise or take quadratic time, are none.
    """
    found = _BY_LETTERS.get(_letters(character_set))
    if found is not None:
        return found
    try:
        name = codecs.lookup(character_set).name
    except (LookupError, ValueError):  # ValueError: a NUL
        return None
    return name if name in _CODECS else None


@lru_cache(maxsize=64)
def _encodings_of(sent: bytes) -> tuple[str, ...]:
    names = [name.strip(" \x00") for name in sent.decode("ascii", "replace").split("\\")]
    found = [encoding_of(name) or default_encoding for name in names]
    alone = [_letters(name) in _STAND_ALONE for name in names]  # PS3.3 C.12.1.1.2: without code extensions
    if alone[0]:
        return (found[0],)
    return tuple(encoding for encoding, is_alone in zip(found, alone, strict=True) if not is_alone)


def _letters(character_set: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", character_set.upper())


_BY_LETTERS = {_letters(name): encoding for name, encoding in python_encoding.items()}
_STAND_ALONE = frozenset(map(_letters, STAND_ALONE_ENCODINGS))
_CODECS = {codecs.lookup(encoding).name for encoding in python_encoding.values()}
