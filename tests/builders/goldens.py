"""The golden examples G1 to G9 as records for the input topics, and what must come of them.

Rules of this file: a function an example; its records fall into batches, after each of which every clock may
or may not run out. Nothing here knows how records are sent: over memory or to a broker.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from tests.builders.images import STUDY, ct, encoded, enhanced_ct, ultrasound
from tests.builders.key_objects import PATIENT_SAFETY, frame_selection, key_objects, nodule_selection
from tests.builders.structured_reports import evidence_of, multipoint_report, polygon_report, polyline_report

INSTANCES = "dicom-instances"
REPORTS = "dicom-reports"
RESULTS = Path(__file__).parents[1] / "golden"

ENVIRONMENT = {
    "IMAGING_REFERENCE__IDENTITY__PATIENT_ID_SYSTEM": "urn:oid:2.999.8",
    "IMAGING_REFERENCE__IDENTITY__ACCESSION_SYSTEM": "urn:oid:2.999.7",
    "IMAGING_REFERENCE__IDENTITY__SITE_TIME_ZONE": "+01:00",
}
"""What the site of all examples decides; everything else as by default."""

Resource = dict[str, Any]


class Message(NamedTuple):
    """A record to send: by its key a producer finds the partition."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Golden(NamedTuple):
    batches: tuple[list[Message], ...]
    expected: list[Resource]
    """The last version of the references that the example is about."""

    @property
    def records(self) -> list[Message]:
        return [message for batch in self.batches for message in batch]


def results(name: str) -> list[Resource]:
    """The example's resources, less `meta.versionId` and `meta.lastUpdated`."""
    found: list[Resource] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def event(name: str, at: str, study: str = STUDY, *, topic: str = INSTANCES, **fields: object) -> Message:
    """A JSON event of source PACS_A on 2026-01-02 at `at` (HH:MM) in the site's zone, keyed by its study."""
    said = {
        "event": name,
        "event_id": f"{name}/{at}/{fields.get('sop_instance_uid', '')}",
        "source": "PACS_A",
        "occurred_at": f"2026-01-02T{at}:00+01:00",
        "study_instance_uid": study,
        **fields,
    }
    return Message(topic, study.encode(), json.dumps(said).encode(), [])


def arrival(image: Dataset, at: str, **more: object) -> Message:
    """`instance.arrived` of an image by the typed fields alone; no issuer of patient id or accession."""
    fields = {
        "series_instance_uid": image.SeriesInstanceUID,
        "sop_instance_uid": image.SOPInstanceUID,
        "sop_class_uid": image.SOPClassUID,
        "instance_number": int(image.InstanceNumber),
        "series_number": int(image.SeriesNumber),
        "modality": image.Modality,
        "body_part_examined": image.BodyPartExamined,
        "patient_id": image.PatientID,
        "accession_number": image.AccessionNumber,
    }
    if "FrameOfReferenceUID" in image:
        fields["frame_of_reference_uid"] = image.FrameOfReferenceUID
    if "NumberOfFrames" in image:
        fields["number_of_frames"] = int(image.NumberOfFrames)
    return event("instance.arrived", at, image.StudyInstanceUID, **(fields | more))


def reported(document: Dataset, at: str, **more: object) -> Message:
    """`report.arrived` with the whole object in `document`."""
    data = base64.b64encode(encoded(document)).decode()
    fields = {"sop_instance_uid": document.SOPInstanceUID, "document": data, **more}
    return event("report.arrived", at, document.StudyInstanceUID, topic=REPORTS, **fields)


def bare(document: Dataset, source: str = "PACS_A") -> Message:
    """The object itself as the value, without an envelope."""
    headers = [("source", source.encode())]
    return Message(REPORTS, document.StudyInstanceUID.encode(), encoded(document), headers)


def arrivals(images: Sequence[Dataset]) -> list[Message]:
    """The images of a document, a minute apart from 10:01 on."""
    return [arrival(image, f"10:{minute:02}") for minute, image in enumerate(images, 1)]


def g1() -> Golden:
    """A plain CT series, known complete."""
    completed = event(
        "series.completed", "10:04", series_instance_uid="2.999.1.2", number_of_series_related_instances=3
    )
    return Golden(([*arrivals([ct(1), ct(2), ct(3)]), completed],), results("g1"))


def g2() -> Golden:
    """Out of order, redelivered, late; completeness unknown."""
    first = [arrival(ct(3), "10:01"), arrival(ct(1), "10:02"), arrival(ct(1), "10:02")]
    late = [arrival(ct(2), "10:20"), arrival(ct(2), "10:20")]
    return Golden((first, late), results("g2"))


def g3() -> Golden:
    """Key images in two series."""
    images = [ct(2), ct(7, "2.999.1.3", 3)]
    return Golden((arrivals(images), [reported(nodule_selection(), "11:01")]), results("g3"))


def g4() -> Golden:
    """Key frames of an Enhanced CT; the document leaves the time zone to the site."""
    document = frame_selection()
    del document.TimezoneOffsetFromUTC
    return Golden((arrivals([enhanced_ct()]), [bare(document)]), results("g4"))


def g5() -> Golden:
    """G3, and then a rejection of the second of its images for patient safety."""
    note = key_objects("2.999.1.200.3", [ct(7, "2.999.1.3", 3)], title=PATIENT_SAFETY)
    return Golden((*g3().batches, [reported(note, "11:30")]), results("g5"))


def g6() -> Golden:
    """A rejection before its object arrives."""
    note = key_objects("2.999.1.200.4", [ct(9)], title=PATIENT_SAFETY, content_time="090000")
    return Golden(([reported(note, "09:00"), *arrivals([ct(1), ct(9), ct(2)])],), results("g6"))


def g7() -> Golden:
    """A polyline on one image, in an observation with an Observation UID."""
    images = arrivals([ct(1), ct(2), ct(3)])
    return Golden((images, [reported(polyline_report(), "11:31")]), results("g7"))


def g8() -> Golden:
    """Two points on one frame, in an observation without an Observation UID."""
    return Golden((arrivals([ultrasound()]), [bare(multipoint_report())]), results("g8"))


def g9() -> Golden:
    """A polygon in a frame of reference that one known series has."""
    images = arrivals([ct(1), ct(2), ct(3)])
    return Golden((images, [reported(polygon_report(), "11:31")]), results("g9"))


GOLDENS = {f"g{number}": build for number, build in enumerate((g1, g2, g3, g4, g5, g6, g7, g8, g9), 1)}


def copy_of_g3() -> Message:
    """After G3: a copy of its document with the larger UID, which names the first as identical."""
    copy = nodule_selection("2.999.1.200.9")
    copy.IdenticalDocumentsSequence = evidence_of([nodule_selection()])
    return reported(copy, "11:10")


def rejection(sop: str, title: Code, images: Sequence[Dataset], at: str) -> Message:
    """A note `2.999.1.200.<sop>` of this title on images; its evidence says where they lie."""
    return reported(key_objects(f"2.999.1.200.{sop}", images, title=title), at)


def successor_of_g7() -> Message:
    """A report like G7's that names G7's as its predecessor (PS3.3 C.17.2.2)."""
    document = polyline_report("2.999.1.100.4")
    document.PredecessorDocumentsSequence = evidence_of([polyline_report()])
    return reported(document, "12:00")
