"""Content items by hand, for reports that highdicom would refuse to write.

Rules of this file: one function an item; what is wrong with an item is said by the test.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from processors.core.events import Document, ReportedGroup
from processors.dicom.read import read_object
from processors.dicom.reading import ReadingPolicy
from processors.dicom.structured_reports import read_structured_report
from processors.dicom.uids import path_of
from tests.builders.images import ct, encoded, identify
from tests.builders.structured_reports import evidence_of, sop_reference

COMPREHENSIVE_3D = "1.2.840.10008.5.1.4.1.1.88.34"
GROUP = ("125007", "DCM", "Measurement Group")
LIBRARY = ("111028", "DCM", "Image Library")
LENGTH = ("410668003", "SCT", "Length")

POLICY = ReadingPolicy()

Coded = tuple[str, str, str]


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    entry = Dataset()
    entry.CodeValue = value
    entry.CodingSchemeDesignator = scheme
    entry.CodeMeaning = meaning
    return entry


def item(value_type: str, name: Coded | None = None, children: Sequence[Dataset] = ()) -> Dataset:
    content = Dataset()
    content.RelationshipType = "CONTAINS"
    content.ValueType = value_type
    if name:
        content.ConceptNameCodeSequence = [coded(*name)]
    if children:
        content.ContentSequence = list(children)
    return content


def code_item(name: Coded, value: Coded, children: Sequence[Dataset] = ()) -> Dataset:
    content = item("CODE", name, children)
    content.ConceptCodeSequence = [coded(*value)]
    return content


def image_item(
    image: Dataset | None = None, name: Coded | None = None, frames: Sequence[int] = ()
) -> Dataset:
    """An IMAGE item; without `image` its Referenced SOP Sequence is missing."""
    content = item("IMAGE", name)
    if image is not None:
        content.ReferencedSOPSequence = [sop_reference(image, frames)]
    return content


def scoord(
    graphic_type: str, data: Sequence[float], images: Sequence[Dataset] = (), name: Coded | None = None
) -> Dataset:
    content = item("SCOORD", name, images)
    content.GraphicType = graphic_type
    content.GraphicData = list(data)
    return content


def scoord3d(graphic_type: str, data: Sequence[float], frame_of_reference: str = "2.999.1.9") -> Dataset:
    content = item("SCOORD3D")
    content.GraphicType = graphic_type
    content.GraphicData = list(data)
    if frame_of_reference:
        content.ReferencedFrameOfReferenceUID = frame_of_reference
    return content


def by_reference(*path: int) -> Dataset:
    content = Dataset()
    content.RelationshipType = "INFERRED FROM"
    content.ReferencedContentItemIdentifier = list(path)
    return content


def report_of(*content: Dataset, images: Sequence[Dataset] | None = None) -> Dataset:
    """Comprehensive 3D SR 2.999.1.100.9 with `content` below its root; evidence is CT 1 to 3 unless said."""
    document = identify(Dataset())
    document.SOPClassUID = COMPREHENSIVE_3D
    document.SOPInstanceUID = "2.999.1.100.9"
    document.SeriesInstanceUID = "2.999.1.100"
    document.Modality = "SR"
    document.ValueType = "CONTAINER"
    document.ConceptNameCodeSequence = [coded("126000", "DCM", "Imaging Measurement Report")]
    document.ContentDate = "20260102"
    document.ContentTime = "113000"
    document.CurrentRequestedProcedureEvidenceSequence = evidence_of(images or [ct(1), ct(2), ct(3)])
    document.ContentSequence = list(content)
    return document


def read(document: Dataset | bytes, policy: ReadingPolicy = POLICY) -> Document:
    data = document if isinstance(document, bytes) else encoded(document)
    reading = read_object(data, policy)
    return read_structured_report(reading, path_of(reading), policy)


def by_key(document: Document) -> dict[str, ReportedGroup]:
    return {f"{group.kind}|{group.suffix}": group for group in document.groups}
