"""Regions and segments of a whole slide on the tiles that they cross."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from processors.assemble import assemble
from processors.core.events import Region, SubsetKind
from processors.core.reference import ReferencedInstance
from processors.fhir.reading import read_reference
from processors.render import Options, Rendered, render
from processors.render.geometry import Outline, on_tile
from processors.settings import Settings
from tests.builders.slides import COLUMNS, GREY, ROWS, slide, slide_segmentation
from tests.unit.dicom.report_items import COMPREHENSIVE_3D, image_item, report_of, scoord
from tests.unit.render.test_render import drawn, inputs, reference

SCALE = 4
WIDTH, HEIGHT = COLUMNS * SCALE, ROWS * SCALE
OVER_TWO = Region("polyline", (40, 20, 60, 20))
"""Columns 40 to 50 of the first tile, 0 to 10 of the second."""


def rendered(slide: Dataset, *regions: Region, frames: tuple[str, ...] = ()) -> Rendered:
    kind = SubsetKind.FRAMES if frames else SubsetKind.NONE
    instance = ReferencedInstance("2.999.1.8.1", "", 1, kind, frames, matrix_regions=regions)
    said = reference(instance, series_instance_uid="2.999.1.8")
    return render(said, inputs([slide]), Options(side=WIDTH))


def greys(picture: Rendered) -> list[int]:
    """Tiles on the picture, in order, by the grey of a corner."""
    pixels = np.asarray(Image.open(BytesIO(picture.png)).convert("L"))
    rows = range(4, pixels.shape[0] - HEIGHT + 5, HEIGHT + 22)
    found = [pixels[y, x] for y in rows for x in range(4, pixels.shape[1], WIDTH + 4)]
    return [round(int(grey) / GREY) for grey in found if grey]


@pytest.mark.parametrize("tiles", [None, [1, 2, 3, 4, 5, 6, 7, 8, 9], [5, 1, 2]])
def test_a_region_is_on_the_tiles_that_it_crosses(tiles: Sequence[int] | None) -> None:
    """Wherever they say that they lie: by their order, or each by itself."""
    picture = rendered(slide(tiles), OVER_TWO)
    assert (greys(picture), picture.lines) == ([1, 2], [])
    marks = drawn(picture)
    line = marks[20 * SCALE]
    assert line[40 * SCALE + 2 : WIDTH].all()
    assert line[WIDTH + 4 : WIDTH + 4 + 10 * SCALE - 2].all()
    assert marks.sum() < 20 * SCALE * 8


@pytest.mark.parametrize(
    ("region", "crossed"),
    [
        (Region("point", (149, 99)), [9]),
        (Region("circle", (75, 60, 75, 70)), [5]),
        (Region("circle", (75, 60, 75, 81)), [2, 5, 8]),
        (Region("polyline", (10, 10, 140, 10, 140, 90, 10, 90, 10, 10)), [1, 2, 3, 4, 6, 7, 8, 9]),
        (Region("polyline", (10, 30, 40, 90)), [1, 4, 7]),
    ],
)
def test_tiles_that_it_only_surrounds_are_not_shown(region: Region, crossed: list[int]) -> None:
    assert greys(rendered(slide(), region)) == crossed


def test_the_frames_that_are_named_are_kept_to() -> None:
    assert greys(rendered(slide(), OVER_TWO, frames=("2", "9"))) == [2]


def test_what_cannot_be_drawn_is_said() -> None:
    beyond = rendered(slide([5]), OVER_TWO)
    assert (greys(beyond), beyond.lines) == (
        [5],
        ["regions of a whole slide lie on none of the frames given"],
    )
    placeless = slide([5, 6])
    del placeless.TotalPixelMatrixRows
    said = rendered(placeless, OVER_TWO)
    assert said.lines == ["an image does not say where its tiles lie: no regions on them are drawn"]
    assert greys(said) == [5, 6]


def test_from_a_report_to_the_picture() -> None:
    drawn_on = scoord("POLYLINE", OVER_TWO.coordinates, [image_item(slide())])
    drawn_on.PixelOriginInterpretation = "VOLUME"
    files = inputs([slide(), report_of(drawn_on, images=[slide()])])
    out = io.StringIO()
    assemble(files, Settings(), out)
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    (said,) = [each for each in found if "total-pixel-matrix-region" in json.dumps(each)]
    assert greys(render(read_reference(said), files, Options(side=WIDTH))) == [1, 2]
    whole = ReferencedInstance("2.999.1.100.9", COMPREHENSIVE_3D)
    followed = render(reference(whole, series_instance_uid="2.999.1.100"), files, Options(side=WIDTH))
    assert greys(followed) == [1, 2]


def test_a_segment_is_on_the_tiles_of_the_slide_that_is_cut_alike() -> None:
    """Its tiles say nothing, neither segment nor place: their order does."""
    square = np.zeros((ROWS, COLUMNS), np.bool_)
    square[10:20, 20:40] = True
    made = slide_segmentation({(2, 4): square, (1, 1): square})
    instance = ReferencedInstance("2.999.1.300.1", made.SOPClassUID, 1, SubsetKind.SEGMENTS, ("2",))
    said = reference(instance, series_instance_uid="2.999.1.300")
    picture = render(said, inputs([made, slide()]), Options(side=WIDTH))
    assert greys(picture) == [4]
    marks = drawn(picture)
    assert marks[10 * SCALE, 25 * SCALE]
    assert not marks[15 * SCALE, 30 * SCALE]
    other_space = slide()
    other_space.FrameOfReferenceUID = "2.999.1.98"
    on_black = render(said, inputs([made, other_space]), Options(side=WIDTH))
    assert on_black.lines == ["1 frame of the segmentation without an image among those given: on black"]


@pytest.mark.parametrize(
    ("points", "there"),
    [
        ([[0, 0]], True),
        ([[50, 40]], True),
        ([[51, 40]], False),
        ([[-10, 20], [60, 20]], True),
        ([[-10, 20], [-1, 20], [-1, 60], [60, 60]], False),
        ([[-10, 10], [10, -10]], True),
        ([[-10, 9], [9, -10]], False),
        ([[20, -5], [20, 45]], True),
    ],
)
def test_what_crosses_a_tile(points: list[list[int]], there: bool) -> None:
    outline = Outline(np.array(points, np.float64) + np.array([100, 200]))
    assert (on_tile(outline, (200, 100), (ROWS, COLUMNS)) is not None) is there
