"""What every reader of this room shares: one object's data set and what was found wrong with it.

Rules of this file: the value that is passed from reader to reader and the site's limits; no parsing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import tzinfo

from processors.core.events import Concept
from processors.dicom.data_set import DataSet
from processors.dicom.time_budget import TimeBudget
from processors.errors import WarningCode

MAX_DEPTH = 64
"""Levels of nested sequences. Real reports stay under about 20; pydicom takes some five Python frames a
level, so twice as many would come near the interpreter's recursion limit of 1000."""

MAX_OBJECT_BYTES = 1 << 30
"""Size of an object as it comes. Kafka's records are far smaller; `assemble` meets whole-slide files."""

MAX_INFLATED_BYTES = 1 << 28
"""Size of a deflated data set once inflated: deflate reaches 1000:1, so a 15 MiB record could ask for 15
GB.
"""

MAX_ELEMENTS = 1_000_000
"""Elements and items in a header, which bounds its memory. A multi-frame image of thousands of frames has
some hundred thousand; 16 MiB could hold two million empty ones."""


TIME_BUDGET_S = 10.0
"""CPU time of one object, see `documents.time_budget_s`."""

MAX_CONTOURS = 200
"""Contours of one ROI that are published; of one with more, its number alone says what is meant. An organ has
one or two a slice: fewer would drop common ones. At 500 points each, 200 are 3 MiB of JSON; several times as
many would reach the 15 MiB beyond which nothing of the ROI is published."""


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """What a site decides about reading objects."""

    site_zone: tzinfo | None = None
    """Zone of DICOM times without (0008,0201); None: such times give no instant."""
    withhold_unfinished: bool = False
    """True: PARTIAL and PRELIMINARY reports refer to nothing and replace nothing (`reports.unfinished`)."""
    volumes: bool = False
    """True: of each image, which volume of its series it belongs to (`fhir.volumes_by`)."""
    max_depth: int = MAX_DEPTH
    max_object_bytes: int = MAX_OBJECT_BYTES
    max_inflated_bytes: int = MAX_INFLATED_BYTES
    max_elements: int = MAX_ELEMENTS
    time_budget_s: float = TIME_BUDGET_S
    max_contours: int = MAX_CONTOURS


DEFAULT_POLICY = ReadingPolicy()


@dataclass(slots=True)
class Reading:
    """One object as far as it could be read. Readers add to `warnings` and never take from it."""

    dataset: DataSet
    warnings: list[str] = field(default_factory=list)
    meta_class_uid: str = ""
    """Media Storage SOP Class UID (0002,0002), or empty."""
    budget: TimeBudget = field(default_factory=TimeBudget)
    concepts: dict[DataSet | tuple[bytes, int, int], Concept] = field(default_factory=dict)
    """Codes of this object that were read already, by item and by what it says, see `codes`."""

    def quiet(self) -> Reading:
        """The same object, for what is looked at and never published: its warnings are nobody's."""
        return Reading(self.dataset, budget=self.budget, concepts=self.concepts)

    def warn(self, code: WarningCode) -> None:
        """Add `code`, once for each occurrence."""
        self.warnings.append(code)

    def warn_once(self, code: WarningCode) -> None:
        """Add `code` unless this object has it already."""
        if code not in self.warnings:
            self.warnings.append(code)
