"""Reports of computer-aided detection as their templates have them (PS3.16 TID 4000, 4100, 4120).

Rules of this file: the parts that findings, libraries and accounts of algorithms are made of, and one whole
mammography report.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from tests.builders.images import image
from tests.unit.dicom.report_items import Coded, by_reference, code_item, coded, item, report_of, scoord

MAMMOGRAPHY_CAD = "1.2.840.10008.5.1.4.1.1.88.50"
CHEST_CAD = "1.2.840.10008.5.1.4.1.1.88.65"
COLON_CAD = "1.2.840.10008.5.1.4.1.1.88.69"
DIGITAL_MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"

CENTER = ("111010", "DCM", "Center")
OUTLINE = ("111041", "DCM", "Outline")
REQUIRED = ("111150", "DCM", "Presentation Required: Rendering device is expected to present")
OPTIONAL = ("111151", "DCM", "Presentation Optional: Rendering device may present")
NEVER = ("111152", "DCM", "Not for Presentation: Rendering device expected not to present")

SQUARE = (90.0, 190.0, 110.0, 190.0, 110.0, 210.0, 90.0, 190.0)


def mammogram(number: int) -> Dataset:
    """Image `2.999.1.6.<number>` of the views of a screening study."""
    return image(
        "2.999.1.6",
        f"2.999.1.6.{number}",
        series_number=6,
        number=number,
        sop_class=DIGITAL_MAMMOGRAPHY,
        modality="MG",
        frame_of_reference="",
    )


def finding(*children: Dataset, intent: Coded | None = REQUIRED, value: Coded | None = None) -> Dataset:
    """A Single Image Finding (TID 4006) with its Rendering Intent first."""
    mass = value or ("4147007", "SCT", "Mammography breast mass")
    return code_item(("111059", "DCM", "Single Image Finding"), mass, [*_intended(intent), *children])


def impression(*children: Dataset, intent: Coded | None = REQUIRED) -> Dataset:
    """An Individual Impression/Recommendation (TID 4003)."""
    name = ("111034", "DCM", "Individual Impression/Recommendation")
    return item("CONTAINER", name, [*_intended(intent), *children])


def performed(*children: Dataset) -> Dataset:
    """A Detection Performed (TID 4017) below its summary."""
    detection = code_item(
        ("111022", "DCM", "Detection Performed"), ("4147007", "SCT", "Mammography breast mass"), children
    )
    detections = item("CONTAINER", ("111063", "DCM", "Successful Detections"), [detection])
    return code_item(("111064", "DCM", "Summary of Detections"), ("111222", "DCM", "Succeeded"), [detections])


def cad_report(sop_class: str, *content: Dataset, images: Sequence[Dataset]) -> Dataset:
    document = report_of(*content, images=images)
    document.SOPClassUID = sop_class
    document.ConceptNameCodeSequence = [coded("111036", "DCM", "Mammography CAD Report")]
    return document


def mammography_report() -> Dataset:
    """Four views in the library (1.1); the algorithm looked at all (1.3) and found a mass on the second:
    its center is 1.2.1.2.2, its outline 1.2.1.2.3.
    """
    views = [mammogram(number) for number in range(1, 5)]
    library = item("CONTAINER", ("111028", "DCM", "Image Library"), [_entry(view) for view in views])
    mass = finding(
        scoord("POINT", (100.5, 200.25), [by_reference(1, 1, 2)], CENTER),
        scoord("POLYLINE", SQUARE, [by_reference(1, 1, 2)], OUTLINE),
    )
    summary = code_item(
        ("111017", "DCM", "CAD Processing and Findings Summary"),
        ("111242", "DCM", "All algorithms succeeded; with findings"),
        [impression(mass)],
    )
    looked_at = performed(*(by_reference(1, 1, number) for number in range(1, 5)))
    return cad_report(MAMMOGRAPHY_CAD, library, summary, looked_at, images=views)


def _entry(view: Dataset) -> Dataset:
    """An entry of the library with what it repeats of the image's header (TID 4020)."""
    entry = item(
        "IMAGE", None, [code_item(("111027", "DCM", "Image Laterality"), ("7771000", "SCT", "Left"))]
    )
    reference = Dataset()
    reference.ReferencedSOPClassUID = view.SOPClassUID
    reference.ReferencedSOPInstanceUID = view.SOPInstanceUID
    entry.ReferencedSOPSequence = [reference]
    return entry


def _intended(intent: Coded | None) -> list[Dataset]:
    return [code_item(("111056", "DCM", "Rendering Intent"), intent)] if intent else []
