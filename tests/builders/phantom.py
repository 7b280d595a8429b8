"""A CT of a phantom's chest, and reports about the nodule in it: objects with pixels and a known geometry.

Rules of this file: made by formula, so that a test knows where what is; called as a program it writes the
files of the README's picture into a folder.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom.sr import (
    ImageRegion,
    Measurement,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    SourceImageForRegion,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from tests.builders.images import MAKER, ct, encoded, identify
from tests.builders.key_objects import key_objects
from tests.builders.segmentations import ANATOMICAL_STRUCTURE, LESION, MORPHOLOGICALLY_ALTERED, PLACE
from tests.builders.structure_sets import contour, drawn_on, roi, structure_set
from tests.builders.structured_reports import LENGTH, MASS, MILLIMETRE, evidence_of, report, tracking

ROWS, COLUMNS, SLICES = 120, 160, 12
PIXEL_MM, SLICE_MM = 2.0, 10.0
LEFT_MM, TOP_MM = -159.0, -119.0
"""x and y of the centre of the top left pixel, so that the middle of the body is at 0, 0."""
NODULE_MM = (-75.0, -11.0, 50.0)
NODULE_RADIUS_MM = 22.0
"""It shows on slices 4 to 8, widest on slice 6."""
LUNGS = Code("39607008", "SCT", "Lung")
AIR, SOFT, LUNG, BONE, MASS_HU = -1000, 40, -820, 600, 60

Where = Callable[[NDArray[np.float64], NDArray[np.float64], float], NDArray[np.bool_]]
"""Whether x, y (arrays) and z in mm are inside something."""


def _ellipse(x0: float, y0: float, a: float, b: float) -> Where:
    return lambda x, y, _: ((x - x0) / a) ** 2 + ((y - y0) / b) ** 2 <= 1


def is_nodule(x: NDArray[np.float64], y: NDArray[np.float64], z: float) -> NDArray[np.bool_]:
    x0, y0, z0 = NODULE_MM
    return (x - x0) ** 2 + (y - y0) ** 2 + (z - z0) ** 2 <= NODULE_RADIUS_MM**2


def is_lung(x: NDArray[np.float64], y: NDArray[np.float64], z: float) -> NDArray[np.bool_]:
    """Both, narrower at the top; the nodule is none of it."""
    a = 52 - 0.25 * z
    both = _ellipse(-72, 0, a, a * 1.5)(x, y, z) | _ellipse(72, 0, a, a * 1.5)(x, y, z)
    return both & ~is_nodule(x, y, z)


def pixels_of(inside: Where, number: int) -> NDArray[np.bool_]:
    """Shape (ROWS, COLUMNS), True where the pixel's centre is inside on slice `number`, from 1."""
    x, y = np.meshgrid(LEFT_MM + PIXEL_MM * np.arange(COLUMNS), TOP_MM + PIXEL_MM * np.arange(ROWS))
    return inside(x, y, z_of(number))


def z_of(number: int) -> float:
    return SLICE_MM * (number - 1)


def chest(number: int) -> Dataset:
    """CT slice 2.999.1.2.<number> with pixels; slice 6 goes through the middle of the nodule."""
    hounsfield = np.full((ROWS, COLUMNS), AIR)
    for inside, value in (
        (_ellipse(0, 0, 150, 105), SOFT),
        (is_lung, LUNG),
        (_ellipse(0, 72, 16, 14), BONE),
        (_ellipse(0, -82, 9, 6), BONE),
        (is_nodule, MASS_HU),
    ):
        hounsfield[pixels_of(inside, number)] = value
    image = ct(number)
    image.Rows, image.Columns = ROWS, COLUMNS
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.ImagePositionPatient = [LEFT_MM, TOP_MM, z_of(number)]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelSpacing, image.SliceThickness = [PIXEL_MM, PIXEL_MM], SLICE_MM
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 0
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, -1024, "HU"
    image.WindowCenter, image.WindowWidth = -300, 1500
    image.PixelData = (hounsfield + 1024).astype("<u2").tobytes()
    return image


def volume() -> list[Dataset]:
    return [chest(number) for number in range(1, SLICES + 1)]


def pixel_of(x: float, y: float) -> tuple[float, float]:
    """Column and row of a point in mm, as FHIR counts them: the first pixel's centre is 0.5, 0.5."""
    return (x - LEFT_MM) / PIXEL_MM + 0.5, (y - TOP_MM) / PIXEL_MM + 0.5


def measurement(kind: str = "CIRCLE") -> Dataset:
    """A structured report with a region around the nodule on slice 6: its outline as a circle."""
    image = chest(6)
    column, row = pixel_of(*NODULE_MM[:2])
    edge = column + NODULE_RADIUS_MM / PIXEL_MM
    region = ImageRegion(
        graphic_type=kind,
        graphic_data=np.array([[column, row], [edge, row]]),
        source_image=SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID),
    )
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(),
        referenced_region=region,
        finding_type=MASS,
        measurements=[Measurement(name=LENGTH, value=2 * NODULE_RADIUS_MM, unit=MILLIMETRE)],
    )
    document = report("2.999.1.100.9", [group], [image])
    document.CurrentRequestedProcedureEvidenceSequence = evidence_of([image])
    return document


def contours() -> Dataset:
    """A structure set with the nodule's outline on each slice that it meets, as ROI 5."""
    drawn = []
    x0, y0, z0 = NODULE_MM
    for number in range(4, 9):
        radius = (NODULE_RADIUS_MM**2 - (z_of(number) - z0) ** 2) ** 0.5
        angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        ring = [(x0 + radius * np.cos(a), y0 + radius * np.sin(a), z_of(number)) for a in angles]
        drawn.append(contour("CLOSED_PLANAR", [f"{at:.3f}" for point in ring for at in point]))
    return structure_set([roi(5, "GTV")], {5: drawn}, [drawn_on("2.999.1.2")])


def segmentation(sources: Sequence[Dataset] | None = None) -> Dataset:
    """Segment 1 the lungs, segment 2 the nodule, on all slices."""
    sources = sources or volume()
    pixels = np.zeros((len(sources), ROWS, COLUMNS), np.uint8)
    for at, source in enumerate(sources):
        pixels[at][pixels_of(is_lung, source.InstanceNumber)] = 1
        pixels[at][pixels_of(is_nodule, source.InstanceNumber)] = 2
    manual = hd.seg.SegmentAlgorithmTypeValues.MANUAL
    document = hd.seg.Segmentation(
        sources,
        pixels,
        hd.seg.SegmentationTypeValues.BINARY,
        [
            hd.seg.SegmentDescription(1, "Lungs", ANATOMICAL_STRUCTURE, LUNGS, manual),
            hd.seg.SegmentDescription(2, "Nodule", MORPHOLOGICALLY_ALTERED, LESION, manual),
        ],
        **PLACE,
        **MAKER,
    )
    return identify(document)


def selection() -> Dataset:
    """Key images: slices 5, 6 and 7."""
    return key_objects("2.999.1.200.9", [chest(number) for number in (5, 6, 7)])


def main(folder: str) -> None:
    """Write the slices and a document of each kind into `folder`."""
    into = Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    for image in volume():
        (into / f"slice{image.InstanceNumber:02}.dcm").write_bytes(encoded(image))
    for document in (measurement(), contours(), segmentation(), selection()):
        (into / f"{document.Modality.lower()}.dcm").write_bytes(encoded(document))


if __name__ == "__main__":
    main(*sys.argv[1:])
