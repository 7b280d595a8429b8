"""Stored pixels to what a person sees: 8-bit grey or RGB, by the standard's own pipeline.

Rules of this file: decoding and the transformations of PS3.4 N.2 (modality LUT, VOI LUT or window, polarity,
palette, YBR), a frame at a time; pydicom and its plugins do the work. Needs the extra `render`: nothing else
of this room imports it.
"""

from __future__ import annotations

import warnings as python_warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.multival import MultiValue
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing, pixel_array
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from processors.errors import ImagingReferenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Stored = Any
"""Pixels of one frame, shape (rows, columns[, samples]), of any numeric type."""

MAX_PIXELS = 1 << 28
"""Pixels of one frame that are decoded; a whole-slide tile has 2¹⁸, a mammogram 2²⁵."""

SHOWN_PIXELS = 4096
"""Longest side that goes through the pipeline; of a larger frame every n-th pixel does."""


class Window(NamedTuple):
    """In units after the modality LUT, as HU (PS3.3 C.11.2.1.2)."""

    center: float
    width: float


class PixelsUnreadable(ImagingReferenceError):
    """The object has no pixels, or they cannot be decoded; says why, without values."""


class Picture:
    """One object whose frames can be shown."""

    def __init__(self, data: bytes) -> None:
        """Raises PixelsUnreadable if `data` cannot be parsed."""
        with _refusing("the object cannot be parsed"):
            self._dataset = dcmread(BytesIO(data), force=True)
            _say_transfer_syntax(self._dataset)

    def shown(self, frame: int, window: Window | None = None) -> NDArray[np.uint8]:
        """Frame `frame`, from 1, as displayed: shape (rows, columns) or (rows, columns, 3).

        `window` replaces what the object says; an object that says nothing is shown from its least to its
        greatest value. Raises PixelsUnreadable.
        """
        stored = _thinned(self.stored(frame))
        with _refusing("the pixels cannot be displayed"):
            if stored.ndim == 3:
                return _eight_bits(stored[..., :3], int(self._dataset.BitsStored))
            look = _look(self._dataset, frame)
            if look.PhotometricInterpretation == "PALETTE COLOR":
                return _coloured(stored, look)
            return _grey(stored, look, window)

    def stored(self, frame: int) -> Stored:
        """Values of frame `frame`, from 1, decoded: indices, densities or RGB. Raises PixelsUnreadable."""
        dataset = self._dataset
        if int(dataset.get("Rows") or 0) * int(dataset.get("Columns") or 0) > MAX_PIXELS:
            raise PixelsUnreadable("the frame is larger than can be shown")
        if not any(keyword in dataset for keyword in _PIXELS):
            raise PixelsUnreadable("the object has no pixel data")
        if dataset.file_meta.TransferSyntaxUID.is_private:
            raise PixelsUnreadable("the transfer syntax is a private one")
        with _refusing("the pixel data cannot be decoded"):
            return pixel_array(dataset, index=frame - 1)

    def value(self, keyword: str, default: float) -> float:
        """A number of the header, or `default`."""
        try:
            return float(self._dataset.get(keyword) or default)
        except (TypeError, ValueError):
            return default


_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_RESCALE = ("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence")
_VOI = ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence")
_GROUPS = {"PixelValueTransformationSequence": _RESCALE, "FrameVOILUTSequence": _VOI}
"""Functional groups that hold per frame what a single-frame image has at its top (PS3.3 C.7.6.16.2)."""


@contextmanager
def _refusing(problem: str) -> Iterator[None]:
    """pydicom and its plugins raise and warn as the bytes provoke; their texts may quote values."""
    try:
        with python_warnings.catch_warnings():
            python_warnings.simplefilter("ignore")
            yield
    except MemoryError:
        raise PixelsUnreadable(f"{problem}: it does not fit into memory") from None
    except Exception as error:  # noqa: BLE001
        raise PixelsUnreadable(f"{problem} ({type(error).__name__})") from None


def _say_transfer_syntax(dataset: Dataset) -> None:
    """Objects without file meta information are in one of the three plain encodings (PS3.5 10)."""
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        plain = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else plain


