"""Panels to one PNG.

Rules of this file: the only import of Pillow. Colours, lines, captions and layout; captions hold numbers
only, for a picture is sent on more easily than the study it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from processors.dicom.frames import Frames
from processors.render.geometry import Points
from processors.render.masks import Mask, border, mask_on
from processors.render.panels import Panel

Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = (
    (255, 220, 0),
    (0, 190, 255),
    (255, 110, 60),
    (0, 210, 130),
    (240, 120, 220),
    (150, 170, 255),
    (200, 255, 120),
    (255, 180, 140),
)
"""Of layers in turn; bright on grey, and told apart by most colour-blind eyes by their lightness."""

_SMOOTH = 4
"""Lines are drawn so many times larger, then shrunk: Pillow itself draws steps."""
_LINE = 2
_CROSS = 7
"""Arm of a point's cross, in pixels of the picture."""
_GAP = 4
_CAPTION = 18
_FONT = 13
_LEGEND = 12
"""Layers that the legend names."""


class Shown(NamedTuple):
    """A panel with its frame's pixels; None where they cannot be decoded or there are none: black."""

    panel: Panel
    pixels: NDArray[np.uint8] | None
    caption: str


def sheet(shown: Sequence[Shown], layers: Sequence[str], footer: str, side: int) -> bytes:
    """A PNG of all, row by row; `side` is the longest side of a frame, in pixels."""
    tiles = [_tile(each, side) for each in shown]
    columns = _columns(len(tiles))
    width = max(tile.width for tile in tiles)
    height = max(tile.height for tile in tiles)
    font = ImageFont.load_default(_FONT)
    rows = -(-len(tiles) // columns)
    legend = list(enumerate(layers[:_LEGEND])) if layers else []
    lines = bool(legend) + bool(footer)
    size = (columns * (width + _GAP) - _GAP, rows * (height + _CAPTION + _GAP) - _GAP + lines * _CAPTION)
    picture = Image.new("RGB", size)
    pen = ImageDraw.Draw(picture)
    for at, (tile, each) in enumerate(zip(tiles, shown, strict=True)):
        left, top = at % columns * (width + _GAP), at // columns * (height + _CAPTION + _GAP)
        picture.paste(tile, (left + (width - tile.width) // 2, top + (height - tile.height) // 2))
        pen.text((left + 3, top + height + 2), each.caption, (200, 200, 200), font)
    left, top = 3, size[1] - lines * _CAPTION + 2
    for layer, label in legend:
        pen.rectangle((left, top + 3, left + 9, top + 12), COLOURS[layer % len(COLOURS)])
        pen.text((left + 14, top), label, (200, 200, 200), font)
        left += 30 + int(pen.textlength(label, font))
    if footer:
        pen.text((3, size[1] - _CAPTION + 2), footer, (255, 200, 120), font)
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def drawn_size(frames: Frames, side: int) -> tuple[int, int]:
    """Rows and columns of a frame on the picture: its longest side is `side`, its pixels have their shape."""
    height, width = frames.rows * frames.pixel_height, float(frames.columns)
    scale = side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _columns(count: int) -> int:
    """As wide as high, or one column more."""
    return int(np.ceil(np.sqrt(count)))


def _tile(shown: Shown, side: int) -> Image.Image:
    panel, frames = shown.panel, shown.panel.given.frames
    rows, columns = drawn = drawn_size(frames, side)
    if shown.pixels is None:
        tile = Image.new("RGB", (columns, rows))
    else:
        image = Image.fromarray(shown.pixels).convert("RGB")
        tile = image.resize((columns, rows), Image.Resampling.BILINEAR)
    for layer, placed in sorted(panel.segments.items()):
        mask = mask_on(placed, (frames.rows, frames.columns), drawn)
        _paint(tile, border(mask, 1), COLOURS[layer % len(COLOURS)])
    scale = np.array([columns / frames.columns, rows / frames.rows])
    for layer in sorted({layer for layer, _ in panel.outlines}):
        lines = [outline.points * scale for each, outline in panel.outlines if each == layer]
        _stroke(tile, lines, COLOURS[layer % len(COLOURS)])
    return tile


def _paint(tile: Image.Image, mask: Mask, colour: Colour) -> None:
    tile.paste(colour, (0, 0), Image.fromarray(mask.astype(np.uint8) * 255))


def _stroke(tile: Image.Image, lines: Sequence[Points], colour: Colour) -> None:
    """Lines and crosses in the tile's continuous coordinates, over a dark edge that shows on any ground."""
    for width, ink, strength in ((_LINE + 2, (0, 0, 0), 0.6), (_LINE, colour, 1.0)):
        mask = Image.new("L", (tile.width * _SMOOTH, tile.height * _SMOOTH))
        pen = ImageDraw.Draw(mask)
        for line in lines:
            for part in _strokes(line):
                _draw(pen, part, width)
        mask = mask.reduce(_SMOOTH)
        tile.paste(ink, (0, 0), mask.point(lambda value, strength=strength: int(value * strength)))


def _strokes(line: Points) -> list[Points]:
    if len(line) > 1:
        return [line]
    arms = np.array([[_CROSS, 0], [0, _CROSS]], np.float64)
    return [np.vstack((line[0] - arm, line[0] + arm)) for arm in arms]


def _draw(pen: ImageDraw.ImageDraw, line: Points, width: int) -> None:
    """Pillow's pixel n has its middle at n, ours at n + 0.5. Far ends are cut: its numbers have 32 bits."""
    corners = [(float(x), float(y)) for x, y in np.clip(line * _SMOOTH - 0.5, -1e6, 1e6)]
    pen.line(corners, 255, width * _SMOOTH, joint="curve")
