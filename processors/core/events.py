"""What happened: the facts that are folded into a study, as immutable values.

Rules of this file: past tense, no behaviour, no I/O, only the standard library. Readers (`dicom`, `wire`,
`avro`) make these; `core.study` folds them; `wire.state` stores them. UIDs are bare and already checked.
An empty string or None means "not said" and never replaces a value (CONTRACT, Who wins).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Stamp(NamedTuple):
    """Who wins: compared as a tuple, the greater one wins (CONTRACT 4, Who wins)."""

    occurred_at_us: int
    """UTC, microseconds since 1970."""
    removal: bool
    """Removal wins over arrival at the same microsecond."""
    source: str
    event_id: str
    digest: bytes
    """First 8 bytes of the SHA-256 of the record's value."""


class Code(NamedTuple):
    """A coded concept (PS3.3 8.8) with its FHIR code system; `system` empty means text only."""

    system: str
    code: str
    display: str = ""


class Concept(NamedTuple):
    """FHIR CodeableConcept: at most one coding, and a text."""

    coding: Code | None = None
    text: str = ""


class Performer(NamedTuple):
    """FHIR ImagingSelection.performer. Shape of `identifier_*`: system and value, both empty if unknown."""

    function: str
    """v3-ParticipationType: PRF, VRF, SPRF, CON, REF."""
    actor_type: str
    """FHIR resource type: Practitioner, Device, Organization …"""
    display: str = ""
    identifier_system: str = ""
    identifier_value: str = ""


class Accession(NamedTuple):
    """(0008,0050) with its issuer: a URI, an OID or a local name ((0008,0051))."""

    value: str
    issuer: str = ""


class SeriesHeader(NamedTuple):
    """What one object's header says of its patient, study and series; one tuple an arrival."""

    modality: str = ""
    series_number: int | None = None
    body_part_examined: str = ""
    """(0018,0015) verbatim; resolved by `core.body_sites`."""
    anatomic_region: Code | None = None
    """(0008,2218), wins over body_part_examined."""
    laterality: str = ""
    performers: tuple[Performer, ...] = ()
    patient_id: str = ""
    issuer_of_patient_id: str = ""
    """A URI, an OID or a local name ((0010,0021)/(0010,0024))."""
    accession: Accession | None = None


class InstanceHeader(NamedTuple):
    """What one object's header says of the instance itself."""

    sop_class_uid: str = ""
    number: int | None = None
    """(0020,0013); None if absent, negative or no whole number."""
    frames: int | None = None
    """(0028,0008)."""
    frame_of_reference_uid: str = ""
    volume: str = ""
    """Which volume of its series it belongs to, as `dicom.volumes` has it; empty where nobody asked."""


class InstanceArrived(NamedTuple):
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    stamp: Stamp
    instance: InstanceHeader
    header: SeriesHeader
    dated: bool = True
    """False for a bare DICOM object: its time is no event's, so it gives no `issued`."""
    expected: int | None = None
    """Number of series related instances, if the sender said so."""
    warnings: tuple[str, ...] = ()


class InstanceDeleted(NamedTuple):
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    stamp: Stamp


class SeriesCompleted(NamedTuple):
    study_instance_uid: str
    series_instance_uid: str
    stamp: Stamp
    expected: int | None = None


class StudyUpdated(NamedTuple):
    """Corrected patient or study attributes; events are trusted over file headers (MAPPING 3.5)."""

    study_instance_uid: str
    stamp: Stamp
    header: SeriesHeader


# ---- documents ----------------------------------------------------------------------------------------


class GroupKind(StrEnum):
    """What a group of references of a document is; with it, the first word of its key (MAPPING 7)."""

    KEY_IMAGES = "kos"
    SOURCE_ITEM = "sr-item"
    REGION = "sr-region"
    REFERENCE = "sr-ref"
    SEGMENT = "seg"
    SEGMENT_SOURCE = "seg-src"
    PRESENTATION = "pr"
    PRESENTATION_SOURCE = "pr-src"
    PRESENTATION_REGION = "pr-region"
    ROI = "roi"
    SOURCE = "src"
    """Images that another object than these was made of or is for."""


