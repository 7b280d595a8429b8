"""What stays of a study that was purged: which references readers have, and with which revision.

Rules of this file: a value and the questions that are asked of it; who makes one is `core.purging`. It names
study and series, as the null value of an erasure must; of a reference stays its id, a hash of its path, and
of documents and selections 8 bytes of a hash, enough to know them again within one study.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from processors.core.reference import Kind

Mark = bytes
"""8 bytes of the SHA-256 of a SOP UID, or of a selection's key."""


def mark_of(*parts: str) -> Mark:
    return sha256("|".join(parts).encode()).digest()[:8]


class Line(NamedTuple):
    """One reference as readers have it: what a null value for it would need, and what it is known by."""

    revision: int
    """0: it was refused; readers never had it."""
    kind: str
    series_instance_uid: str
    """The series whose instances it lists."""
    maker: Mark = b""
    """The document (by its canonical UID) or the selection that it is of; empty: the series itself."""
    modality: str = ""


class Remnant:
    """Of one study. `touched`: it must be written at the end of the step."""

    __slots__ = ("documents", "leaving", "lines", "touched")

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        """By reference id."""
        self.documents: set[tuple[Mark, Mark]] = set()
        """(SOP UID, canonical UID) of every document that was here, and of those they were copies of."""
        self.leaving: dict[str, Line] = {}
        """Those that an erasure takes away; their null values are still to be sent."""
        self.touched = False

    def has_series(self, series_instance_uid: str) -> bool:
        """Readers have a reference of the whole series."""
        lines = self.lines.values()
        return any(n.kind == Kind.SERIES and n.series_instance_uid == series_instance_uid for n in lines)

    def has_document(self, *sop_instance_uids: str) -> bool:
        """One of these was a document here, whether readers have a reference of it or not."""
        marks = {mark_of(uid) for uid in sop_instance_uids}
        return any(sop in marks for sop, _ in self.documents)

    def has_selection(self, *key: str) -> bool:
        mark = mark_of(*key)
        return any(line.maker == mark for line in self.lines.values())

    def let_go(self, series_instance_uids: set[str], sop_instance_uids: set[str]) -> bool:
        """Erase what may show an instance: all of its series, and all of the document that it is. Several:
        its names in this study.

        True if there is any. What has no reference left is as if never heard of, but for its revisions.
        """
        own = {mark_of(uid) for uid in sop_instance_uids}
        makers = {canonical for sop, canonical in self.documents if sop in own}
        for reference_id, line in list(self.lines.items()):
            if line.series_instance_uid in series_instance_uids or line.maker in makers:
                self.leaving[reference_id] = self.lines.pop(reference_id)
        makers |= {line.maker for line in self.leaving.values()}
        emptied = makers - {line.maker for line in self.lines.values()}
        return self._forget({pair for pair in self.documents if pair[1] in emptied})

    def let_all_go(self) -> bool:
        """Erase everything: an instance has another name here, which only its hash could tell."""
        self.leaving |= self.lines
        self.lines.clear()
        return self._forget(set(self.documents))

    def _forget(self, documents: set[tuple[Mark, Mark]]) -> bool:
        self.documents -= documents
        self.touched |= bool(self.leaving or documents)
        return bool(self.leaving)
