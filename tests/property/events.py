"""Random histories of a small hospital: core events with colliding UIDs, ties in time and every kind of fact.

Rules of this file: Hypothesis strategies and the packing of events into records; no assertion.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256

from hypothesis import strategies as st

from processors.avro.envelope import IntakeEnvelope, encode_intake
from processors.core.corrections import (
    AnyEvent,
    InstanceErased,
    PatientId,
    PatientMerged,
    PatientUnmerged,
    Scope,
    UidChanged,
)
from processors.core.events import (
    Accession,
    Code,
    Concept,
    Document,
    DocumentArrived,
    DocumentPath,
    Focus,
    FocusKind,
    GroupKind,
    InstanceArrived,
    InstanceDeleted,
    InstanceHeader,
    Performer,
    Region,
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
from processors.wire.messages import FORMAT, pack

STUDIES = ("1.1", "1.2")
SERIES = ("2.1", "2.2")
SOPS = ("3.1", "3.2", "3.3")
DOCUMENT_SERIES = "2.9"
DOCUMENT_SOPS = ("5.1", "5.2", "5.3")
SOURCES = ("PACS_A", "PACS|B")
"""One with the sign that separates the parts of keys."""
VOLUMES = ("", r"1\0\0\0\1\0|1|", r"1\0\0\0\1\0|2|")
CT = "1.2.840.10008.5.1.4.1.1.2"
KOS = "1.2.840.10008.5.1.4.1.1.88.59"
SR = "1.2.840.10008.5.1.4.1.1.88.33"
PARTITIONS = 3
INTAKE = "imaging-reference-intake"
DAY_US = 1_767_340_800_000_000  # 2026-01-02T08:00:00Z

studies, series, sops = (st.sampled_from(values) for values in (STUDIES, SERIES, SOPS))
image_paths = st.tuples(studies, series, sops)
document_paths = st.builds(DocumentPath, studies, st.just(DOCUMENT_SERIES), st.sampled_from(DOCUMENT_SOPS))


@st.composite
def stamps(draw: st.DrawFn, removal: bool = False) -> Stamp:
    """Few distinct times, so that ties are common; the event id tells events apart."""
    at_us = DAY_US + draw(st.integers(0, 4)) * 1_000_000
    source = draw(st.sampled_from(SOURCES))
    return Stamp(
        at_us, removal, source, draw(st.uuids(version=4)).hex, draw(st.binary(min_size=8, max_size=8))
    )


said_often = st.sampled_from(
    (
        SeriesHeader("CT", 1, patient_id="P1"),
        SeriesHeader("CT", 1, patient_id="P2", accession=Accession("A1")),
    )
)
"""The same said again and again: another stamp is then all that an arrival tells."""
said_seldom = st.builds(
    SeriesHeader,
    anatomic_region=st.sampled_from((None, None, Code("http://snomed.info/sct", "39607008", "Lung"))),
    laterality=st.sampled_from(("", "", "L")),
    performers=st.sampled_from(((), (), (Performer("PRF", "Device", "Scanner"),))),
    modality=st.just("CT"),
    series_number=st.sampled_from((None, 1, 2)),
    body_part_examined=st.sampled_from(("", "CHEST")),
    patient_id=st.sampled_from(("", "P1", "P2")),
    issuer_of_patient_id=st.sampled_from(("", "2.999.8")),
    accession=st.sampled_from((None, Accession("A1"))),
)
headers = st.one_of(said_often, said_often, said_seldom)
instances = st.builds(
    InstanceHeader,
    sop_class_uid=st.just(CT),
    number=st.sampled_from((None, 1, 2)),
    frames=st.sampled_from((None, 2)),
    frame_of_reference_uid=st.sampled_from(("", "4.1")),
    volume=st.sampled_from(VOLUMES),
)


def arrived(
    path: tuple[str, str, str], stamp: Stamp, instance: InstanceHeader, header: SeriesHeader, dated: bool
) -> InstanceArrived:
    return InstanceArrived(*path, stamp, instance, header, dated)


def deleted(path: tuple[str, str, str], stamp: Stamp) -> InstanceDeleted:
    study, series_uid, sop = path
    return InstanceDeleted(study, series_uid, sop, stamp)


arrivals = st.builds(arrived, image_paths, stamps(), instances, headers, st.booleans())
plain_arrivals = st.builds(
    arrived, image_paths, stamps(), st.just(InstanceHeader(CT, 1)), said_often, st.just(True)
)
"""The same thing said again and again, as by a resend or by a second archive."""
objectless = st.builds(
    arrived, document_paths, stamps(), st.just(InstanceHeader(KOS, 1)), headers, st.booleans()
)
counted_arrivals = st.builds(
    lambda event, expected: event._replace(expected=expected), arrivals, st.sampled_from((1, 2))
)
deletions = st.builds(
    deleted,
    st.one_of(image_paths, image_paths, document_paths),
    stamps(removal=True),
)
completions = st.builds(SeriesCompleted, studies, series, stamps(), st.sampled_from((None, 1, 3)))
updates = st.builds(
    StudyUpdated,
    studies,
    stamps(),
    st.sampled_from((SeriesHeader(patient_id="P9"), SeriesHeader(accession=Accession("A9", "2.999.7")))),
)


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
    path = draw(document_paths)
    note = draw(st.booleans()) and sop_class == KOS
    identical = {draw(st.sampled_from(DOCUMENT_SOPS))} if draw(st.integers(0, 2)) == 0 else set()
    document = Document(
        path=path,
        sop_class_uid=sop_class,
        modality="KO" if sop_class == KOS else "SR",
        instance=InstanceHeader(sop_class, DOCUMENT_SOPS.index(path.sop_instance_uid)),
        header=draw(headers),
        issued="2026-01-02T11:00:00+01:00",
        accessions=draw(st.sampled_from(((), (), (Accession("A2"),)))),
        identical=tuple(sorted(identical - {path.sop_instance_uid})),
        predecessors=(draw(document_paths),) if draw(st.integers(0, 3)) == 0 else (),
        groups=() if note else draw(key_image_groups() if sop_class == KOS else report_groups(path)),
        rejection=draw(rejections()) if note else None,
        manifest=sop_class == KOS and draw(st.integers(0, 4)) == 0,
    )
    if sop_class == SR:
        document = document._replace(verified_at_us=draw(st.sampled_from((None, 1, 2, 3))))
    digest = sha256(repr(document).encode()).digest()[:8]
    expected = draw(st.sampled_from((None, None, None, 1)))
    return DocumentArrived(
        document._replace(content_digest=digest), draw(stamps()), draw(st.booleans()), expected
    )


@st.composite
def key_image_groups(draw: st.DrawFn) -> tuple[ReportedGroup, ...]:
    members = tuple(draw(st.lists(items(), min_size=1, max_size=3)))
    focus = draw(st.sampled_from(((), (_STATE,), (UNPLACED_STATE,))))
    return (ReportedGroup(GroupKind.KEY_IMAGES, "", Concept(Code("urn:x", "113000")), members, focus=focus),)


_STATE = Focus(FocusKind.PRESENTATION_STATE, "1.1|2.9|5.1")
UNPLACED_STATE = Focus(FocusKind.PRESENTATION_STATE, "||5.1")
"""No evidence names it. That a document of this name is no presentation state does not matter here."""


@st.composite
def report_groups(draw: st.DrawFn, path: DocumentPath) -> tuple[ReportedGroup, ...]:
    """An observation that points at itself, at a region on an image, at a series and by a 3D coordinate,
    perhaps with a region in space.
    """
    own = ReportedItem(*path, SR)
    source = ReportedGroup(GroupKind.SOURCE_ITEM, "1.5.1", Concept(Code("urn:x", "111040")), (own,))
    focus = (
        Focus(FocusKind.GROUP, "sr-item|1.5.1"),
        Focus(FocusKind.FRAME_OF_REFERENCE, "4.1"),
        Focus(FocusKind.SERIES, f"{draw(studies)}|{draw(series)}"),
        draw(st.sampled_from((_STATE, UNPLACED_STATE))),
    )
    item = draw(items())
    if draw(st.booleans()):
        item = item._replace(regions_2d=(Region("point", (draw(st.integers(0, 1)), 1)),))
    region = ReportedGroup(
        GroupKind.REGION, "1.5.1.6", Concept(Code("urn:x", "111030")), (item, draw(items())), focus=focus
    )
    if not draw(st.booleans()):
        return source, region
    placed = own._replace(regions_3d=(Region("point", (1, 2, draw(st.integers(0, 1)))),))
    code, frame = Concept(Code("urn:x", "111031")), (focus[1],)
    in_space = ReportedGroup(
        GroupKind.REGION, "1.5.1.7", code, (placed,), focus=frame, frame_of_reference_uid="4.1"
    )
    return source, region, in_space


@st.composite
def rejections(draw: st.DrawFn) -> RejectionNote:
    title = draw(st.sampled_from(("113001", "113037", "113038", "113039", "REVOKE")))
    evidence = draw(st.booleans())
    path = draw(st.one_of(image_paths, image_paths, document_paths))
    return RejectionNote(title, (RejectedInstance(*path) if evidence else RejectedInstance("", "", path[2]),))


@st.composite
def selections(draw: st.DrawFn) -> SelectionMade:
    study, of_series = draw(studies), draw(series)
    members = draw(st.lists(sops, max_size=2, unique=True))
    return SelectionMade(
        study,
        of_series,
        draw(selection_ids),
        draw(stamps()),
        Concept(Code("urn:x", draw(st.sampled_from(("1", "2"))))),
        draw(headers),
        items=tuple(ReportedItem(study, of_series, sop) for sop in members),
    )


selection_ids = st.sampled_from(("s1", "s|2"))
withdrawals = st.builds(SelectionWithdrawn, studies, series, selection_ids, stamps(removal=True))

patients = st.builds(PatientId, st.sampled_from(("P1", "P2", "P3", "P9")), st.sampled_from(("", "2.999.8")))
merges = st.builds(PatientMerged, patients, patients, stamps())
unmerges = st.builds(
    PatientUnmerged, patients, st.one_of(patients, st.just(PatientId(""))), stamps(removal=True)
)

erasures = st.builds(
    lambda path, stamp: InstanceErased(path[0], path[1], path[2], stamp),
    st.one_of(image_paths, image_paths, document_paths),
    stamps(removal=True),
)


def _changed(one: tuple[str, str, str], other: tuple[str, str, str], depth: int, stamp: Stamp) -> UidChanged:
    return UidChanged(Scope(*one[:depth]), Scope(*other[:depth]), stamp)


any_paths = st.one_of(image_paths, image_paths, document_paths)
changes = st.builds(_changed, any_paths, any_paths, st.integers(1, 3), stamps())

events: st.SearchStrategy[AnyEvent] = st.one_of(
    *(arrivals, plain_arrivals, plain_arrivals, counted_arrivals, objectless, deletions, deletions),
    *(completions, updates, documents(), documents(), documents(), selections(), withdrawals),
    *(merges, unmerges, erasures, changes, changes),
)


def record_of(event: AnyEvent, offset: int, timestamp_ms: int) -> Record:
    """The event as a record of the intake topic, in its home partition; of no study: as sent."""
    if isinstance(event, PatientMerged | PatientUnmerged):
        return Record("dicom-instances", 0, offset, timestamp_ms, None, _patient_event(event))
    if isinstance(event, UidChanged):
        return Record("dicom-instances", 0, offset, timestamp_ms, None, _uid_event(event))
    kind, body = pack(event)
    study = event.study_instance_uid
    value = encode_intake(IntakeEnvelope(FORMAT, kind, timestamp_ms, "dicom-instances", 0, offset, body))
    return Record(INTAKE, home_of(study, PARTITIONS), offset, timestamp_ms, study.encode(), value)


def _patient_event(event: PatientMerged | PatientUnmerged) -> bytes:
    at = datetime.fromtimestamp(event.stamp.occurred_at_us // 1_000_000, UTC)
    return json.dumps(
        {
            "event": "patient.merged" if isinstance(event, PatientMerged) else "patient.unmerged",
            "event_id": event.stamp.event_id,
            "source": event.stamp.source,
            "occurred_at": at.isoformat(),
            "prior_patient_id": event.prior.value,
            "issuer_of_prior_patient_id": event.prior.issuer,
            "patient_id": event.survivor.value,
            "issuer_of_patient_id": event.survivor.issuer,
        }
    ).encode()


def _uid_event(event: UidChanged) -> bytes:
    at = datetime.fromtimestamp(event.stamp.occurred_at_us // 1_000_000, UTC)
    said = {
        "event": "uid.changed",
        "event_id": event.stamp.event_id,
        "source": event.stamp.source,
        "occurred_at": at.isoformat(),
    }
    said |= {f"prior_{name}": uid for name, uid in event.prior._asdict().items() if uid}
    said |= {name: uid for name, uid in event.present._asdict().items() if uid}
    return json.dumps(said).encode()