class SubsetKind(StrEnum):
    """What `ReportedItem.subset` counts; R5 leaves it to the SOP Class, R6 has an element each."""

    NONE = ""
    FRAMES = "frames"
    SEGMENTS = "segments"
    ROIS = "rois"
    CONTENT_ITEMS = "content_items"


class Region(NamedTuple):
    r"""A region in FHIR's words: `region_type` in lower case, `coordinates` flat.

    2D: column\row pairs, 0\0 = top left corner of the top left pixel. 3D: x\y\z triplets in mm.
    Numbers are ints when whole, else the shortest decimal that gives the same binary32 (FL) or the decimal
    text's value (DS).
    """

    region_type: str
    coordinates: tuple[int | float, ...]


class ReportedItem(NamedTuple):
    """One instance that a document refers to (PS3.3 C.18.4), with what of it is meant."""

    study_instance_uid: str
    """Empty if no evidence names it: resolved within the document's own study."""
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str = ""
    subset_kind: SubsetKind = SubsetKind.NONE
    subset: tuple[str, ...] = ()
    """Sorted, unique; frame, segment and ROI numbers as decimal text without leading zeros."""
    regions_2d: tuple[Region, ...] = ()
    regions_3d: tuple[Region, ...] = ()
    waveform_channels: tuple[str, ...] = ()
    """"M\\C" pairs (PS3.3 C.18.5)."""
    segmentation_frames: tuple[str, ...] = ()
    """Frame numbers, as in `subset`, of a segmentation: its subset is segments (MAPPING 1.2)."""
    matrix_regions: tuple[Region, ...] = ()
    """2D, counted from the Total Pixel Matrix of a tiled image (PS3.3 C.18.6), as no FHIR region is."""


class FocusKind(StrEnum):
    REFERENCE = "reference"
    """`value` is a reference id."""
    GROUP = "group"
    """`value` is `<group kind>|<suffix>` of the same document: every reference of that group."""
    SERIES = "series"
    """`value` is `<study>|<series>`: that series' reference."""
    SERIES_OF_GROUP = "series_of_group"
    """`value` as for GROUP: the references of the whole series that the group's items lie in."""
    FRAME_OF_REFERENCE = "frame_of_reference"
    """`value` is a UID: the series reference, if exactly one known series of the study has it."""
    PRESENTATION_STATE = "presentation_state"
    """`value` is `<study>|<series>|<SOP>` of a presentation state: its `pr` reference. Study and series are
    empty if no evidence names it: resolved as a `ReportedItem` is."""


class Focus(NamedTuple):
    kind: FocusKind
    value: str


class Measurement(NamedTuple):
    """A NUM item for the analytics fact; `unit` is a UCUM code. `value` is the DS text's number."""

    name: Code | None
    value: float
    unit: str


class ReportedGroup(NamedTuple):
    """References that belong together; one ImagingReference for each (study, series) of its items."""

    kind: GroupKind
    suffix: str
    """Rest of the key after the document's UID: content item path, segment number …; may be empty."""
    code: Concept
    items: tuple[ReportedItem, ...]
    category: tuple[Concept, ...] = ()
    """Beyond the document's modality: title modifiers."""
    description: str = ""
    """Key Object Description: the artifact-description extension."""
    body_site: Concept | None = None
    content_item_path: str = ""
    """`1.5.1.6` (PS3.3 (0040,DB73)), for SR."""
    frame_of_reference_uid: str = ""
    """Said by the document itself (3D coordinates); else the referenced instances' common one."""
    focus: tuple[Focus, ...] = ()
    measurements: tuple[Measurement, ...] = ()


class DocumentPath(NamedTuple):
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


