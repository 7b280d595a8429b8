"""Where frames lie: single images, functional groups, dose grids, and headers that do not say."""

import pytest
from pydicom.dataset import Dataset

from processors.dicom.frames import Plane, frames_of
from processors.dicom.tiles import Tiles
from processors.errors import Refused
from tests.builders.images import ct, encoded, enhanced_ct
from tests.builders.phantom import chest
from tests.builders.slides import slide, slide_segmentation


def test_a_slice_lies_where_its_header_says() -> None:
    frames = frames_of(encoded(chest(3)))
    assert (frames.series_instance_uid, frames.number, frames.series_number) == ("2.999.1.2", 3, 2)
    assert (frames.rows, frames.columns, frames.pixel_height, frames.segments) == (120, 160, 1, ())
    assert frames.planes == (Plane((-159, -119, 20), (1, 0, 0), (0, 1, 0), 2, 2, 10),)


def groups(**sequences: Dataset) -> Dataset:
    item = Dataset()
    for keyword, member in sequences.items():
        setattr(item, keyword, [member])
    return item


def attributes(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def test_functional_groups_are_shared_or_of_a_frame() -> None:
    image = enhanced_ct()
    image.NumberOfFrames = 3
    image.SharedFunctionalGroupsSequence = [
        groups(
            PlaneOrientationSequence=attributes(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
            PixelMeasuresSequence=attributes(PixelSpacing=[2, 1], SliceThickness=3),
        )
    ]
    image.PerFrameFunctionalGroupsSequence = [
        groups(PlanePositionSequence=attributes(ImagePositionPatient=[at, 0, 0])) for at in (5, 8)
    ]
    first, second, third = frames_of(encoded(image)).planes
    assert first == Plane((5, 0, 0), (0, 1, 0), (0, 0, -1), 2, 1, 3)
    assert second == Plane((8, 0, 0), (0, 1, 0), (0, 0, -1), 2, 1, 3)
    assert third is None
    assert frames_of(encoded(image)).pixel_height == 2


@pytest.mark.parametrize("offsets", [(0, 4, 9), (30, 34, 39)], ids=["relative", "absolute"])
def test_a_dose_grid_steps_along_its_normal(offsets: tuple[int, ...]) -> None:
    image = chest(4)
    image.NumberOfFrames, image.GridFrameOffsetVector = 3, list(offsets)
    planes = frames_of(encoded(image)).planes
    assert [plane.position[2] for plane in planes if plane] == [30, 34, 39]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ImagePositionPatient", None),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
        ("ImageOrientationPatient", [0, 0, 0, 0, 0, 0]),
        ("PixelSpacing", [0, 1]),
    ],
)
def test_a_header_that_says_no_plane_gives_none(keyword: str, value: list[float] | None) -> None:
    image = chest(1)
    setattr(image, keyword, value)
    assert frames_of(encoded(image)).planes == (None,)


def test_pixels_have_the_shape_that_the_header_gives() -> None:
    image = ct(1)
    image.PixelAspectRatio = [3, 2]
    assert frames_of(encoded(image)).pixel_height == 1.5


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(Refused):
        frames_of(b"no DICOM")


def test_tiles_lie_where_they_say_or_in_their_order() -> None:
    far = slide([2])
    (place,) = far.PerFrameFunctionalGroupsSequence[0].PlanePositionSlideSequence
    place.ColumnPositionInTotalImagePixelMatrix, far.TotalPixelMatrixColumns = 70_001, 80_000
    assert frames_of(encoded(far)).tiles == Tiles((100, 80_000), ((0, 70_000),), ())
    del far.PerFrameFunctionalGroupsSequence[0].PlanePositionSlideSequence
    assert frames_of(encoded(far)).tiles == Tiles((100, 80_000), (None,), ())
    in_order = frames_of(encoded(slide())).tiles
    assert in_order is not None
    assert in_order.origins[:4] == ((0, 0), (0, 50), (0, 100), (40, 0))
    assert frames_of(encoded(ct(1))).tiles is None


def test_in_full_tiles_the_order_says_the_segment_if_their_number_fits() -> None:
    made = slide_segmentation({})
    assert frames_of(encoded(made)).segments == (1,) * 9 + (2,) * 9
    made.TotalPixelMatrixFocalPlanes = 2
    assert frames_of(encoded(made)).segments == ()
