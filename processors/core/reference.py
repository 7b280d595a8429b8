"""ImagingReference: images, frames, segments, regions or observations of one study and one series.

Rules of this file: the product's one noun, as an immutable value that says nothing of FHIR releases; only the
standard library. It is made by `core.references`, judged by `core.checks`, rendered by `fhir`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from processors.core.events import Concept, Measurement, Performer, Region, SubsetKind


class Kind(StrEnum):
    """`kind` of the analytics fact (CONTRACT 6)."""

    SERIES = "series"
    KEY_IMAGES = "key_images"
    SOURCE_ITEM = "source_item"
    REGION = "region"
    SEGMENT = "segment"
    ROI = "roi"
    PRESENTATION = "presentation"
    SELECTION = "selection"
    PLAIN = "plain"


class WithdrawalReason(StrEnum):
    """In order of precedence: the earliest applicable is the one published (CONTRACT 4)."""

    PATIENT_SAFETY = "iocm-113037"
    WRONG_WORKLIST_ENTRY = "iocm-113038"
    DELETED = "deleted"
    SUPERSEDED = "superseded"
    QUALITY = "iocm-113001"
    RETENTION_EXPIRED = "iocm-113039"
    WITHDRAWN = "withdrawn"
    INVALID = "invalid"


PRECEDENCE = {reason: rank for rank, reason in enumerate(WithdrawalReason)}


class Identifier(NamedTuple):
    """FHIR Identifier: `system` is a URI or empty; `assigner` names a local issuer without a URI."""

    system: str
    value: str
    assigner: str = ""


class ReferencedInstance(NamedTuple):
    sop_instance_uid: str
    sop_class_uid: str = ""
    number: int | None = None
    subset_kind: SubsetKind = SubsetKind.NONE
    subset: tuple[str, ...] = ()
    regions_2d: tuple[Region, ...] = ()
    regions_3d: tuple[Region, ...] = ()
    waveform_channels: tuple[str, ...] = ()
    segmentation_frames: tuple[str, ...] = ()
    matrix_regions: tuple[Region, ...] = ()


WHOLE = ReferencedInstance("")[3:]
"""What an instance that is meant as a whole has after its number: no subset, no region, no channel."""


class ImagingReference(NamedTuple):
    """One study, one series, by construction: the instances carry neither."""

    id: str
    """uuid5 of the key (MAPPING 7), lower case."""
    kind: Kind
    study_instance_uid: str
    series_instance_uid: str
    code: Concept
    instances: tuple[ReferencedInstance, ...]
    """Sorted by number, then UID; empty only when the whole series is meant."""
    withdrawn: WithdrawalReason | None = None
    document_uid: str = ""
    """Canonical SOP UID of the source document; empty for a series or a selection."""
    subject: Identifier | None = None
    issued: str = ""
    performers: tuple[Performer, ...] = ()
    based_on: tuple[Identifier, ...] = ()
    category: tuple[Concept, ...] = ()
    series_number: int | None = None
    frame_of_reference_uid: str = ""
    body_site: Concept | None = None
    focus: tuple[str, ...] = ()
    """Reference ids."""
    endpoints: tuple[str, ...] = ()
    """FHIR references, `Endpoint/…`."""
    description: str = ""
    content_item_path: str = ""
    measurements: tuple[Measurement, ...] = ()
    modality: str = ""
    """Modality of the source object, for routing and facts."""
