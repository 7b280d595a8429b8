"""Whole pictures: what is on them is where the reference says, and what is not there is said."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from functools import partial
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from processors.assemble import assemble
from processors.core.events import Region, SubsetKind
from processors.core.reference import ReferencedInstance
from processors.errors import UsageError
from processors.fhir.reading import PublishedReference, read_reference
from processors.input_files import Input
from processors.render import Options, Rendered, render
from processors.render.drawing import COLOURS
from processors.settings import Settings
from tests.builders import phantom
from tests.builders.images import FRAME_OF_REFERENCE, encoded, ultrasound
from tests.builders.phantom import COLUMNS, NODULE_MM, NODULE_RADIUS_MM, ROWS, chest, pixel_of, pixels_of
from tests.builders.presentation_states import annotation, graphic, presentation_state
from tests.builders.segmentations import reference as reference_to

CT, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.481.3"
VOLUME = phantom.volume()
SIDE = 4 * COLUMNS
"""A frame's pixel is four on the picture."""


def inputs(datasets: Sequence[Dataset]) -> list[Input]:
    return [Input("file", 0, partial(encoded, dataset)) for dataset in datasets]


def reference(*instances: ReferencedInstance, **said: object) -> PublishedReference:
    whole = PublishedReference("id", "available", "2.999.1", "2.999.1.2", "", "", "", (), instances, ())
    return whole._replace(**said)  # type: ignore[arg-type]


def published(code: str, text: str, documents: Sequence[Dataset]) -> PublishedReference:
    """The reference of this code and text that the documents give with the volume."""
    out = io.StringIO()
    assemble(inputs([*VOLUME, *documents]), Settings(), out)
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    (one,) = [
        each
        for each in found
        if each["code"].get("coding", [{}])[0].get("code") == code and each["code"].get("text", "") == text
    ]
    return read_reference(one)


def drawn(rendered: Rendered, layer: int = 0) -> NDArray[np.bool_]:
    """Pixels that have the layer's colour, or nearly."""
    picture = np.asarray(Image.open(BytesIO(rendered.png)).convert("RGB")).astype(int)
    return np.asarray(np.abs(picture - COLOURS[layer]).max(axis=2) < 60)


def tile(marks: NDArray[np.bool_], row: int = 0, column: int = 0, rows: int = ROWS * 4) -> NDArray[np.bool_]:
    """Of a contact sheet: frames lie 4 pixels apart, with 18 more for the caption below."""
    top, left = row * (rows + 22), column * (SIDE + 4)
    return marks[top : top + rows, left : left + SIDE]


def alone(*regions: Region, image: Dataset | None = None) -> NDArray[np.bool_]:
    instance = ReferencedInstance("2.999.1.2.6", CT, regions_2d=regions)
    rendered = render(reference(instance), inputs([image or chest(6)]), Options(side=SIDE))
    return tile(drawn(rendered))


def test_a_circle_is_drawn_around_the_nodule_it_measures() -> None:
    """The region of a structured report, from its file to the picture."""
    found = published("111030", "", [phantom.measurement()])
    marks = tile(drawn(render(found, inputs(VOLUME), Options(side=SIDE))))
    rows, columns = np.nonzero(marks)
    center = 4 * np.array(pixel_of(*NODULE_MM[:2]))
    radii = np.hypot(columns + 0.5 - center[0], rows + 0.5 - center[1])
    assert len(radii) > 200
    assert radii == pytest.approx(np.full(len(radii), 4 * NODULE_RADIUS_MM / 2), abs=1.6)


def test_a_report_s_content_item_shows_what_it_is_about() -> None:
    found = published("111040", "", [phantom.measurement()])
    about = render(found, inputs([*VOLUME, phantom.measurement()]), Options(side=SIDE))
    region = render(published("111030", "", [phantom.measurement()]), inputs(VOLUME), Options(side=SIDE))
    assert (tile(drawn(about)) == tile(drawn(region))).all()


