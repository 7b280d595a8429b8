"""What is said of a series or an instance, in layers: each attribute's value is the one said last.

Rules of this file: pure functions of header tuples and the stamps under which each was last said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from processors.core.events import InstanceHeader, SeriesHeader, Stamp

EMPTY: tuple[object, ...] = (None, "", ())
_ISSUER = SeriesHeader._fields.index("issuer_of_patient_id")
Header = TypeVar("Header", SeriesHeader, InstanceHeader)


def resolved_header(headers: dict[SeriesHeader, Stamp]) -> SeriesHeader:
    """Each attribute's value under the highest stamp that says it (CONTRACT 4, Who wins).

    A patient id and its issuer are one fact: the issuer is that of the header that gives the id.
    """
    if len(headers) == 1:
        return next(iter(headers))
    ranked = _ranked(headers)
    issuer = next((h.issuer_of_patient_id for h in ranked if h.patient_id), "")
    return SeriesHeader(*_first_said(ranked))._replace(issuer_of_patient_id=issuer)


def resolved_instance(headers: dict[InstanceHeader, Stamp]) -> InstanceHeader:
    """The same of an instance; nothing said of it where there is no header."""
    if len(headers) == 1:
        return next(iter(headers))
    return InstanceHeader(*_first_said(_ranked(headers)))


def winning_layers(headers: dict[Header, Stamp]) -> dict[Header, Stamp]:
    """Only the tuples that still give some attribute its value; the others can never win again."""
    if len(headers) < 2:
        return headers
    kept: dict[Header, Stamp] = {}
    unsaid: set[int] | None = None
    for header in _ranked(headers):
        unsaid = set(range(len(header))) if unsaid is None else unsaid
        gives = {i for i in unsaid if header[i] not in EMPTY}
        patient_id = getattr(header, "patient_id", None)
        if patient_id == "":
            gives.discard(_ISSUER)
        if gives or not kept:
            kept[header] = headers[header]
            unsaid -= gives
            if patient_id:
                unsaid.discard(_ISSUER)
    return kept


def _ranked(headers: dict[Header, Stamp]) -> list[Header]:
    """Said last first."""
    return sorted(headers, key=headers.__getitem__, reverse=True)


def _first_said(ranked: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
    """Of each attribute the first value that says something."""
    return (next((v for v in c if v not in EMPTY), c[0]) for c in zip(*ranked, strict=True))
