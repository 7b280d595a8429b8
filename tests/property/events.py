"""Random histories of a small hospital: core events with colliding UIDs, ties in time and every kind of fact.

Rules of this file: Hypothesis strategies and the packing of events into records; no assertion.
"""

from __future__ import annotations

from hypothesis import strategies as st

from processors.avro.envelope import IntakeEnvelope, encode_intake
from processors.core.events import (
    Accession,
    Code,
    Concept,
    Document,
    DocumentArrived,
    DocumentPath,
    Event,
    Focus,
    FocusKind,
    GroupKind,
    InstanceArrived,
    InstanceDeleted,
    InstanceHeader,
    RejectedInstance,
    RejectionNote,
    ReportedGroup,
    ReportedItem,
    SelectionMade,
    SelectionWithdrawn,
    SeriesCompleted,
    SeriesHeader,
    Stamp,
    StudyUpdated,
    SubsetKind,
)
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import Record
from processors.wire.messages import pack
from processors.wire.state import FORMAT

STUDIES = ("1.1", "1.2")
SERIES = ("2.1", "2.2")
SOPS = ("3.1", "3.2", "3.3")
CT = "1.2.840.10008.5.1.4.1.1.2"
KOS = "1.2.840.10008.5.1.4.1.1.88.59"
SR = "1.2.840.10008.5.1.4.1.1.88.33"
PARTITIONS = 3
INTAKE = "imaging-reference-intake"
DAY_US = 1_767_340_800_000_000  # 2026-01-02T08:00:00Z

studies, series, sops = (st.sampled_from(values) for values in (STUDIES, SERIES, SOPS))


@st.composite
def stamps(draw: st.DrawFn, removal: bool = False) -> Stamp:
    """Few distinct times, so that ties are common; the event id tells events apart."""
    at_us = DAY_US + draw(st.integers(0, 4)) * 1_000_000
    source = draw(st.sampled_from(("PACS_A", "PACS_B")))
    return Stamp(
        at_us, removal, source, draw(st.uuids(version=4)).hex, draw(st.binary(min_size=8, max_size=8))
    )


headers = st.builds(
    SeriesHeader,
    anatomic_region=st.none(),
    laterality=st.just(""),
    performers=st.just(()),
    modality=st.just("CT"),
    series_number=st.sampled_from((None, 1, 2)),
    body_part_examined=st.sampled_from(("", "CHEST")),
    patient_id=st.sampled_from(("", "P1", "P2")),
    issuer_of_patient_id=st.sampled_from(("", "2.999.8")),
    accession=st.sampled_from((None, Accession("A1"))),
)
instances = st.builds(
    InstanceHeader,
    sop_class_uid=st.just(CT),
    number=st.sampled_from((None, 1, 2)),
    frames=st.sampled_from((None, 2)),
    frame_of_reference_uid=st.sampled_from(("", "4.1")),
)
arrivals = st.builds(
    InstanceArrived,
    studies,
    series,
    sops,
    stamps(),
    instances,
    headers,
    dated=st.booleans(),
    expected=st.sampled_from((None, None, 2)),
    warnings=st.just(()),
)
deletions = st.builds(InstanceDeleted, studies, series, sops, stamps(removal=True))
completions = st.builds(SeriesCompleted, studies, series, stamps(), st.sampled_from((None, 1, 3)))
updates = st.builds(StudyUpdated, studies, stamps(), st.just(SeriesHeader(patient_id="P9")))


@st.composite
def items(draw: st.DrawFn) -> ReportedItem:
    """An image with or without evidence, perhaps frames of it; the evidence may be of another study."""
    study = draw(st.sampled_from(("", *STUDIES)))
    frames = draw(st.sampled_from(((), ("1",), ("2", "5"), ("9",))))
    kind = SubsetKind.FRAMES if frames else SubsetKind.NONE
    return ReportedItem(study, draw(series) if study else "", draw(sops), CT, kind, frames)


