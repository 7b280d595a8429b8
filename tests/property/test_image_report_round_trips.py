"""Segmentations, presentation states and structure sets of random references, written by other libraries:
reading them gives the same references (MAPPING 2.4 to 2.6).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from processors.core.events import Document, DocumentArrived, GroupKind, Region, ReportedGroup, Stamp
from processors.dicom import ReadingPolicy, event_of_object
from tests.builders.images import ct, encoded, image
from tests.builders.presentation_states import annotation, graphic, presentation_state
from tests.builders.segmentations import bare_segmentation, derived, reference, referenced_series, segment
from tests.builders.structure_sets import contour, drawn_on, roi, structure_set

SERIES = ("2.999.1.2", "2.999.1.3")
FRAMES = 40

numbers = st.integers(1, 9)
frames = st.frozensets(st.integers(1, FRAMES), max_size=4)
uses = st.dictionaries(st.tuples(st.sampled_from(SERIES), numbers), frames, min_size=1, max_size=6)
"""(series, instance number) → frames meant; none: the whole instance."""
pixel = st.floats(0, 512, width=32, allow_subnormal=False).map(lambda n: float(np.float32(n)))
millimetre = st.decimals(-999, 999, places=3, allow_nan=False)


def document(data: Dataset) -> Document:
    event = event_of_object(encoded(data), Stamp(0, False, "PACS", "e1", b""), ReadingPolicy(), dated=True)
    assert isinstance(event, DocumentArrived)
    return event.document


def multi_frame(series: str, number: int) -> Dataset:
    return image(series, f"{series}.{number}", series_number=2, number=number, frames=FRAMES)


def said(group: ReportedGroup) -> dict[tuple[str, str], list[int]]:
    return {(i.series_instance_uid, i.sop_instance_uid): [int(n) for n in i.subset] for i in group.items}


def expected(meant: dict[Any, frozenset[int]]) -> dict[tuple[str, str], list[int]]:
    return {(series, f"{series}.{number}"): sorted(said) for (series, number), said in meant.items()}


def by_series(meant: dict[Any, frozenset[int]], keyword: str) -> list[Dataset]:
    listed = []
    for series in dict.fromkeys(series for series, _ in meant):
        images = [multi_frame(*key) for key in meant if key[0] == series]
        item = referenced_series(images, keyword)
        if keyword == "ReferencedImageSequence":
            used = [meant[key] for key in meant if key[0] == series]
            pairs = zip(images, used, strict=True)
            item.ReferencedImageSequence = [reference(to, *said) for to, said in pairs]
        listed.append(item)
    return listed


@given(meant=uses, segments=st.integers(1, 12), repeated=st.booleans())
@settings(deadline=None, max_examples=40)
def test_segmentation(meant: dict[Any, frozenset[int]], segments: int, repeated: bool) -> None:
    groups = [derived(reference(multi_frame(*key), *used)) for key, used in meant.items()]
    read = document(
        bare_segmentation(
            [segment(n, f"S{n}") for n in range(1, segments + 1)],
            by_series(meant, "ReferencedInstanceSequence"),
            groups * (1 + repeated),
        )
    )
    *found, sources = read.groups
    assert [(g.items[0].subset, g.code.text) for g in found] == [
        ((str(n),), f"S{n}") for n in range(1, segments + 1)
    ]
    assert (sources.kind, said(sources)) == (GroupKind.SEGMENT_SOURCE, expected(meant))
    assert read.warnings == ()


shapes = st.one_of(
    st.tuples(st.just("POINT"), st.lists(pixel, min_size=2, max_size=2)),
    st.tuples(st.just("CIRCLE"), st.lists(pixel, min_size=4, max_size=4)),
    st.tuples(
        st.sampled_from(("POLYLINE", "INTERPOLATED")),
        st.lists(st.tuples(pixel, pixel), min_size=2, max_size=6).map(lambda ps: [n for p in ps for n in p]),
    ),
)


@given(meant=uses, drawn=st.lists(st.lists(shapes, min_size=1, max_size=3), max_size=3))
@settings(deadline=None, max_examples=40)
def test_presentation_state(meant: dict[Any, frozenset[int]], drawn: list[list[tuple[str, Any]]]) -> None:
    slices = [ct(1)]
    state = presentation_state(
        slices, [annotation([graphic(*shape) for shape in shapes], slices) for shapes in drawn]
    )
    state.ReferencedSeriesSequence = by_series(meant, "ReferencedImageSequence")
    for item in state.get("GraphicAnnotationSequence", ()):
        del item.ReferencedImageSequence  # on all images of the state
    _, sources, *regions = document(state).groups
    assert said(sources) == expected(meant)
    assert [g.suffix for g in regions] == [str(n) for n in range(1, len(drawn) + 1)]
    for group, shapes in zip(regions, drawn, strict=True):
        assert said(group) == expected(meant)
        found = {(r.region_type, singles(r.coordinates)) for r in group.items[0].regions_2d}
        assert found == {(kind.lower(), singles(at)) for kind, at in shapes}


def singles(coordinates: Any) -> bytes:
    """As binary32, which is what Graphic Data holds."""
    return np.asarray(coordinates, np.float32).tobytes()


points = st.lists(st.tuples(millimetre, millimetre, millimetre), min_size=3, max_size=8, unique=True)
outlines = st.lists(st.tuples(st.sampled_from(("CLOSED_PLANAR", "OPEN_PLANAR")), points), max_size=4)


@given(rois=st.dictionaries(st.integers(0, 10**6), outlines, min_size=1, max_size=6))
@settings(deadline=None, max_examples=40)
def test_structure_set(rois: dict[int, list[tuple[str, Any]]]) -> None:
    contours = {
        number: [contour(kind, [str(n) for point in at for n in point]) for kind, at in drawn]
        for number, drawn in rois.items()
    }
    data = structure_set([roi(n, f"R{n}") for n in rois], contours, [drawn_on(s) for s in SERIES])
    read = document(data)
    assert [(g.items[0].subset, g.code.text) for g in read.groups] == [((str(n),), f"R{n}") for n in rois]
    for group, drawn in zip(read.groups, rois.values(), strict=True):
        assert [f.value for f in group.focus] == [f"2.999.1|{series}" for series in SERIES]
        assert group.items[0].regions_3d == tuple(dict.fromkeys(_region(*each) for each in drawn))
    assert read.warnings == ()


def _region(kind: str, at: list[Any]) -> Region:
    closed = kind == "CLOSED_PLANAR"
    flat = [float(n) for point in (*at, *(at[:1] if closed else ())) for n in point]
    return Region("polygon" if closed else "polyline", tuple(flat))
