"""RT structure sets of the golden study, made with pydicom.

Rules of this file: objects as their makers write them; what is wrong with one is the test's to add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage

from tests.builders.images import FRAME_OF_REFERENCE, STUDY, image


def contour(kind: str, data: Sequence[str]) -> Dataset:
    r"""An item of Contour Sequence; `data` are the texts of Contour Data, x\y\z."""
    item = Dataset()
    item.ContourGeometricType = kind
    item.NumberOfContourPoints = len(data) // 3
    item.ContourData = list(data)
    return item


def roi(number: int, name: str, frame_of_reference: str = FRAME_OF_REFERENCE) -> Dataset:
    """An item of Structure Set ROI Sequence."""
    item = Dataset()
    item.ROINumber, item.ROIName, item.ROIGenerationAlgorithm = number, name, "MANUAL"
    if frame_of_reference:
        item.ReferencedFrameOfReferenceUID = frame_of_reference
    return item


def drawn_on(series: str, frame_of_reference: str = FRAME_OF_REFERENCE, study: str = STUDY) -> Dataset:
    """An item of Referenced Frame of Reference Sequence with one series."""
    of_series, of_study, item = Dataset(), Dataset(), Dataset()
    of_series.SeriesInstanceUID = series
    of_study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    of_study.ReferencedSOPInstanceUID = study
    of_study.RTReferencedSeriesSequence = [of_series]
    item.FrameOfReferenceUID = frame_of_reference
    item.RTReferencedStudySequence = [of_study]
    return item


def structure_set(
    rois: Sequence[Dataset], contours: Mapping[int, Sequence[Dataset]], frames: Sequence[Dataset] = ()
) -> Dataset:
    """Structure set 2.999.1.500.1 of series 2.999.1.500; `contours` by ROI number."""
    document = image(
        *("2.999.1.500", "2.999.1.500.1"),
        series_number=500,
        number=1,
        sop_class=RTStructureSetStorage,
        modality="RTSTRUCT",
        frame_of_reference="",
    )
    document.StructureSetLabel = "Plan"
    document.StructureSetDate, document.StructureSetTime = "20260102", "115000"
    document.StructureSetROISequence = list(rois)
    document.ReferencedFrameOfReferenceSequence = list(frames or [drawn_on("2.999.1.2")])
    document.ROIContourSequence = [_contours_of(number, drawn) for number, drawn in contours.items()]
    return document


def _contours_of(number: int, drawn: Sequence[Dataset]) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = number
    item.ContourSequence = list(drawn)
    return item


TRIANGLE = ("-12.50", "0", "30.25", "10", "0", "30.25", "10", "10.1", "30.25")


def golden_structure_set(kind: str = "CLOSED_PLANAR") -> Dataset:
    """G12: ROI 3 with one contour; with CLOSEDPLANAR_XOR what E8 is about."""
    return structure_set([roi(3, "GTV")], {3: [contour(kind, TRIANGLE)]})