@st.composite
def documents(draw: st.DrawFn) -> DocumentArrived:
    """A KOS, a rejection note or an SR; few paths, so that contents collide."""
    sop_class = draw(st.sampled_from((KOS, KOS, SR)))
    number = draw(st.integers(1, 3))
    path = DocumentPath(draw(studies), "2.9", f"5.{number}")
    note = draw(st.booleans()) and sop_class == KOS
    document = Document(
        path=path,
        sop_class_uid=sop_class,
        modality="KO" if sop_class == KOS else "SR",
        instance=InstanceHeader(sop_class, number),
        header=draw(headers),
        issued="2026-01-02T11:00:00+01:00",
        identical=draw(st.sampled_from(((), (), ("5.1",), ("5.2",)))) if sop_class == KOS else (),
        predecessors=(
            (DocumentPath(draw(studies), "2.9", "5.1"),) if sop_class == SR and draw(st.booleans()) else ()
        ),
        groups=() if note else draw(key_image_groups() if sop_class == KOS else report_groups(path)),
        rejection=draw(rejections()) if note else None,
    )
    digest = draw(st.binary(min_size=8, max_size=8))
    return DocumentArrived(document._replace(content_digest=digest), draw(stamps()), draw(st.booleans()))


@st.composite
def key_image_groups(draw: st.DrawFn) -> tuple[ReportedGroup, ...]:
    members = tuple(draw(st.lists(items(), min_size=1, max_size=3)))
    return (ReportedGroup(GroupKind.KEY_IMAGES, "", Concept(Code("urn:x", "113000")), members),)


@st.composite
def report_groups(draw: st.DrawFn, path: DocumentPath) -> tuple[ReportedGroup, ...]:
    own = ReportedItem(*path, SR)
    source = ReportedGroup(GroupKind.SOURCE_ITEM, "1.5.1", Concept(Code("urn:x", "111040")), (own,))
    focus = (Focus(FocusKind.GROUP, "sr-item|1.5.1"), Focus(FocusKind.FRAME_OF_REFERENCE, "4.1"))
    region = ReportedGroup(
        GroupKind.REGION, "1.5.1.6", Concept(Code("urn:x", "111030")), (draw(items()),), focus=focus
    )
    return source, region


@st.composite
def rejections(draw: st.DrawFn) -> RejectionNote:
    title = draw(st.sampled_from(("113001", "113037", "113038", "113039", "REVOKE")))
    study = draw(st.sampled_from(("", *STUDIES)))
    return RejectionNote(title, (RejectedInstance(study, draw(series) if study else "", draw(sops)),))


selections = st.builds(
    SelectionMade,
    studies,
    series,
    st.sampled_from(("s1", "s|2")),
    stamps(),
    st.just(Concept(Code("urn:x", "1"))),
    headers,
    issued=st.just(""),
    performers=st.just(()),
    frame_of_reference_uid=st.just(""),
    items=st.lists(st.tuples(studies, series, sops).map(lambda path: ReportedItem(*path)), max_size=2).map(
        tuple
    ),
    warnings=st.just(()),
)
withdrawals = st.builds(
    SelectionWithdrawn, studies, series, st.sampled_from(("s1", "s|2")), stamps(removal=True)
)

histories: st.SearchStrategy[list[Event]] = st.lists(
    st.one_of(
        arrivals, arrivals, deletions, completions, updates, documents(), documents(), selections, withdrawals
    ),
    max_size=14,
)


def record_of(event: Event, offset: int, timestamp_ms: int) -> Record:
    """The event as a record of the intake topic, in its home partition."""
    kind, body = pack(event)
    study = event.study_instance_uid
    value = encode_intake(IntakeEnvelope(FORMAT, kind, timestamp_ms, "dicom-instances", 0, offset, body))
    return Record(INTAKE, home_of(study, PARTITIONS), offset, timestamp_ms, study.encode(), value)
