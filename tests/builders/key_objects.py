"""The key object selections of golden examples G3 to G6, written by highdicom (PS3.16 TID 2010).

Rules of this file: whole documents as highdicom writes them, with the identity of `tests.builders.images`.
"""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import ObserverContext, PersonObserverIdentifyingAttributes
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from tests.builders.images import ct, encoded, enhanced_ct, identify

OF_INTEREST = Code("113000", "DCM", "Of Interest")
PATIENT_SAFETY = Code("113037", "DCM", "Rejected for Patient Safety Reasons")
QUALITY = Code("113001", "DCM", "Rejected for Quality Reasons")
RETENTION_EXPIRED = Code("113039", "DCM", "Data Retention Policy Expired")


def key_objects(
    sop: str,
    images: Sequence[Dataset],
    *,
    title: Code = OF_INTEREST,
    description: str | None = None,
    content_time: str = "110000",
) -> KeyObjectSelectionDocument:
    """KOS `sop` of series 2.999.1.200 number 200 on `images`, whole; Content Date 20260102."""
    content = KeyObjectSelection(
        document_title=title,
        referenced_objects=images,
        observer_person_context=ObserverContext(
            observer_type=codes.DCM.Person,
            observer_identifying_attributes=PersonObserverIdentifyingAttributes(name="Curie^Marie"),
        ),
        description=description,
    )
    document = KeyObjectSelectionDocument(
        evidence=images,
        content=content,
        series_instance_uid="2.999.1.200",
        series_number=200,
        sop_instance_uid=sop,
        instance_number=1,
        manufacturer="Example",
    )
    identify(document)
    document.add_new("ContentDate", "DA", "20260102")
    document.add_new("ContentTime", "TM", content_time)
    return document


def nodule_selection(sop: str = "2.999.1.200.1") -> KeyObjectSelectionDocument:
    """G3 as a data set: key images in two series."""
    images = [ct(2), ct(7, "2.999.1.3", 3)]
    return key_objects(sop, images, description="Nodule right upper lobe")


def frame_selection() -> KeyObjectSelectionDocument:
    r"""G4 as a data set: three IMAGE items on frames 12\13, 40 and 13 of one Enhanced CT."""
    document = key_objects("2.999.1.200.2", [enhanced_ct()])
    whole = document.ContentSequence[-1]
    items = []
    for frames in ([12, 13], [40], [13]):
        item = Dataset()
        item.RelationshipType = whole.RelationshipType
        item.ValueType = whole.ValueType
        reference = Dataset()
        reference.ReferencedSOPClassUID = whole.ReferencedSOPSequence[0].ReferencedSOPClassUID
        reference.ReferencedSOPInstanceUID = whole.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        reference.ReferencedFrameNumber = frames
        item.ReferencedSOPSequence = [reference]
        items.append(item)
    document.ContentSequence = DicomSequence([*document.ContentSequence[:-1], *items])
    return document


def golden_g3() -> bytes:
    return encoded(nodule_selection())


def golden_g4() -> bytes:
    return encoded(frame_selection())


def golden_g5() -> bytes:
    """Rejection for patient safety of 2.999.1.3.7, after G3."""
    return encoded(key_objects("2.999.1.200.3", [ct(7, "2.999.1.3", 3)], title=PATIENT_SAFETY))


def golden_g6() -> bytes:
    """Rejection for patient safety of 2.999.1.2.9, before any image arrives."""
    note = key_objects("2.999.1.200.4", [ct(9)], title=PATIENT_SAFETY, content_time="090000")
    return encoded(note)
