"""One fact for analytics per published revision (CONTRACT 6), without names, birth dates or patient ids.

Rules of this file: the value and its plain form, pure. `avro.facts` encodes it under the same names.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from processors.core.events import Concept, Measurement


class InputRange(NamedTuple):
    """Input records that went into a revision, both offsets included."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int


class Fact(NamedTuple):
    """Times are microseconds UTC since 1970; an empty text or None is not known."""

    reference_id: str
    revision: int
    kind: str
    status: str
    """FHIR's imagingselection-status."""
    study_instance_uid: str
    series_instance_uid: str
    code: Concept
    """Coded or not at all: its text is a description or a label, and may name the patient."""
    published_at: int
    content_hash: str
    """SHA-256 of the content without versionId and lastUpdated, hex."""
    withdrawal_reason: str = ""
    source_document_uid: str = ""
    sop_class_uid: str = ""
    """Of all instances; empty if they differ."""
    content_item_path: str = ""
    modality: str = ""
    body_site: Concept | None = None
    instance_count: int = 0
    frame_count: int = 0
    region_count: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    """Instances since the last published revision; likewise added and removed."""
    closed_by: str = ""
    """counted, completed, quiet, hard_stop; empty where no rule closed it."""
    expected_instances: int | None = None
    first_instance_at: int | None = None
    last_instance_at: int | None = None
    settle_ms: int | None = None
    """From the last instance's arrival to publication."""
    duplicates: int = 0
    warnings: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    inputs: tuple[InputRange, ...] = ()
    patient_pseudonym: str = ""


def as_mapping(fact: Fact) -> dict[str, Any]:
    """The fact as JSON-like values: records are dictionaries, the unknown is None, times stay integers."""
    return {name: _plain(value) for name, value in zip(fact._fields, fact, strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        if hasattr(value, "_fields"):
            return {name: _plain(member) for name, member in zip(value._fields, value, strict=True)}
        return [_plain(member) for member in value]
    return None if value == "" else value
