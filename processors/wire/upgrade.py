"""Entries that an earlier version wrote, made what this one would have written.

Rules of this file: one step for each FORMAT of `wire.state` that may still be met, from one to the next; what
a step needs of the past is written here, not borrowed from what may change.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from processors.errors import Unavailable
from processors.wire.instance_rows import encode_instances
from processors.wire.packing import pack, unpack
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


_UNSAID_6 = ("", "", None, None, "", None, "", "", b"", 0, None, "")
"""What the fields are that the array of an instance does not reach: volumes came with format 5."""


def _in_columns(kind: str, body: bytes) -> bytes:
    """6 to 7: instances were an array each, one after the other. Rejections lie in chunks; the one entry of
    before is read as it is (`wire.rejection_rows`).
    """
    if kind != "c":
        return body
    rows = msgspec.msgpack.decode(unpack(body))
    return encode_instances([(*row, *_UNSAID_6[len(row) :]) for row in rows])


_STEPS: dict[int, Callable[[str, bytes], bytes]] = {
    3: _compressed,
    4: _unchanged,
    5: _rejections_compressed,
    6: _in_columns,
}
"""Format → what makes the next one of a body of it."""

OLDEST = min(_STEPS)
