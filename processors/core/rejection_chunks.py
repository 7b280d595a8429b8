"""Which entry of state each rejection of a study lies in.

Rules of this file: operational, no meaning; what notes said is in `core.study`. A note rewrites the entries
of what it names, so what it costs does not grow with what was rejected before.
"""

from __future__ import annotations

from processors.core.series import CHUNK

RejectedPath = tuple[str, str]
"""(series UID or "", SOP UID)."""

WHOLE = -1
"""In place of a chunk: the one entry of all rejections that versions before format 7 wrote."""


class RejectionChunks:
    __slots__ = ("_chunks", "paths", "touched")

    def __init__(self) -> None:
        self.paths: dict[int, list[RejectedPath]] = {}
        """Chunk → what is, or was, rejected of it."""
        self.touched: set[int] = set()
        self._chunks: dict[RejectedPath, int] = {}

    def put(self, path: RejectedPath, chunk: int) -> None:
        """It lies there."""
        self._chunks[path] = chunk
        self.paths.setdefault(chunk, []).append(path)

    def touch(self, path: RejectedPath) -> None:
        """Something else was said of it, or it is gone; chunks are filled one after the other."""
        chunk = self._chunks.get(path)
        if chunk is None:
            chunk = len(self._chunks) // CHUNK
            self.put(path, chunk)
        self.touched.add(chunk)
