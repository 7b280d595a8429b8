"""What is said of a series as a whole, in layers: each attribute's value is the one said last.

Rules of this file: pure functions of header tuples and the stamps under which each was last said.
"""

from __future__ import annotations

from processors.core.events import SeriesHeader, Stamp


def resolved_header(headers: dict[SeriesHeader, Stamp]) -> SeriesHeader:
    """Each attribute's value under the highest stamp that says it (CONTRACT 4, Who wins).

    A patient id and its issuer are one fact: the issuer is that of the header that gives the id.
    """
    if len(headers) == 1:
        return next(iter(headers))
    ranked = sorted(headers, key=headers.__getitem__, reverse=True)
    columns = zip(*ranked, strict=True)
    resolved = SeriesHeader(*(next((v for v in c if v not in EMPTY), c[0]) for c in columns))
    issuer = next((h.issuer_of_patient_id for h in ranked if h.patient_id), "")
    return resolved._replace(issuer_of_patient_id=issuer)


EMPTY: tuple[object, ...] = (None, "", ())


def winning_layers(headers: dict[SeriesHeader, Stamp]) -> dict[SeriesHeader, Stamp]:
    """Only the tuples that still give some attribute its value; the others can never win again."""
    ranked = sorted(headers, key=headers.__getitem__, reverse=True)
    kept: dict[SeriesHeader, Stamp] = {}
    unsaid = set(range(len(SeriesHeader._fields)))
    for header in ranked:
        gives = {i for i in unsaid if header[i] not in EMPTY}
        if not header.patient_id:
            gives.discard(_ISSUER)
        if gives or not kept:
            kept[header] = headers[header]
            unsaid -= gives
            if header.patient_id:
                unsaid.discard(_ISSUER)
    return kept


_ISSUER = SeriesHeader._fields.index("issuer_of_patient_id")