def _thinned(stored: Stored) -> Stored:
    step = -(-max(stored.shape[:2]) // SHOWN_PIXELS)
    return stored[::step, ::step]


def _look(dataset: Dataset, frame: int) -> Dataset:
    """The header with what the frame's functional groups say of its appearance."""
    look = dataset.group_dataset(0x0028)
    look.file_meta = dataset.file_meta
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    each = dataset.get("PerFrameFunctionalGroupsSequence") or []
    for groups in (shared[0], *each[frame - 1 : frame]):
        for sequence, keywords in _GROUPS.items():
            for item in groups.get(sequence) or []:
                for keyword in filter(item.__contains__, keywords):
                    look.add(item[keyword])
    return look


def _eight_bits(colour: Stored, bits: int) -> NDArray[np.uint8]:
    return np.asarray(colour >> max(bits - 8, 0)).astype(np.uint8)


def _coloured(stored: Stored, look: Dataset) -> NDArray[np.uint8]:
    rgb = apply_color_lut(stored, look)[..., :3]
    # 8-bit entries in 16-bit words are common, whatever the descriptor says (PS3.3 C.7.6.3.1.5)
    return _eight_bits(rgb, 16 if rgb.max() > 255 else 8)


def _grey(stored: Stored, look: Dataset, window: Window | None) -> NDArray[np.uint8]:
    """PS3.4 N.2.1 up to P-values, which are taken for 8-bit grey as a screen shows it."""
    padding = _padding(stored, look)
    values = apply_modality_lut(_within(stored, look.get("ModalityLUTSequence")), look)
    tables = look.get("VOILUTSequence")
    if tables and not window:
        entries = apply_voi(_within(np.rint(values), tables), look)
        grey = entries * (255 / (2 ** int(tables[0].LUTDescriptor[2]) - 1))
    else:
        grey = _windowed(values, look, window, padding)
    if look.PhotometricInterpretation == "MONOCHROME1":  # Presentation LUT Shape INVERSE only repeats it
        grey = 255 - grey
    grey[padding] = 0
    return np.asarray(np.clip(np.rint(np.nan_to_num(grey)), 0, 255)).astype(np.uint8)


def _padding(stored: Stored, look: Dataset) -> NDArray[np.bool_]:
    """Where there is no image: Pixel Padding Value, or the range to its limit (PS3.3 C.7.5.1.1.2)."""
    low = look.get("PixelPaddingValue")
    if low is None:
        return np.zeros(stored.shape, np.bool_)
    high = look.get("PixelPaddingRangeLimit")
    low, high = sorted((int(low), int(low if high is None else high)))
    return np.asarray((stored >= low) & (stored <= high))


def _within(values: Stored, tables: Sequence[Dataset] | None) -> Stored:
    """Values inside the domain of a lookup table, where pydicom's table entries do not wrap around.

    A first value mapped beyond 32767 is a negative one when there are negative values (PS3.3 C.11.2.1.1).
    """
    if not tables:
        return values
    entries, first, _ = map(int, tables[0].LUTDescriptor)
    if first > 0x7FFF and values.min() < 0:
        first -= 0x10000
        tables[0].LUTDescriptor[1] = first
    return np.clip(values.astype(np.int64), first, first + (entries or 0x10000) - 1)


def _windowed(
    values: Stored, look: Dataset, window: Window | None, padding: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """0 to 255 by the window, the first of several; without a usable one by the range of the values.

    pydicom spreads a window over the range of the stored values: said to have 8 bits, it gives 0 to 255.
    """
    function = "LINEAR" if window else str(look.get("VOILUTFunction") or "LINEAR").upper()
    said = window or _said_window(look)
    if said is None or said.width < (1 if function == "LINEAR" else 1e-9):
        inside = values[~padding & np.isfinite(values)]
        low, high = (float(inside.min()), float(inside.max())) if inside.size else (0.0, 1.0)
        function, said = "LINEAR_EXACT", Window((low + high) / 2, max(high - low, 1e-9))
    screen = Dataset()
    screen.PhotometricInterpretation, screen.BitsStored, screen.PixelRepresentation = "MONOCHROME2", 8, 0
    screen.VOILUTFunction = function
    for keyword, number in (("WindowCenter", said.center), ("WindowWidth", said.width)):
        screen.add_new(keyword, "FD", number)
    return np.asarray(apply_windowing(values, screen), np.float64)


def _said_window(look: Dataset) -> Window | None:
    firsts = []
    for keyword in ("WindowCenter", "WindowWidth"):
        said = look.get(keyword)
        if said is None or said == "":
            return None
        firsts.append(float(said[0] if isinstance(said, MultiValue) else said))
    return Window(*firsts)
