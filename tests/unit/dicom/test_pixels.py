"""From stored values to what is seen: window, tables, polarity, colour, signs, compressed data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from processors.dicom.pixels import Picture, PixelsUnreadable, Window
from tests.builders.images import ct, encoded

VALUES = (0, 100, 200, 300, 400, 500)


def image(stored: Sequence[int] = VALUES, dtype: str = "<u2", **attributes: object) -> Dataset:
    """One row of 16-bit pixels."""
    header = ct(1)
    header.Rows, header.Columns = 1, len(stored)
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit, header.PixelRepresentation = 15, int(dtype == "<i2")
    header.PixelData = np.array(stored, dtype).tobytes()
    for keyword, value in attributes.items():
        setattr(header, keyword, value)
    return header


def shown(header: Dataset, window: Window | None = None) -> list[int]:
    return [int(grey) for grey in Picture(encoded(header)).shown(1, window)[0]]


def table(first: int, entries: Sequence[int], bits: int = 16) -> list[Dataset]:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item.add_new("LUTData", "OW", np.array(entries, "<u2").tobytes())
    return [item]


WINDOW: dict[str, Any] = {"WindowCenter": 200.5, "WindowWidth": 201}


@pytest.mark.parametrize(
    ("header", "seen"),
    [
        (image(), [0, 51, 102, 153, 204, 255]),
        (image(**WINDOW), [0, 0, 128, 255, 255, 255]),
        (image(**WINDOW, PhotometricInterpretation="MONOCHROME1"), [255, 255, 128, 0, 0, 0]),
        (
            image(**WINDOW, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"),
            [255, 255, 128, 0, 0, 0],
        ),
        (image(RescaleSlope=2, RescaleIntercept=-100, **WINDOW), [0, 0, 255, 255, 255, 255]),
        (image((-200, -100, 0, 100), "<i2"), [0, 85, 170, 255]),
        (image((-1000, 0, 100), "<i2", PixelPaddingValue=-1000), [0, 0, 255]),
        (
            image(WindowCenter=200, WindowWidth=400, VOILUTFunction="LINEAR_EXACT"),
            [0, 64, 128, 191, 255, 255],
        ),
        (image(WindowCenter=250, WindowWidth=100, VOILUTFunction="SIGMOID"), [0, 1, 30, 225, 254, 255]),
        (image(WindowCenter=200, WindowWidth=0), [0, 51, 102, 153, 204, 255]),
        (image((7, 7, 7)), [128, 128, 128]),
        (image(VOILUTSequence=table(200, [0, 65535])), [0, 0, 0, 255, 255, 255]),
        (image((0, 1, 2, 3, 600), VOILUTSequence=table(1, [10, 200, 255], 8)), [10, 10, 200, 255, 255]),
        (
            image(
                (0, 1, 2),
                RescaleSlope=1,
                RescaleIntercept=-1,
                VOILUTSequence=table(65535, [0, 0x8000, 0xFFFF]),
            ),
            [0, 128, 255],
        ),
        (image((0, 1, 2, 9), ModalityLUTSequence=table(0, [0, 300, 600])), [0, 128, 255, 255]),
    ],
    ids=[
        "no window: the values' range",
        "window",
        "MONOCHROME1",
        "MONOCHROME1 is not inverted twice",
        "rescaled",
        "signed",
        "padding is black and out of the range",
        "LINEAR_EXACT",
        "SIGMOID",
        "a window of no width",
        "one value",
        "VOI LUT",
        "VOI LUT of 8 bits does not wrap around",
        "VOI LUT whose first value is negative",
        "modality LUT",
    ],
)
def test_the_grey_that_is_seen(header: Dataset, seen: list[int]) -> None:
    assert shown(header) == pytest.approx(seen, abs=1)


def test_a_window_that_is_asked_for_wins_over_the_image_s() -> None:
    header = image(**WINDOW, VOILUTSequence=table(0, [65535, 0]))
    assert shown(header, Window(50.5, 101)) == [0, 255, 255, 255, 255, 255]


def test_a_frame_s_own_window_and_rescaling_win() -> None:
    header = image((0, 100, 0, 100), NumberOfFrames=2, Columns=2, WindowCenter=9000, WindowWidth=2)
    header.PerFrameFunctionalGroupsSequence = [Dataset(), Dataset()]
    for groups, slope in zip(header.PerFrameFunctionalGroupsSequence, (1, 2), strict=True):
        window, rescaled = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = 100.5, 201
        rescaled.RescaleSlope, rescaled.RescaleIntercept = slope, 0
        groups.FrameVOILUTSequence, groups.PixelValueTransformationSequence = [window], [rescaled]
    picture = Picture(encoded(header))
    assert [picture.shown(frame)[0].tolist() for frame in (1, 2)] == [[0, 128], [0, 255]]


def test_a_palette_gives_its_colours() -> None:
    header = image((0, 1, 2), PhotometricInterpretation="PALETTE COLOR")
    for colour, entries in (("Red", (0, 255, 9)), ("Green", (1, 0, 9)), ("Blue", (2, 0, 9))):
        setattr(header, f"{colour}PaletteColorLookupTableDescriptor", [3, 0, 16])
        data = np.array(entries, "<u2") * 256
        setattr(header, f"{colour}PaletteColorLookupTableData", data.tobytes())
    assert Picture(encoded(header)).shown(1).tolist() == [[[0, 1, 2], [255, 0, 0], [9, 9, 9]]]


STRIPES = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_rle_16bit.dcm",
        "SC_rgb_dcmtk_+eb+cy+np.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "SC_rgb_gdcm_KY.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
    ],
)
def test_colour_is_rgb_whatever_it_was_stored_as(name: str) -> None:
    """The test card of pydicom: rows of pure colours, stored as RGB, YBR, JPEG, JPEG 2000, RLE."""
    pixels = Picture(Path(str(get_testdata_file(name))).read_bytes()).shown(1)
    assert pixels.shape == (100, 100, 3)
    rows = pixels[[5, 25, 45, 95], 50].astype(int)
    assert np.abs(rows - np.array(STRIPES)).max() < 12


@pytest.mark.parametrize(
    "name", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"]
)
def test_compressed_without_loss_looks_as_it_was(name: str) -> None:
    plain, packed = (
        Picture(Path(str(get_testdata_file(each))).read_bytes()).shown(1) for each in ("MR_small.dcm", name)
    )
    assert (plain == packed).all()
    assert plain.std() > 10


def test_a_deflated_object_is_read() -> None:
    assert Picture(encoded(image(), DeflatedExplicitVRLittleEndian)).shown(1).max() == 255


@pytest.mark.parametrize(
    ("data", "frame", "why"),
    [
        (encoded(ct(1)), 1, "no pixel data"),
        (encoded(image()), 2, "cannot be decoded"),
        (encoded(image(PixelData=b"\0\0")), 1, "cannot be decoded"),
        (encoded(image(Rows=60000, Columns=60000)), 1, "larger than can be shown"),
        (b"", 1, "no pixel data"),
    ],
)
def test_what_cannot_be_shown_says_why(data: bytes, frame: int, why: str) -> None:
    with pytest.raises(PixelsUnreadable, match=why):
        Picture(data).shown(frame)
