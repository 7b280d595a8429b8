"""Bytes changed without regard to what they are.

Rules of this file: bytes and a generator in, bytes out; any length.
"""

from __future__ import annotations

import struct
from random import Random

_LENGTHS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_WORDS = (
    *(b"SQ", b"UN", b"UI", b"OB", b"UT", b"??", b"\x06\x00", b"\\", b"\x1b$B", b"\x1b(", b"DICM"),
    *(b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0", b"\xff\xfe\xe0\x00"),
    *(b"\xe0\x7f\x10\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xed\xa0\x80", b"\xef\xbf\xbf"),
    *(b"{", b"}", b"[", b'"', b"\\u0000", b"\\ud800", b"1e999", b"null", b"\xc3\x01", b"\x80" * 10),
)


def damaged(data: bytes, chance: Random, first: int = 0) -> bytes:
    """One to eight changes behind `first`."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if len(changed) <= first:
            break
        chance.choice(_CHANGES)(changed, chance.randrange(first, len(changed)), chance)
    return bytes(changed)


def _flip(data: bytearray, at: int, chance: Random) -> None:
    data[at] ^= 1 << chance.randrange(8)


def _set(data: bytearray, at: int, chance: Random) -> None:
    data[at] = chance.choice((0, 1, 0x20, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _word(data: bytearray, at: int, chance: Random) -> None:
    word = chance.choice(_WORDS)
    data[at : at + (len(word) if chance.random() < 0.7 else 0)] = word


def _length(data: bytearray, at: int, chance: Random) -> None:
    number = chance.choice(_LENGTHS)
    form = "H" if number <= 0xFFFF and chance.random() < 0.5 else "I"
    packed = struct.pack(chance.choice("<>") + form, number)
    data[at : at + len(packed)] = packed


def _cut(data: bytearray, at: int, chance: Random) -> None:
    del data[at : at + chance.choice((1, 2, 4, 8, 64))]


def _end(data: bytearray, at: int, chance: Random) -> None:
    del data[at:]


def _repeat(data: bytearray, at: int, chance: Random) -> None:
    size = chance.choice((1, 8, 20, 200))
    data[at:at] = data[at : at + size] * chance.choice((1, 1, 2, 50))


def _swap(data: bytearray, at: int, chance: Random) -> None:
    size, other = chance.choice((2, 8, 40)), chance.randrange(len(data))
    data[at : at + size], data[other : other + size] = data[other : other + size], data[at : at + size]


_CHANGES = (_flip, _set, _word, _length, _cut, _end, _repeat, _swap)
