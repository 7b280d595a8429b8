"""Entries that an earlier version wrote, made what this one would have written.

Rules of this file: one step for each FORMAT of `wire.state` that may still be met, from one to the next; what
a step needs of the past is written here, not borrowed from what may change.
"""

from __future__ import annotations

from collections.abc import Callable

from processors.errors import Unavailable
from processors.wire.packing import pack
from processors.wire.state import FORMAT


def upgraded(version: int, kind: str, body: bytes) -> bytes:
    """The body as of FORMAT. Raises Unavailable for one of a later version, or from before the first step."""
    if not OLDEST <= version <= FORMAT:
        raise Unavailable(
            f"changelog: an entry of format {version}, and this version reads {OLDEST} to {FORMAT}; run the "
            "version that wrote it, or rebuild the state from the inputs (deploy/README.md)"
        )
    for step in range(version, FORMAT):
        body = _STEPS[step](kind, body)
    return body


def _compressed(kind: str, body: bytes) -> bytes:
    """3 to 4: instances, what they say of their series, and documents are compressed."""
    return pack(body) if kind in {"c", "h", "d"} else body


def _unchanged(_: str, body: bytes) -> bytes:
    """4 to 5: volumes of series and withheld documents, of which there were none."""
    return body


def _rejections_compressed(kind: str, body: bytes) -> bytes:
    """5 to 6. Beside it: when a study was heard of last, which nobody noted; what is left of purged ones."""
    return pack(body) if kind == "r" else body


def _in_chunks(_: str, body: bytes) -> bytes:
    """6 to 7: rejections lie in chunks; the one entry of before is read as it is (`wire.rejection_rows`)."""
    return body


_STEPS: dict[int, Callable[[str, bytes], bytes]] = {
    3: _compressed,
    4: _unchanged,
    5: _rejections_compressed,
    6: _in_chunks,
}
"""Format → what makes the next one of a body of it."""

OLDEST = min(_STEPS)
