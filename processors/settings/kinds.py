"""Kinds of values that settings have.

Rules of this file: types alone; a setting is in `sections` or `neighbours`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0, le=315_360_000)]
"""Up to ten years: longer is a slip of the unit, and an infinite clock cannot be stored."""
Text = Annotated[str, Meta(min_length=1)]
KafkaValue = str | bool | int | float


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file."""
