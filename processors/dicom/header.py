"""The header of any instance: what every object says of its patient, study, series and itself.

Rules of this file: attributes of the header only, no content tree, no pixel data.
"""

from __future__ import annotations

from processors.core.events import Accession, Code, InstanceArrived, InstanceHeader, SeriesHeader, Stamp
from processors.dicom.codes import first_code
from processors.dicom.data_set import DataSet
from processors.dicom.observers import series_performers
from processors.dicom.reading import Reading
from processors.dicom.uids import path_of, required_uid, uid
from processors.dicom.values import first, items, text, whole_number
from processors.dicom.volumes import volume_of
from processors.errors import Refused, WarningCode

TEXT_MOST = 4096
"""Characters of a value. PS3.5 6.2 has 64 for most of them, and no bound for the name of an issuer."""
VALUES_MOST = 64
"""People who performed an examination."""

_STANDARD_ROOT = "1.2.840.10008."
"""Root of every UID that DICOM itself assigns (PS3.6 A)."""


def instance_arrived(
    reading: Reading, stamp: Stamp, dated: bool, expected: int | None = None, volumes: bool = False
) -> InstanceArrived:
    """Any instance as an arrival. Raises Refused where one of the four UIDs is unusable (`uids`)."""
    path = path_of(reading)
    instance, header = header_parts(reading)
    if volumes:
        instance = instance._replace(volume=volume_of(reading))
    return InstanceArrived(*path, stamp, instance, header, dated, expected, tuple(reading.warnings))


def header_parts(reading: Reading) -> tuple[InstanceHeader, SeriesHeader]:
    """The two headers of an object, report or not. Raises Refused for an unusable SOP Class UID."""
    dataset = reading.dataset
    frames = whole_number(dataset, "NumberOfFrames", reading)
    instance = InstanceHeader(
        sop_class_uid=sop_class_of(reading),
        number=whole_number(dataset, "InstanceNumber", reading),
        frames=frames or None,
        frame_of_reference_uid=uid(dataset, "FrameOfReferenceUID", reading),
    )
    header = SeriesHeader(
        modality=first(dataset, "Modality", reading),
        series_number=whole_number(dataset, "SeriesNumber", reading, WarningCode.SERIES_NUMBER_UNUSABLE),
        body_part_examined=text(dataset, "BodyPartExamined", reading),
        anatomic_region=_anatomic_region(reading),
        laterality=_laterality(reading),
        performers=series_performers(reading),
        patient_id=text(dataset, "PatientID", reading),
        issuer_of_patient_id=_issuer(dataset, "IssuerOfPatientIDQualifiersSequence", reading)
        or text(dataset, "IssuerOfPatientID", reading),
        accession=accession(dataset, reading),
    )
    return instance, _short(header, reading)


def _short(header: SeriesHeader, reading: Reading) -> SeriesHeader:
    """Without values that are no one's: they would be kept with every image of the series."""
    without = {
        name: default
        for name, default in SeriesHeader._field_defaults.items()
        if not _is_short(getattr(header, name))
    }
    if without:
        reading.warn_once(WarningCode.BAD_VR)
    return header._replace(**without)


def _is_short(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= TEXT_MOST
    return not isinstance(value, tuple) or (len(value) <= VALUES_MOST and all(map(_is_short, value)))


def sop_class_of(reading: Reading) -> str:
    """SOP Class UID (0008,0016); where absent, the file meta's (0002,0002) with `media_class_mismatch`."""
    try:
        sop_class_uid = required_uid(reading.dataset, "SOPClassUID", reading)
    except Refused:
        if uid(reading.dataset, "SOPClassUID", reading) or not reading.meta_class_uid:
            raise
        sop_class_uid = ""
    if reading.meta_class_uid and sop_class_uid != reading.meta_class_uid:
        reading.warn_once(WarningCode.MEDIA_CLASS_MISMATCH)
    sop_class_uid = sop_class_uid or reading.meta_class_uid
    if not sop_class_uid.startswith(_STANDARD_ROOT):
        reading.warn_once(WarningCode.PRIVATE_SOP_CLASS)
    return sop_class_uid


def accession(item: DataSet, reading: Reading) -> Accession | None:
    """Accession Number (0008,0050) of a data set or a Referenced Request item, with its issuer
    (0008,0051).
    """
    value = text(item, "AccessionNumber", reading)
    issuer = _issuer(item, "IssuerOfAccessionNumberSequence", reading)
    return Accession(value, issuer) if value else None


def _laterality(reading: Reading) -> str:
    """Laterality (0020,0060), Image Laterality (0020,0062), of multi-frame images Frame Laterality
    (0020,9072).
    """
    said = [first(reading.dataset, keyword, reading) for keyword in ("Laterality", "ImageLaterality")]
    said += [first(anatomy, "FrameLaterality", reading) for anatomy in _frame_anatomy(reading)]
    return next(filter(None, said), "")


def _frame_anatomy(reading: Reading) -> list[DataSet]:
    """That of all frames of a multi-frame image (PS3.3 C.7.6.16.2.8)."""
    shared = items(reading.dataset, "SharedFunctionalGroupsSequence", reading)
    return [anatomy for groups in shared for anatomy in items(groups, "FrameAnatomySequence", reading)]


def _anatomic_region(reading: Reading) -> Code | None:
    """Anatomic Region (0008,2218), of multi-frame images that of their Frame Anatomy."""
    for place in (reading.dataset, *_frame_anatomy(reading)):
        region = first_code(place, "AnatomicRegionSequence", reading)
        if region and region.coding:
            return region.coding
    return None


def _issuer(item: DataSet, keyword: str, reading: Reading) -> str:
    """HL7v2 Hierarchic Designator Macro (PS3.3 10.14): a URI, an OID, or the local name."""
    for entry in items(item, keyword, reading):
        universal = text(entry, "UniversalEntityID", reading)
        kind = first(entry, "UniversalEntityIDType", reading)
        if universal and kind == "UUID":
            return f"urn:uuid:{universal.lower()}"
        if universal and kind in ("ISO", "URI", "DNS"):
            return universal
        local = text(entry, "LocalNamespaceEntityID", reading)
        if local:
            return local
    return ""
