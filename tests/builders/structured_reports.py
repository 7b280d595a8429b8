"""The structured reports of golden examples G7, G8 and G9, written by highdicom (PS3.16 TID 1500).

Rules of this file: whole documents as highdicom writes them, then what the example says was added by hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom.sr import (
    Comprehensive3DSR,
    CoordinatesForMeasurement,
    FindingSite,
    ImageRegion,
    ImageRegion3D,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    SourceImageForRegion,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from tests.builders.images import FRAME_OF_REFERENCE, ct, encoded, identify, ultrasound

Group = PlanarROIMeasurementsAndQualitativeEvaluations | MeasurementsAndQualitativeEvaluations

MASS = Code("4147007", "SCT", "Mass")
LENGTH = Code("410668003", "SCT", "Length")
MILLIMETRE = Code("mm", "UCUM", "mm")


def observer() -> ObservationContext:
    """Person observer Curie^Marie (PS3.16 TID 1002)."""
    return ObservationContext(
        observer_person_context=ObserverContext(
            observer_type=codes.DCM.Person,
            observer_identifying_attributes=PersonObserverIdentifyingAttributes(name="Curie^Marie"),
        )
    )


def tracking() -> TrackingIdentifier:
    return TrackingIdentifier(uid="2.999.1.77.1", identifier="lesion 1")


def report(sop: str, groups: Sequence[Group], evidence: Sequence[Dataset]) -> Comprehensive3DSR:
    """Report `sop` of series 2.999.1.100, number 100; its measurement groups are 1.5.1, 1.5.2 …"""
    content = MeasurementReport(
        observation_context=observer(),
        procedure_reported=Code("25045-6", "LN", "CT unspecified body region"),
        imaging_measurements=groups,
    )
    document = Comprehensive3DSR(
        evidence=evidence,
        content=content,
        series_instance_uid="2.999.1.100",
        series_number=100,
        sop_instance_uid=sop,
        instance_number=1,
        manufacturer="Example",
        is_complete=True,
    )
    identify(document)
    document.add_new("ContentDate", "DA", "20260102")
    document.add_new("ContentTime", "TM", "113000")
    return document


def item_at(document: Dataset, path: str) -> Dataset:
    """The content item at `path`, where the root is 1 (PS3.3 (0040,DB73))."""
    item = document
    for ordinal in path.split(".")[1:]:
        item = item.ContentSequence[int(ordinal) - 1]
    return item


def polyline_report(sop: str = "2.999.1.100.1") -> Comprehensive3DSR:
    """G7 as a data set: group 1.5.1 with an Observation UID, polyline 1.5.1.6 on CT 2.999.1.2.2."""
    images = [ct(1), ct(2), ct(3)]
    region = ImageRegion(
        graphic_type="POLYLINE",
        graphic_data=np.array([[10.1, 20.2], [30, 20.2], [30, 40], [10.1, 20.2]]),
        source_image=SourceImageForRegion(images[1].SOPClassUID, images[1].SOPInstanceUID),
    )
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(),
        referenced_region=region,
        finding_type=MASS,
        finding_sites=[FindingSite(codes.SCT.Lung, laterality=codes.SCT.Left)],
        measurements=[Measurement(name=LENGTH, value=20.5, unit=MILLIMETRE)],
    )
    document = report(sop, [group], images[1:2])
    document.CurrentRequestedProcedureEvidenceSequence = evidence_of(images)
    item_at(document, "1.5.1").ObservationUID = "2.999.1.88.1"
    return document


def evidence_of(images: Sequence[Dataset]) -> list[Dataset]:
    """Hierarchical SOP Instance Reference Macro (PS3.3 C.17.2.1) over images of one series."""
    series = Dataset()
    series.SeriesInstanceUID = images[0].SeriesInstanceUID
    series.ReferencedSOPSequence = [sop_reference(image) for image in images]
    study = Dataset()
    study.StudyInstanceUID = images[0].StudyInstanceUID
    study.ReferencedSeriesSequence = [series]
    return [study]


def sop_reference(image: Dataset, frames: Sequence[int] = ()) -> Dataset:
    """SOP Instance Reference (PS3.3 10.8) with Referenced Frame Number (0008,1160)."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = image.SOPClassUID
    reference.ReferencedSOPInstanceUID = image.SOPInstanceUID
    if frames:
        reference.ReferencedFrameNumber = list(frames)
    return reference


def multipoint_report() -> Comprehensive3DSR:
    """G8 as a data set: NUM 1.5.1.3 with MULTIPOINT 1.5.1.3.1 on frame 5 of a multi-frame ultrasound."""
    image = ultrasound()
    coordinates = CoordinatesForMeasurement(
        graphic_type="MULTIPOINT",
        graphic_data=np.array([[10.1, 20.2], [300.7, 40.3]]),
        source_image=SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID, [5]),
    )
    length = Measurement(name=LENGTH, value=30.1, unit=MILLIMETRE, referenced_coordinates=[coordinates])
    group = MeasurementsAndQualitativeEvaluations(tracking_identifier=tracking(), measurements=[length])
    return report("2.999.1.100.2", [group], [image])


def polygon_report() -> Comprehensive3DSR:
    """G9 as a data set: SCOORD3D polygon 1.5.1.4 in frame of reference 2.999.1.9."""
    corners = [[-12.5, 0, 30.25], [10, 0, 30.25], [10, 10.1, 30.25], [-12.5, 0, 30.25]]
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(),
        referenced_region=ImageRegion3D("POLYGON", np.array(corners), FRAME_OF_REFERENCE),
        finding_type=MASS,
    )
    return report("2.999.1.100.3", [group], [ct(2)])


def golden_g7() -> bytes:
    return encoded(polyline_report())


def golden_g8() -> bytes:
    return encoded(multipoint_report())


def golden_g9() -> bytes:
    return encoded(polygon_report())
