"""The hospital's reports: key object selections, rejection notes, a measurement report.

Rules of this file: minimal well-formed documents (PS3.16 TID 2010, TID 1500) in the DICOM JSON model; who
writes them, and when, is the hospital's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from processors.core.vocabulary import KEY_OBJECT_SELECTION
from processors.demo.dicom_json import DataSet, code, data_set, sop_reference

COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"

Code = tuple[str, str, str]
"""Value, scheme, meaning."""
OF_INTEREST: Code = ("113000", "DCM", "Of Interest")
REJECTED_FOR_QUALITY: Code = ("113001", "DCM", "Rejected for Quality Reasons")
REJECTED_FOR_SAFETY: Code = ("113037", "DCM", "Rejected for Patient Safety Reasons")
_REPORT: Code = ("126000", "DCM", "Imaging Measurement Report")


class Place(NamedTuple):
    """One image, by its whole path, with the frames of it that are meant."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    frames: tuple[int, ...] = ()


class Identity(NamedTuple):
    """Whose document it is, where it belongs, who wrote it and when."""

    patient_name: str
    patient_id: str
    accession_number: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    series_number: int
    author: str
    written_at: datetime


def key_objects(who: Identity, title: Code, images: Sequence[Place], description: str = "") -> DataSet:
    """A Key Object Selection; with a title of IOCM (IHE RAD) it is a rejection note."""
    said = (
        [_text("CONTAINS", ("113012", "DCM", "Key Object Description"), description)] if description else []
    )
    content = [*_observer(who.author), *said, *(_image("CONTAINS", image) for image in images)]
    return _document(who, KEY_OBJECT_SELECTION, "KO", title, "2010", images, content)


def measurement_report(who: Identity, image: Place, outline: Sequence[float], length_mm: float) -> DataSet:
    r"""A length and a polyline around what was measured, column\row pairs, on one image."""
    measured = data_set(NumericValue=length_mm, MeasurementUnitsCodeSequence=code("mm", "UCUM", "millimeter"))
    region = _item(
        "CONTAINS",
        "SCOORD",
        ("111030", "DCM", "Image Region"),
        GraphicType="POLYLINE",
        GraphicData=list(outline),
        ContentSequence=[_image("SELECTED FROM", image)],
    )
    group = [
        _text("HAS OBS CONTEXT", ("112039", "DCM", "Tracking Identifier"), "lesion 1"),
        _coded("CONTAINS", ("121071", "DCM", "Finding"), ("4147007", "SCT", "Mass")),
        _coded("HAS CONCEPT MOD", ("363698007", "SCT", "Finding Site"), ("39607008", "SCT", "Lung")),
        _item("CONTAINS", "NUM", ("410668003", "SCT", "Length"), MeasuredValueSequence=[measured]),
        region,
    ]
    return _document(
        who,
        COMPREHENSIVE_SR,
        "SR",
        _REPORT,
        "1500",
        [image],
        [
            *_observer(who.author),
            _container(
                ("126010", "DCM", "Imaging Measurements"),
                [_container(("125007", "DCM", "Measurement Group"), group)],
            ),
        ],
    )


def _document(
    who: Identity,
    sop_class_uid: str,
    modality: str,
    title: Code,
    template: str,
    images: Sequence[Place],
    content: list[DataSet],
) -> DataSet:
    return data_set(
        SOPClassUID=sop_class_uid,
        SOPInstanceUID=who.sop_instance_uid,
        ContentDate=f"{who.written_at:%Y%m%d}",
        ContentTime=f"{who.written_at:%H%M%S}",
        TimezoneOffsetFromUTC=f"{who.written_at:%z}",
        AccessionNumber=who.accession_number,
        Modality=modality,
        PatientName=who.patient_name,
        PatientID=who.patient_id,
        StudyInstanceUID=who.study_instance_uid,
        SeriesInstanceUID=who.series_instance_uid,
        SeriesNumber=who.series_number,
        InstanceNumber=1,
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
        ConceptNameCodeSequence=code(*title),
        ContentTemplateSequence=[data_set(MappingResource="DCMR", TemplateIdentifier=template)],
        CurrentRequestedProcedureEvidenceSequence=_evidence(images),
        CompletionFlag="COMPLETE" if modality == "SR" else "",
        VerificationFlag="UNVERIFIED" if modality == "SR" else "",
        ContentSequence=content,
    )


def _evidence(images: Sequence[Place]) -> list[DataSet]:
    """Hierarchical SOP Instance Reference Macro (PS3.3 C.17.2.1): study, series, instance."""
    studies: dict[str, dict[str, list[DataSet]]] = {}
    for image in images:
        series = studies.setdefault(image.study_instance_uid, {}).setdefault(image.series_instance_uid, [])
        series.append(sop_reference(image.sop_class_uid, image.sop_instance_uid))
    return [
        data_set(
            StudyInstanceUID=study_uid,
            ReferencedSeriesSequence=[
                data_set(SeriesInstanceUID=series_uid, ReferencedSOPSequence=references)
                for series_uid, references in by_series.items()
            ],
        )
        for study_uid, by_series in studies.items()
    ]


def _observer(name: str) -> list[DataSet]:
    """Person observer (PS3.16 TID 1003)."""
    person = ("121006", "DCM", "Person")
    return [
        _coded("HAS OBS CONTEXT", ("121005", "DCM", "Observer Type"), person),
        _item("HAS OBS CONTEXT", "PNAME", ("121008", "DCM", "Person Observer Name"), PersonName=name),
    ]


def _container(name: Code, content: list[DataSet]) -> DataSet:
    return _item("CONTAINS", "CONTAINER", name, ContinuityOfContent="SEPARATE", ContentSequence=content)


def _coded(relationship: str, name: Code, value: Code) -> DataSet:
    return _item(relationship, "CODE", name, ConceptCodeSequence=code(*value))


def _text(relationship: str, name: Code, text: str) -> DataSet:
    return _item(relationship, "TEXT", name, TextValue=text)


def _image(relationship: str, image: Place) -> DataSet:
    reference = sop_reference(image.sop_class_uid, image.sop_instance_uid, image.frames)
    return data_set(RelationshipType=relationship, ValueType="IMAGE", ReferencedSOPSequence=[reference])


def _item(relationship: str, value_type: str, name: Code, **value: Any) -> DataSet:
    return data_set(
        RelationshipType=relationship, ValueType=value_type, ConceptNameCodeSequence=code(*name), **value
    )
