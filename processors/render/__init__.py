"""Pictures of references: the frames with what is meant drawn on them.

Rules of this room: needs the extra `render` (numpy, Pillow and decoders); only the command imports it. In
reading order: `given` holds the person's files, `panels` what will be shown, `geometry` and `masks` are the
arithmetic of space, `planning` and `placing` turn a reference into panels, `drawing` makes the PNG.
This file is the door.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors.core.vocabulary import SEGMENTATIONS
from processors.dicom.pixels import Picture, PixelsUnreadable, Window
from processors.errors import UsageError
from processors.fhir.reading import PublishedReference
from processors.input_files import Input
from processors.render.drawing import Shown, sheet
from processors.render.given import Given, GivenObjects
from processors.render.panels import Panel, Plan
from processors.render.placing import described
from processors.render.planning import Planner

__all__ = ["Options", "Rendered", "Window", "render"]

SINGLE_SIDE, SHEET_SIDE = 768, 320
"""Longest side of a frame alone and among others, in pixels."""
_NAMED = 5
"""Missing instances that are named."""


class Options(NamedTuple):
    frames: int = 16
    """At most so many on the picture."""
    side: int | None = None
    """Longest side of a frame in pixels; None: 768 for one, 320 for several."""
    window: Window | None = None
    """Instead of what the images say."""


class Rendered(NamedTuple):
    png: bytes
    lines: list[str]
    """What there is to say: slices and distances, what is missing or left out."""


def render(reference: PublishedReference, inputs: Sequence[Input], options: Options) -> Rendered:
    """A picture of the reference from the objects among `inputs`.

    Raises UsageError if none of what it points at is there, or nothing of it can be shown.
    """
    given = GivenObjects(inputs)
    plan = Planner(reference, given, options.frames).plan()
    lines = [*dict.fromkeys(plan.notes), *_missing(plan)]
    if given.unreadable:
        lines.append(f"{given.unreadable} of {len(inputs)} files cannot be read as DICOM objects: left out")
    panels = plan.chosen(options.frames)
    if not panels:
        raise UsageError("; ".join(["nothing of the reference can be shown", *lines]))
    if len(panels) < len(plan.panels):
        lines.append(f"{len(panels)} of {len(plan.panels)} frames are on the picture: --frames shows more")
    shown, problems = _shown(panels, options.window)
    lines += problems
    if all(each.pixels is None and not each.panel.marked for each in shown):
        raise UsageError("; ".join(["nothing of the reference can be shown", *lines]))
    side = options.side or (SINGLE_SIDE if len(shown) == 1 else SHEET_SIDE)
    legend = plan.layers if len(plan.layers) > 1 or plan.layers not in ([], ["region"]) else []
    return Rendered(sheet(shown, legend, _footer(reference, plan, len(panels)), side), lines)


def _missing(plan: Plan) -> list[str]:
    missing = list(dict.fromkeys(plan.missing))
    if not missing:
        return []
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return [f"not among the images given: {', '.join(missing[:_NAMED])}{more}"]


def _footer(reference: PublishedReference, plan: Plan, shown: int) -> str:
    """What someone who only sees the picture would get wrong without."""
    parts = []
    if reference.status not in ("available", ""):
        parts.append(reference.status)
    if shown < len(plan.panels):
        parts.append(f"{shown} of {len(plan.panels)} frames")
    if plan.missing:
        parts.append(f"{len(set(plan.missing))} instances not given")
    return "; ".join(parts)


def _shown(panels: Sequence[Panel], window: Window | None) -> tuple[list[Shown], list[str]]:
    """Frames decoded, each object read once; panels of one object lie together."""
    shown: list[Shown] = []
    problems: dict[str, None] = {}
    of: Given | None = None
    picture: Picture | None = None
    for panel in panels:
        caption = _caption(panel)
        pixels: NDArray[np.uint8] | None = None
        try:
            if panel.given.frames.sop_class_uid not in SEGMENTATIONS:
                if panel.given is not of or picture is None:
                    of, picture = panel.given, Picture(panel.given.read())
                pixels = picture.shown(panel.frame, window or panel.window)
        except PixelsUnreadable as problem:
            problems[f"{described(panel.given, panel.frame)}: {problem}"] = None
            caption = f"{caption}: no pixels"
        shown.append(Shown(panel, pixels, caption))
    return shown, list(problems)


def _caption(panel: Panel) -> str:
    frames = panel.given.frames
    parts = [f"image {frames.number}" if frames.number is not None else "image"]
    if len(frames.planes) > 1:
        parts.append(f"frame {panel.frame}")
    if panel.off_mm is not None:
        parts.append(f"{panel.off_mm:.1f} mm from plane")
    return ", ".join(parts)
