"""Grayscale softcopy presentation states of the golden study, made by highdicom.

Rules of this file: states as their makers write them; what is wrong with one is the test's to add.
"""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
import numpy as np
from highdicom.pr.enum import AnnotationUnitsValues, GraphicTypeValues
from pydicom.dataset import Dataset

from tests.builders.images import MAKER, ct, identify

PIXEL = AnnotationUnitsValues.PIXEL


def graphic(kind: str, points: Sequence[float], units: AnnotationUnitsValues = PIXEL) -> hd.pr.GraphicObject:
    """`points` are column and row, flat."""
    pairs = np.array(points).reshape(-1, 2)
    return hd.pr.GraphicObject(GraphicTypeValues(kind), graphic_data=pairs, units=units)


def annotation(
    graphics: Sequence[hd.pr.GraphicObject], images: Sequence[Dataset], texts: Sequence[str] = ()
) -> hd.pr.GraphicAnnotation:
    """Drawn on `images`, which lie in one series."""
    return hd.pr.GraphicAnnotation(
        images,
        hd.pr.GraphicLayer("LAYER", 1),
        graphic_objects=graphics,
        text_objects=[hd.pr.TextObject(text, PIXEL, anchor_point=(10.0, 10.0)) for text in texts],
    )


def _grayscale(image: Dataset) -> Dataset:
    """With what the state takes over from its images."""
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, 0, "HU"
    return image


def presentation_state(
    images: Sequence[Dataset], annotations: Sequence[hd.pr.GraphicAnnotation] = (), label: str = "ANNOTATED"
) -> Dataset:
    """State 2.999.1.400.1 of series 2.999.1.400, made at 11:45 on 2026-01-02."""
    state = hd.pr.GrayscaleSoftcopyPresentationState(
        [_grayscale(image) for image in images],
        series_instance_uid="2.999.1.400",
        series_number=400,
        sop_instance_uid="2.999.1.400.1",
        instance_number=1,
        **MAKER,
        content_label=label,
        graphic_layers=[hd.pr.GraphicLayer("LAYER", 1)] if annotations else None,
        graphic_annotations=annotations or None,
    )
    state.PresentationCreationDate = "20260102"
    state.PresentationCreationTime = "114500"
    return identify(state)


def golden_state() -> Dataset:
    """G11: two series; a closed polyline, a circle, a curve on the screen and a text."""
    images = [ct(1), ct(7, "2.999.1.3", 3)]
    drawn = [
        graphic("POLYLINE", (100.5, 100.5, 140, 100.5, 140, 130.25, 100.5, 100.5)),
        graphic("CIRCLE", (200, 200, 210, 200)),
        graphic("INTERPOLATED", (0.1, 0.1, 0.5, 0.2, 0.9, 0.9), AnnotationUnitsValues.DISPLAY),
    ]
    return presentation_state(images, [annotation(drawn, images[:1], ["a note"])])
