"""What is shown: frames with what is drawn on them, and what there is to say about it.

Rules of this file: the values that pass from planning to drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from processors.dicom.pixels import Window
from processors.render.geometry import Outline
from processors.render.given import Given, order
from processors.render.masks import PlacedFrame

T = TypeVar("T")


@dataclass(slots=True)
class Panel:
    """One frame."""

    given: Given
    frame: int
    """From 1."""
    outlines: list[tuple[int, Outline]] = field(default_factory=list)
    """With the number of their layer, which is their colour."""
    segments: dict[int, list[PlacedFrame]] = field(default_factory=dict)
    """By layer."""
    window: Window | None = None
    """What a presentation state shows it with."""
    off_mm: float | None = None
    """Farthest distance of a 3D region from the frame's plane."""

    @property
    def marked(self) -> bool:
        return bool(self.outlines or self.segments)


@dataclass(slots=True)
class Plan:
    """All frames of a reference, and what is missing of it."""

    panels: dict[tuple[int, int], Panel] = field(default_factory=dict)
    layers: list[str] = field(default_factory=list)
    """What each colour means: kinds and numbers, no texts of the reference."""
    notes: list[str] = field(default_factory=list)
    """Lines for the person."""
    missing: list[str] = field(default_factory=list)
    """SOP Instance UIDs that are not among the given objects."""

    def panel(self, given: Given, frame: int) -> Panel:
        return self.panels.setdefault((id(given), frame), Panel(given, frame))

    def layer(self, label: str) -> int:
        """Number of the layer with this label, made if there is none."""
        if label not in self.layers:
            self.layers.append(label)
        return self.layers.index(label)

    def chosen(self, limit: int) -> list[Panel]:
        """At most `limit` panels in order, spread over all; those with something drawn on them first."""
        panels = sorted(self.panels.values(), key=lambda panel: (order(panel.given), panel.frame))
        marked = [at for at, panel in enumerate(panels) if panel.marked]
        plain = [at for at, panel in enumerate(panels) if not panel.marked]
        first = spread(marked, limit)
        return [panels[at] for at in sorted([*first, *spread(plain, limit - len(first))])]


def spread(members: Sequence[T], limit: int) -> list[T]:
    """At most `limit` members, evenly over the whole; of one the middle one."""
    if len(members) <= limit:
        return list(members)
    return [members[(2 * at + 1) * len(members) // (2 * limit)] for at in range(limit)]
