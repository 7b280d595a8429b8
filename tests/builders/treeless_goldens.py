"""The golden examples G10 to G12: documents without a content tree.

Rules of this file: as in `tests.builders.goldens`, a function an example.
"""

from __future__ import annotations

from tests.builders.goldens import Golden, arrivals, reported, results
from tests.builders.images import ct
from tests.builders.presentation_states import golden_state
from tests.builders.segmentations import golden_segmentation
from tests.builders.structure_sets import golden_structure_set


def g10() -> Golden:
    """Two segments of one segmentation."""
    images = arrivals([ct(1), ct(2), ct(3)])
    return Golden((images, [reported(golden_segmentation(), "11:41")]), results("g10"))


def g11() -> Golden:
    """A presentation state over two series, with an annotation on one of them."""
    images = arrivals([ct(1), ct(7, "2.999.1.3", 3)])
    return Golden((images, [reported(golden_state(), "11:46")]), results("g11"))


def g12() -> Golden:
    """A closed contour of a structure set."""
    images = arrivals([ct(1), ct(2), ct(3)])
    return Golden((images, [reported(golden_structure_set(), "11:51")]), results("g12"))


GOLDENS = {"g10": g10, "g11": g11, "g12": g12}
