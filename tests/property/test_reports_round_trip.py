"""Reports built from random references, by highdicom and item by item, are read as the same references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from highdicom.sr import (
    FindingSite,
    ImageRegion,
    ImageRegion3D,
    Measurement,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    SourceImageForRegion,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from processors.core.events import Document, GroupKind, ReportedGroup, ReportedItem, SubsetKind
from processors.dicom.key_objects import read_key_object
from processors.dicom.read import read_object
from processors.dicom.reading import ReadingPolicy
from processors.dicom.uids import path_of
from tests.builders.images import ct, encoded, enhanced_ct
from tests.builders.key_objects import key_objects
from tests.builders.structured_reports import LENGTH, MASS, MILLIMETRE, evidence_of, report, tracking
from tests.unit.dicom.report_items import (
    GROUP,
    LIBRARY,
    by_key,
    by_reference,
    image_item,
    item,
    read,
    report_of,
    scoord,
)

FEW = settings(max_examples=40, deadline=None)
SERIES = {"2.999.1.2": 2, "2.999.1.3": 3}
SITES = (Code("39607008", "SCT", "Lung"), Code("10200004", "SCT", "Liver"))
FRAMES_OF_REFERENCE = ("2.999.1.9", "2.999.1.10")

pixels = st.floats(0, 511, width=32)
millimetres = st.floats(-500, 500, width=32)


class Shape(NamedTuple):
    graphic_type: str
    points: tuple[tuple[float, ...], ...]

    @property
    def coordinates(self) -> np.ndarray:
        return np.array(self.points, dtype=np.float32)


class Wanted(NamedTuple):
    """One measurement group: a shape on an image or in space, with lengths and a site."""

    shape: Shape
    image: tuple[str, int]
    """(series, number); of no meaning in space."""
    frame_of_reference: str
    lengths: list[float]
    site: Code | None


def points(coordinate: st.SearchStrategy[float], dimensions: int, least: int, most: int) -> st.SearchStrategy:
    return st.lists(st.tuples(*[coordinate] * dimensions), min_size=least, max_size=most).map(tuple)


plane_shapes = st.one_of(
    *(
        st.builds(Shape, st.just(name), points(pixels, 2, least, most))
        for name, least, most in (("POINT", 1, 1), ("CIRCLE", 2, 2), ("POLYLINE", 2, 6), ("ELLIPSE", 4, 4))
    )
).filter(lambda shape: len(set(shape.points)) == len(shape.points))
heights = st.floats(-100, 100, width=32)
polygons = st.builds(  # coplanar, and closed
    lambda corners, z: Shape("POLYGON", tuple((x, y, z) for x, y in [*corners, corners[0]])),
    st.lists(st.tuples(millimetres, millimetres), min_size=3, max_size=5, unique=True),
    heights,
)
space_shapes = st.one_of(polygons, st.builds(Shape, st.just("POINT"), points(millimetres, 3, 1, 1)))


def wanted(shapes: st.SearchStrategy[Shape]) -> st.SearchStrategy[list[Wanted]]:
    each = st.builds(
        Wanted,
        shapes,
        st.tuples(st.sampled_from(sorted(SERIES)), st.integers(1, 3)),
        st.sampled_from(FRAMES_OF_REFERENCE),
        st.lists(st.integers(1, 9999).map(lambda n: n / 10), max_size=3),
        st.none() | st.sampled_from(SITES),
    )
    return st.lists(each, min_size=1, max_size=4)


def image_of(place: tuple[str, int]) -> Dataset:
    return ct(place[1], place[0], SERIES[place[0]])


def group_of(each: Wanted, space: bool) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    image = image_of(each.image)
    shape = each.shape
    source = SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID)
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(),
        referenced_region=ImageRegion3D(shape.graphic_type, shape.coordinates, each.frame_of_reference)
        if space
        else ImageRegion(shape.graphic_type, shape.coordinates, source),
        finding_type=MASS,
        finding_sites=[FindingSite(each.site)] if each.site else None,
        measurements=[Measurement(LENGTH, value, MILLIMETRE) for value in each.lengths] or None,
    )


def regions_of(document: Document, count: int) -> list[tuple[ReportedGroup, ReportedGroup]]:
    """(region, its measurement group), in order."""
    groups = by_key(document)
    regions = [group for group in document.groups if group.kind is GroupKind.REGION]
    assert len(regions) == count
    return [(region, groups[region.focus[0].value]) for region in regions]


def flat(shape: Shape) -> list[np.float32]:
    return [np.float32(number) for point in shape.points for number in point]


@FEW
@given(wanted(plane_shapes))
def test_regions_of_measurement_groups_on_images(groups: list[Wanted]) -> None:
    evidence = [image_of(place) for place in sorted({each.image for each in groups})]
    document = read(encoded(report("2.999.1.100.7", [group_of(g, False) for g in groups], evidence)))
    assert document.warnings == ()
    for each, (region, observation) in zip(groups, regions_of(document, len(groups)), strict=True):
        (reported,) = region.items
        series, number = each.image
        assert reported[:3] == ("2.999.1", series, f"{series}.{number}")
        assert (reported.subset_kind, reported.subset) == (SubsetKind.NONE, ())
        (drawn,) = reported.regions_2d
        assert drawn.region_type == each.shape.graphic_type.lower()
        assert list(map(np.float32, drawn.coordinates)) == flat(each.shape)
        assert_meant(each, observation)
        assert region.body_site == observation.body_site


@FEW
@given(wanted(space_shapes))
def test_regions_of_measurement_groups_in_space(groups: list[Wanted]) -> None:
    document = read(encoded(report("2.999.1.100.7", [group_of(g, True) for g in groups], [ct(1)])))
    assert document.warnings == ()
    for each, (region, observation) in zip(groups, regions_of(document, len(groups)), strict=True):
        (reported,) = region.items
        assert reported[:3] == ("2.999.1", "2.999.1.100", "2.999.1.100.7")
        (drawn,) = reported.regions_3d
        assert (drawn.region_type, region.frame_of_reference_uid) == (
            each.shape.graphic_type.lower(),
            each.frame_of_reference,
        )
        assert list(map(np.float32, drawn.coordinates)) == flat(each.shape)
        assert_meant(each, observation)


def assert_meant(each: Wanted, observation: ReportedGroup) -> None:
    assert [(m.name and m.name.code, m.value, m.unit) for m in observation.measurements] == [
        (LENGTH.value, value, "mm") for value in each.lengths
    ]
    site = observation.body_site.coding if observation.body_site else None
    assert (site.code if site else None) == (each.site.value if each.site else None)


places = st.lists(st.tuples(st.sampled_from(sorted(SERIES)), st.integers(1, 9)), min_size=1, max_size=6)


@FEW
@given(places, st.none() | st.text("abc XYZ", min_size=1, max_size=20).filter(str.strip))
def test_key_images_of_several_series(selected: list[tuple[str, int]], description: str | None) -> None:
    distinct = list(dict.fromkeys(selected))
    made = key_objects("2.999.1.200.7", [image_of(place) for place in distinct], description=description)
    (group,) = key_object(made).groups
    assert {i[:3] for i in group.items} == {("2.999.1", series, f"{series}.{n}") for series, n in distinct}
    assert len(group.items) == len(distinct)
    assert group.description == (description or "").strip()


@FEW
@given(st.lists(st.lists(st.integers(1, 40), max_size=4), min_size=1, max_size=4))
def test_key_frames_of_one_image(mentions: list[list[int]]) -> None:
    """A mention without frames is of the whole image, which holds its frames."""
    made = key_objects("2.999.1.200.7", [enhanced_ct()])
    mentioned = [image_item(enhanced_ct(), frames=frames) for frames in mentions]
    made.ContentSequence = [*list(made.ContentSequence)[:-1], *mentioned]
    (reported,) = key_object(made).groups[0].items
    frames = sorted({frame for each in mentions for frame in each}) if all(mentions) else []
    assert reported.subset == tuple(map(str, frames))


def key_object(made: Dataset) -> Document:
    reading = read_object(encoded(made), ReadingPolicy())
    return read_key_object(reading, path_of(reading), ReadingPolicy())


@FEW
@given(st.integers(1, 6), st.lists(st.tuples(st.integers(1, 6), plane_shapes), min_size=1, max_size=5))
def test_items_that_point_into_a_library(size: int, marks: list[tuple[int, Shape]]) -> None:
    """Each region is on the one image its finding points at; a mark beyond the library is left out."""
    images = [ct(number) for number in range(1, size + 1)]
    library = item("CONTAINER", LIBRARY, [image_item(image) for image in images])
    document = report_of(library, *(_mark(entry, shape) for entry, shape in marks), images=images)
    document.CurrentRequestedProcedureEvidenceSequence = evidence_of(images)
    found = {g.suffix: g.items for g in read(document).groups if g.kind is GroupKind.REGION}
    within = {
        f"1.{position}.1": (f"2.999.1.2.{entry}", flat(shape))
        for position, (entry, shape) in enumerate(marks, 2)
        if entry <= size
    }
    assert {path: _on(items) for path, items in found.items()} == within


def _mark(entry: int, shape: Shape) -> Dataset:
    numbers = [float(number) for number in flat(shape)]
    return item("CONTAINER", GROUP, [scoord(shape.graphic_type, numbers, [by_reference(1, 1, entry)])])


def _on(items: Sequence[ReportedItem]) -> tuple[str, list[np.float32]]:
    (reported,) = items
    (drawn,) = reported.regions_2d
    return reported.sop_instance_uid, list(map(np.float32, drawn.coordinates))