@pytest.mark.parametrize(
    ("region", "on", "off"),
    [
        (Region("point", (10.5, 20.5)), [(41, 81), (41, 85), (37, 81)], [(41, 95), (49, 89)]),
        (Region("polyline", (8, 4, 100, 4)), [(32, 15), (399, 16), (200, 16)], [(200, 21), (410, 16)]),
        (Region("polyline", (0, 0, 0, 120)), [(0, 200)], [(3, 200)]),
        (Region("polyline", (160, 0, 160, 120)), [(639, 200)], [(635, 200)]),
    ],
    ids=["the centre of a pixel", "a line", "the left edge", "the right edge"],
)
def test_coordinates_count_from_the_corner_of_the_first_pixel(
    region: Region, on: list[tuple[int, int]], off: list[tuple[int, int]]
) -> None:
    marks = alone(region)
    assert [at for at in on if not marks[at[1], at[0]]] == []
    assert [at for at in off if marks[at[1], at[0]]] == []


def test_pixels_that_are_not_square_are_shown_in_their_shape() -> None:
    image = chest(6)
    image.PixelSpacing = [4, 2]
    marks = tile(drawn(_shown_line(image)), rows=ROWS * 8)
    assert np.flatnonzero(marks[:, 300]) == pytest.approx([479, 480], abs=1)


def _shown_line(image: Dataset) -> Rendered:
    line = ReferencedInstance("2.999.1.2.6", CT, regions_2d=(Region("polyline", (10, 60, 100, 60)),))
    return render(reference(line), inputs([image]), Options(side=ROWS * 8))


def test_contours_lie_on_the_slices_they_were_drawn_on() -> None:
    found = published("130488", "GTV", [phantom.contours()])
    rendered = render(found, inputs(VOLUME), Options(side=SIDE))
    assert rendered.lines == [
        f"ROI 5, polygon {ordinal}: on image {ordinal + 3} of series 2, 0.00 mm from its plane"
        for ordinal in range(1, 6)
    ]
    middle = tile(drawn(rendered), 0, 2)
    rows, columns = np.nonzero(middle)
    center = 4 * np.array(pixel_of(*NODULE_MM[:2]))
    radii = np.hypot(columns + 0.5 - center[0], rows + 0.5 - center[1])
    assert radii == pytest.approx(np.full(len(radii), 44), abs=1.8)


def test_contours_that_the_reference_leaves_out_come_from_the_structure_set() -> None:
    roi = ReferencedInstance("2.999.1.500.1", RTSTRUCT, None, SubsetKind.ROIS, ("5",))
    said = reference(roi, series_instance_uid="2.999.1.500", frame_of_reference_uid=FRAME_OF_REFERENCE)
    rendered = render(said, inputs([*VOLUME, phantom.contours()]), Options(side=SIDE))
    full = render(published("130488", "GTV", [phantom.contours()]), inputs(VOLUME), Options(side=SIDE))
    assert rendered.png == full.png


def test_the_nearest_slice_and_its_distance_are_said() -> None:
    square = Region("polygon", (0, 0, 33, 20, 0, 33, 20, 20, 34, 0, 0, 33))
    said = reference(regions_3d=(square,), frame_of_reference_uid=FRAME_OF_REFERENCE)
    rendered = render(said, inputs(VOLUME), Options())
    assert rendered.lines == ["region, polygon 1: on image 4 of series 2, 4.00 mm from its plane"]
    assert drawn(rendered).any()


def test_a_region_in_space_on_an_image_is_drawn_on_the_nearest_of_its_series() -> None:
    square = Region("polygon", (0, 0, 33, 20, 0, 33, 20, 20, 34, 0, 0, 33))
    instance = ReferencedInstance("2.999.1.2.9", CT, regions_3d=(square,))
    said = reference(instance, frame_of_reference_uid=FRAME_OF_REFERENCE)
    rendered = render(said, inputs(VOLUME), Options())
    assert rendered.lines == ["region, polygon 1: on image 4 of series 2, 4.00 mm from its plane"]
    assert shape(rendered)[0] == 768


def test_images_of_another_frame_of_reference_are_never_taken() -> None:
    said = reference(regions_3d=(Region("point", (0, 0, 0)),), frame_of_reference_uid="2.999.7")
    with pytest.raises(UsageError, match="no image given lies in the frame of reference of 1 3D region"):
        render(said, inputs(VOLUME), Options())


