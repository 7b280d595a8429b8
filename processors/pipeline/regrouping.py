"""All state of a site as another number of homes holds it.

Rules of this file: where each entry belongs, and what is made of several homes' copies of one; pure. The old
homes must have read their intake to its end: then their alias tables say the same.

    a study's own entries     its home, by the hash of its UID
    index by patient          the home of the study
    merges, changed UIDs      every home, as it was
    patients that wait        every home, from the first study on: a look too many changes nothing
    what studies were told    the homes of the studies that may have anything of the origin
    erasures                  as the study, if it is still known; else every home, since the key is a hash
    retention of the clocks   every home, if all were done with setting them; else they are set anew
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import reduce
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Protocol

from processors.avro.envelope import decode_state
from processors.core.identity import name_hash
from processors.pipeline.entries import HELD_KEY, LAYOUT_KEY, entry_of
from processors.pipeline.partitioning import home_of
from processors.pipeline.ports import Held
from processors.pipeline.records import StateEntry
from processors.wire import erasure_rows, move_rows, patient_rows
from processors.wire.remnant_rows import RETENTION
from processors.wire.state import Row, kind_of, study_of

_OF_HOMES = "!"
"""Keys that begin so are no study's own."""
_MARKS = (patient_rows.PRIORS, patient_rows.STUDIES, move_rows.UPSTREAM)
"""Kinds whose key says it all."""
_EVERYWHERE = (
    patient_rows.LINKS,
    patient_rows.PRIORS,
    patient_rows.WAITING,
    move_rows.CHANGES,
    move_rows.UPSTREAM,
)


class Whole(Protocol):
    """All of one home's state."""

    def entries(self, prefix: str) -> Iterator[Held]:
        """In key order."""
        ...


def regrouped(homes: Sequence[Whole], partitions: int) -> Iterator[StateEntry]:
    """Every entry of the new homes, but not what a move itself tells them, which is the caller's affair.

    Reads the old homes twice; keeps what erasures and changed UIDs need.
    """
    placing = _Placing(homes, partitions)
    for home in homes:
        yield from placing.of_studies(home.entries(""))
    together = merge(*(home.entries(_OF_HOMES) for home in homes), key=itemgetter(0))
    for key, copies in groupby(together, itemgetter(0)):
        if key == RETENTION:
            yield from placing.of_retention(list(copies))
        elif key not in (LAYOUT_KEY, HELD_KEY):
            yield from placing.of_homes(key, list(copies))


class _Placing:
    def __init__(self, homes: Sequence[Whole], partitions: int) -> None:
        self._partitions = partitions
        self._former = len(homes)
        self._erased = {
            erasure_rows.study_hash_of(key) for h in homes for key, *_ in h.entries(erasure_rows.ERASURES)
        }
        self._known: dict[str, str] = {}
        """Hash → UID, of studies of which something was erased and something is left."""
        self._onward: dict[str, set[str]] = {}
        """Study → the studies into which something of it came."""
        for home in homes:
            for key, *_ in home.entries(move_rows.UPSTREAM):
                _, study, prior = key.split("|")
                self._onward.setdefault(prior, set()).add(study)

    def of_studies(self, entries: Iterable[Held]) -> Iterator[StateEntry]:
        for study, own in groupby(entries, lambda held: study_of(held[0])):
            if study.startswith(_OF_HOMES):
                continue
            if self._erased and (known := name_hash(study)) in self._erased:
                self._known[known] = study
            home = self._home_of(study)
            for key, value, due_at_ms in own:
                yield StateEntry(home, key, value, due_at_ms)

    def of_homes(self, key: str, copies: list[Held]) -> Iterator[StateEntry]:
        kind = f"{kind_of(key)}|"
        homes = sorted(self._homes(kind, key))
        due_at_ms = min((due for *_, due in copies if due is not None), default=None)
        value = _joined(kind, key, sorted({value for _, value, _ in copies}))
        if kind == patient_rows.WAITING:
            value = _value_of(key, patient_rows.encode_cursor(""))
        for home in homes:
            yield StateEntry(home, key, value, due_at_ms)

    def of_retention(self, copies: list[Held]) -> Iterator[StateEntry]:
        (_, value, due_at_ms), is_one = copies[0], len(set(copies)) == 1
        if is_one and due_at_ms is None and len(copies) == self._former:
            for home in range(self._partitions):
                yield StateEntry(home, RETENTION, value)

    def _homes(self, kind: str, key: str) -> Collection[int]:
        if kind == patient_rows.STUDIES:
            return {self._home_of(patient_rows.last_of(key))}
        if kind == move_rows.TOLD:
            return {self._home_of(study) for study in self._reached(move_rows.origin_of(key))}
        if kind == erasure_rows.ERASURES:
            study = self._known.get(erasure_rows.study_hash_of(key))
            return range(self._partitions) if study is None else {self._home_of(study)}
        if kind not in _EVERYWHERE:
            raise AssertionError(f"no rule for entries of the kind {kind}")
        return range(self._partitions)

    def _reached(self, origin: str) -> set[str]:
        """Studies in which anything of this one may lie."""
        found, unread = set[str](), [origin]
        while unread:
            for study in self._onward.get(unread.pop(), set()) - found:
                found.add(study)
                unread.append(study)
        return found

    def _home_of(self, study_instance_uid: str) -> int:
        return home_of(study_instance_uid, self._partitions)


def _joined(kind: str, key: str, values: list[bytes]) -> bytes:
    """One value of several; homes that read the same have the same."""
    if len(values) == 1 or kind in _MARKS:
        return values[0]
    if kind in (move_rows.TOLD, patient_rows.WAITING):  # the latest of what one home said
        return max(values, key=lambda value: decode_state(value).stamp_ms)
    bodies = [decode_state(value).body for value in values]
    if kind == patient_rows.LINKS:
        return _value_of(key, reduce(patient_rows.joined_links, bodies))
    if kind == move_rows.CHANGES:
        return _value_of(key, reduce(move_rows.joined_changes, bodies))
    return _value_of(key, reduce(lambda a, b: erasure_rows.joined_erasures(key, a, b), bodies))


def _value_of(key: str, body: bytes) -> bytes:
    value = entry_of(0, Row(key, body)).value
    assert value is not None
    return value
