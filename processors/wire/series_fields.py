"""The typed fields that say something of a whole series, as the core's SeriesHeader (CONTRACT 3).

Rules of this file: texts bared and checked, nothing else of an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from processors.core.events import Accession, SeriesHeader
from processors.errors import WarningCode
from processors.wire.texts import bare, has_control
from processors.wire.uids import Warnings

SERIES_FIELDS = (
    "modality",
    "series_number",
    "body_part_examined",
    "laterality",
    "patient_id",
    "issuer_of_patient_id",
    "accession_number",
    "issuer_of_accession_number",
)


def header_of(values: Sequence[Any]) -> tuple[SeriesHeader, Warnings]:
    """`values`: of SERIES_FIELDS, None where not said."""
    modality, series_number, *texts = values
    warnings: list[str] = []
    first, *more = _text(modality, warnings).split("\\")
    if more:  # (0008,0060) has one value
        warnings.append(WarningCode.MULTIVALUED_TEXT)
    body_part, laterality, patient_id, issuer, accession, accession_issuer = (
        _text(t, warnings) for t in texts
    )
    header = SeriesHeader(
        modality=first.strip(),
        series_number=series_number,
        body_part_examined=body_part,
        laterality=laterality,
        patient_id=patient_id,
        issuer_of_patient_id=issuer,
        accession=Accession(accession, accession_issuer) if accession else None,
    )
    return header, tuple(warnings)


def _text(value: str | None, warnings: list[str]) -> str:
    """Without padding (PS3.5 6.2); FHIR's string has something to see and no control characters."""
    if not value:
        return ""
    text = bare(value)
    if not text:
        warnings.append(WarningCode.BAD_VR)
    elif has_control(text):
        warnings.append(WarningCode.TEXT_UNDECODABLE)
        return ""
    return text