def test_a_scout_is_no_slice() -> None:
    scout = chest(1)
    scout.SOPInstanceUID, scout.SeriesInstanceUID, scout.SeriesNumber = "2.999.1.1.1", "2.999.1.1", 1
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    said = reference(regions_3d=(Region("point", (0, 0, 0)),), frame_of_reference_uid=FRAME_OF_REFERENCE)
    assert "image 1 of series 2" in render(said, inputs([scout, *VOLUME]), Options()).lines[0]
    assert "image 1 of series 1" in render(said, inputs([scout]), Options()).lines[0]


@pytest.mark.parametrize(("text", "where", "slices"), [("Nodule", phantom.is_nodule, range(4, 9))])
def test_a_segment_is_outlined_on_its_source_images(
    text: str, where: phantom.Where, slices: Sequence[int]
) -> None:
    document = phantom.segmentation()
    found = published("121191", text, [document])
    rendered = render(found, inputs([*VOLUME, document]), Options(side=SIDE))
    marks = drawn(rendered)
    for at, number in enumerate(slices):
        inside = np.kron(pixels_of(where, number), np.ones((4, 4), bool))
        edge = np.zeros_like(inside)
        edge[1:] |= inside[1:] != inside[:-1]
        edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
        shown = tile(marks, at // 3, at % 3)
        assert shown[edge].all()
        assert shown.sum() < 3 * edge.sum()


def test_a_segmentation_without_its_images_is_shown_on_black() -> None:
    document = phantom.segmentation()
    rendered = render(published("121191", "Nodule", [document]), inputs([document]), Options(side=SIDE))
    assert rendered.lines == ["5 frames of the segmentation without an image among those given: on black"]
    assert drawn(rendered).sum() > 500


def test_all_segments_of_a_segmentation_have_their_colours() -> None:
    document = phantom.segmentation()
    whole = ReferencedInstance(document.SOPInstanceUID, document.SOPClassUID)
    said = reference(whole, series_instance_uid=document.SeriesInstanceUID)
    rendered = render(said, inputs([*VOLUME, document]), Options(side=SIDE, frames=1))
    assert drawn(rendered, 0).sum() > 500
    assert drawn(rendered, 1).sum() > 200
    assert rendered.lines == ["1 of 12 frames are on the picture: --frames shows more"]


def test_a_presentation_state_shows_its_annotations_on_their_images() -> None:
    images = [chest(5), chest(6)]
    state = presentation_state(
        images, [annotation([graphic("POLYLINE", (8, 4, 100, 4))], images[1:])], label="A"
    )
    said = reference(
        ReferencedInstance(state.SOPInstanceUID, state.SOPClassUID),
        series_instance_uid=state.SeriesInstanceUID,
    )
    marks = drawn(render(said, inputs([*images, state]), Options(side=SIDE)))
    assert not tile(marks, 0, 0).any()
    assert tile(marks, 0, 1)[16, 200]


def test_a_presentation_state_shows_its_images_with_its_window() -> None:
    """Soft tissue, 40 HU, is black below one window and white above the other; frames are told apart."""
    images = [chest(5), chest(6)]
    state = presentation_state(images)
    for image in images:
        image.RescaleIntercept = -1024  # the builder of states takes it away
    above, below = Dataset(), Dataset()
    above.WindowCenter, above.WindowWidth = 500, 10
    above.ReferencedImageSequence = [reference_to(images[0])]
    below.WindowCenter, below.WindowWidth = -500, 10
    below.ReferencedImageSequence = [reference_to(images[1])]
    state.SoftcopyVOILUTSequence = [above, below]
    said = reference(
        ReferencedInstance(state.SOPInstanceUID, state.SOPClassUID), series_instance_uid="2.999.1.400"
    )
    rendered = render(said, inputs([*images, state]), Options(side=SIDE))
    picture = np.asarray(Image.open(BytesIO(rendered.png)))
    middle = (ROWS * 2, COLUMNS * 2)
    assert picture[middle].tolist() == [0, 0, 0]
    assert picture[middle[0], middle[1] + SIDE + 4].tolist() == [255, 255, 255]


def shape(rendered: Rendered) -> tuple[int, int]:
    return Image.open(BytesIO(rendered.png)).size


def test_key_images_are_a_contact_sheet_of_bounded_size() -> None:
    found = published("113000", "", [phantom.selection()])
    rendered = render(found, inputs(VOLUME), Options(side=SIDE))
    assert shape(rendered) == (2 * SIDE + 4, 2 * (ROWS * 4 + 22) - 4)
    series = reference(series_instance_uid="2.999.1.2")
    rendered = render(series, inputs(VOLUME), Options(side=SIDE, frames=4))
    assert rendered.lines == ["4 of 12 frames are on the picture: --frames shows more"]
    assert shape(rendered)[0] == 2 * SIDE + 4


def film() -> Dataset:
    """Ten frames, each brighter than the one before."""
    image = ultrasound()
    image.Rows = image.Columns = 8
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation = 7, 0
    image.WindowCenter, image.WindowWidth = 128, 256
    image.PixelData = b"".join(bytes([20 * number]) * 64 for number in range(1, 11))
    return image


def test_the_frames_that_are_named_are_shown_and_regions_on_each() -> None:
    line = Region("polyline", (0, 6, 8, 6))
    frames = ReferencedInstance("2.999.1.5.1", "", 1, SubsetKind.FRAMES, ("3", "7", "11"), (line,))
    said = reference(frames, series_instance_uid="2.999.1.5")
    rendered = render(said, inputs([film()]), Options(side=64))
    picture = np.asarray(Image.open(BytesIO(rendered.png)))
    assert (picture[10, 10].tolist(), picture[10, 78].tolist()) == ([60] * 3, [140] * 3)
    marks = drawn(rendered)
    assert marks[48, 30]
    assert marks[48, 100]
    assert rendered.lines == ["a frame number is beyond the image's 10 frames: not shown"]


def test_what_is_missing_is_named_in_one_line() -> None:
    found = published("113000", "", [phantom.selection()])
    rendered = render(found, inputs(VOLUME[:5]), Options())
    assert rendered.lines == ["not among the images given: 2.999.1.2.6, 2.999.1.2.7"]
    with pytest.raises(UsageError, match=r"nothing .*not among the images given: 2\.999\.1\.2\.5"):
        render(found, inputs(VOLUME[:4]), Options())


def test_the_whole_path_decides_which_image_is_meant() -> None:
    elsewhere = chest(6)
    elsewhere.SeriesInstanceUID = "2.999.1.77"
    with pytest.raises(UsageError, match="not among"):
        render(reference(ReferencedInstance("2.999.1.2.6", CT)), inputs([elsewhere]), Options())


def test_an_image_that_cannot_be_decoded_is_a_black_frame_and_a_line() -> None:
    broken = chest(7)
    broken.PixelData = b"\0\0"
    said = reference(*(ReferencedInstance(f"2.999.1.2.{number}", CT) for number in (6, 7)))
    rendered = render(said, inputs([chest(6), broken]), Options(side=SIDE))
    assert rendered.lines == ["image 7 of series 2: the pixel data cannot be decoded (ValueError)"]
    picture = np.asarray(Image.open(BytesIO(rendered.png)))
    assert not picture[: ROWS * 4, SIDE + 4 :].any()


def test_a_picture_names_nobody() -> None:
    rendered = render(reference(ReferencedInstance("2.999.1.2.6", CT)), inputs([chest(6)]), Options())
    assert Image.open(BytesIO(rendered.png)).info == {}
    assert b"Jane" not in rendered.png


def test_files_that_are_no_objects_are_counted() -> None:
    files = [*inputs([chest(6)]), Input("notes.txt", 2, lambda: b"hi")]
    rendered = render(reference(ReferencedInstance("2.999.1.2.6", CT)), files, Options())
    assert rendered.lines == ["1 of 2 files cannot be read as DICOM objects: left out"]