class RejectedInstance(NamedTuple):
    """Study and series are empty where the note has no evidence: it means that SOP in the note's study."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


class RejectionNote(NamedTuple):
    """A KOS with an IOCM title (MAPPING 3.2): a command, never key images."""

    title: str
    """113001, 113037, 113038, 113039, or `REVOKE` for REVOKE_REJECTION (99DCM4CHEE)."""
    instances: tuple[RejectedInstance, ...]


class Document(NamedTuple):
    """A report object, read: KOS, SR, presentation state, segmentation, structure set."""

    path: DocumentPath
    sop_class_uid: str
    modality: str
    """The reference's category: KO, SR, PR, SEG, RTSTRUCT."""
    instance: InstanceHeader
    header: SeriesHeader
    issued: str = ""
    """FHIR instant text with offset, or empty."""
    performers: tuple[Performer, ...] = ()
    accessions: tuple[Accession, ...] = ()
    """From Referenced Request Sequence; empty: the study's."""
    identical: tuple[str, ...] = ()
    """SOP UIDs of Identical Documents Sequence (0040,A525), own UID excluded."""
    predecessors: tuple[DocumentPath, ...] = ()
    groups: tuple[ReportedGroup, ...] = ()
    rejection: RejectionNote | None = None
    manifest: bool = False
    """113030–113035 describe content, not interest: no references unless configured."""
    problem: str = ""
    """DeadLetterCode when reading alone shows that nothing usable is left."""
    problem_tag: str = ""
    warnings: tuple[str, ...] = ()
    content_digest: bytes = b""
    """First 8 bytes of SHA-256 over the object's bytes, to tell a resend from a conflict."""
    verified_at_us: int | None = None
    """When it was verified last, if it is verified and final (PS3.3 C.17.2); µs UTC."""
    withheld: bool = False
    """It is unfinished, and the site publishes none of those: it refers to nothing and replaces nothing."""


class DocumentArrived(NamedTuple):
    """A report object arrived; it is also an instance of its own series."""

    document: Document
    stamp: Stamp
    dated: bool = True
    expected: int | None = None

    @property
    def study_instance_uid(self) -> str:
        return self.document.path.study_instance_uid

    @property
    def series_instance_uid(self) -> str:
        return self.document.path.series_instance_uid


class SelectionMade(NamedTuple):
    """A viewer, an AI or a FHIRcast session refers to images without a DICOM object (CONTRACT 3)."""

    study_instance_uid: str
    series_instance_uid: str
    selection_id: str
    stamp: Stamp
    code: Concept
    header: SeriesHeader
    issued: str = ""
    performers: tuple[Performer, ...] = ()
    frame_of_reference_uid: str = ""
    items: tuple[ReportedItem, ...] = ()
    warnings: tuple[str, ...] = ()


class SelectionWithdrawn(NamedTuple):
    study_instance_uid: str
    series_instance_uid: str
    selection_id: str
    stamp: Stamp


# ---- what crosses studies: made by the pipeline, travel through the intake topic -----------------------


class FragmentReported(NamedTuple):
    """The part of a document that concerns another study; an empty one (`groups`) takes everything back.

    `document.groups` hold items and states of this study only; `sequence` counts what its home sent of it.
    """

    study_instance_uid: str
    document: Document
    stamp: Stamp
    sequence: int
    former: tuple[Document, ...] = ()
    """The same part of earlier contents under the document's path, latest first."""
    withdrawn: str = ""
    """A withdrawal reason of the document as a whole, known at its home; empty: live."""
    erased: bool = False
    """The document was: nothing of it may stay here."""
    partly_erased: bool = False
    """Something of its study was; what is missing here is to go, rather than to be withdrawn."""
    former_stamps: tuple[Stamp, ...] = ()
    """Under which each of `former` was said: it may be older than an erasure that the present one is not."""

    @property
    def said_before(self) -> list[tuple[Stamp, Document]]:
        """`former`, each under its stamp; under the present one's where an earlier version told none."""
        return list(zip(self.former_stamps or (self.stamp,) * len(self.former), self.former, strict=True))

    @property
    def leaves_nothing(self) -> bool:
        """Neither the document nor the fact that it had a part here need be kept."""
        return self.erased or (self.partly_erased and not self.document.groups and not self.former)


class InstancesRejected(NamedTuple):
    """A rejection note's effect on one study."""

    study_instance_uid: str
    title: str
    instances: tuple[tuple[str, str], ...]
    """(series UID or empty, SOP UID)."""
    stamp: Stamp


class DocumentsSuperseded(NamedTuple):
    """A successor names these documents of one study as its predecessors ((0040,A360))."""

    study_instance_uid: str
    documents: tuple[str, ...]
    """SOP UIDs."""
    stamp: Stamp


Event = (
    InstanceArrived
    | InstanceDeleted
    | SeriesCompleted
    | StudyUpdated
    | DocumentArrived
    | SelectionMade
    | SelectionWithdrawn
    | FragmentReported
    | InstancesRejected
    | DocumentsSuperseded
)
