"""The images that the documents of the golden examples refer to, as headers without pixels.

Rules of this file: one study 2.999.1 of one patient, as in the golden examples; nothing but headers.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    UltrasoundMultiFrameImageStorage,
)

STUDY = "2.999.1"
FRAME_OF_REFERENCE = "2.999.1.9"


def universal_entity(oid: str) -> list[Dataset]:
    """An issuer as HL7 v2 Hierarchic Designator (PS3.3 10.14)."""
    issuer = Dataset()
    issuer.UniversalEntityID = oid
    issuer.UniversalEntityIDType = "ISO"
    return [issuer]


MAKER: dict[str, Any] = {
    "manufacturer": "Maker",
    "manufacturer_model_name": "Model",
    "software_versions": "1",
    "device_serial_number": "1",
}
"""What highdicom wants to know of whoever makes an object."""


def identify(dataset: Dataset, study: str = STUDY) -> Dataset:
    """Patient, study, accession number and time zone of the golden examples."""
    dataset.PatientName = "Doe^Jane"
    dataset.PatientID = "P1"
    dataset.IssuerOfPatientIDQualifiersSequence = universal_entity("2.999.8")
    dataset.PatientBirthDate = "19700101"
    dataset.PatientSex = "F"
    dataset.StudyInstanceUID = study
    dataset.StudyID = "1"
    dataset.StudyDate = "20260102"
    dataset.StudyTime = "090000"
    dataset.AccessionNumber = "ACC1"
    dataset.IssuerOfAccessionNumberSequence = universal_entity("2.999.7")
    dataset.ReferringPhysicianName = None
    dataset.TimezoneOffsetFromUTC = "+0100"
    for moment in ("InstanceCreationDate", "InstanceCreationTime", "ContributingEquipmentSequence"):
        dataset.pop(moment, None)  # highdicom writes the time of the call into these
    return dataset


def image(
    series: str,
    sop: str,
    *,
    series_number: int,
    number: int,
    sop_class: str = CTImageStorage,
    modality: str = "CT",
    frames: int | None = None,
    frame_of_reference: str = FRAME_OF_REFERENCE,
    study: str = STUDY,
) -> Dataset:
    """An image header; `number` is Instance Number, `frames` None for a single-frame class."""
    header = identify(Dataset(), study)
    header.SOPClassUID = sop_class
    header.SOPInstanceUID = sop
    header.SeriesInstanceUID = series
    header.SeriesNumber = series_number
    header.InstanceNumber = number
    header.Modality = modality
    header.BodyPartExamined = "CHEST"
    header.Rows = header.Columns = 512
    if frames:
        header.NumberOfFrames = frames
    if frame_of_reference:
        header.FrameOfReferenceUID = frame_of_reference
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return header


def ct(number: int, series: str = "2.999.1.2", series_number: int = 2) -> Dataset:
    """CT image `<series>.<number>` of the golden examples."""
    return image(series, f"{series}.{number}", series_number=series_number, number=number)


def enhanced_ct() -> Dataset:
    """The 40-frame Enhanced CT of golden example G4."""
    return image(
        "2.999.1.4", "2.999.1.4.1", series_number=4, number=1, sop_class=EnhancedCTImageStorage, frames=40
    )


def ultrasound() -> Dataset:
    """The multi-frame ultrasound of golden example G8, without a frame of reference."""
    return image(
        "2.999.1.5",
        "2.999.1.5.1",
        series_number=5,
        number=1,
        sop_class=UltrasoundMultiFrameImageStorage,
        modality="US",
        frames=10,
        frame_of_reference="",
    )


def encoded(dataset: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The data set as a Part 10 object (PS3.10)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax)
    dataset.file_meta = meta
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
