"""Bodies at rest, compressed: Zstandard (RFC 8878).

Rules of this file: bytes to bytes. What objects and events of a series say differs in a few places, so bodies
shrink to half or less; at level 1 that costs less than writing what it saves.
"""

from __future__ import annotations

from threading import local

import zstandard

_LEVEL = 1


class _Own(local):
    """A thread's own: they are for one at a time, and making them costs as much as their work."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=_LEVEL).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_own = _Own()


def pack(body: bytes) -> bytes:
    return _own.compress(body)


def unpack(packed: bytes) -> bytes:
    """Raises zstandard.ZstdError if it is not what `pack` made (the store's checksum comes before it)."""
    return _own.decompress(packed)
