"""Items of one measurement group that mean something for each other (PS3.16 TID 1410, 1411).

Rules of this file: a segment and the images it was drawn on; a structure set and the number of the ROI. Each
item is seen once and remembered under its parent; the answers hold when all have been seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from processors.core.events import Focus, FocusKind, GroupKind, ReportedItem, SubsetKind
from processors.core.vocabulary import DCM, STRUCTURE_SETS
from processors.dicom.content_tree import ContentItem
from processors.dicom.evidence import Evidence
from processors.dicom.reading import Reading
from processors.dicom.uids import uid
from processors.dicom.values import items, whole_number

SEGMENTS = ("121191", "121214")
"""Referenced Segment, Referenced Segmentation Frame."""
SOURCE_SERIES = "121232"
SOURCE_IMAGE = "121233"
ROI_IDENTIFIER = "130489"


class Companions:
    """What siblings say of each other, by the path of their parent."""

    def __init__(self, places: Evidence, reading: Reading) -> None:
        self._reading = reading
        self._studies = {place.series_instance_uid: place.study_instance_uid for place in places.values()}
        self._segments: defaultdict[str, list[str]] = defaultdict(list)
        self._sources: defaultdict[str, list[Focus]] = defaultdict(list)
        self._rois: dict[str, str] = {}

    def see(self, item: ContentItem) -> None:
        name = item.name.coding
        if item.parent is None or name is None or name.system != DCM:
            return
        beside = item.parent.path
        if name.code in SEGMENTS:
            self._segments[beside].append(item.path)
        elif name.code == SOURCE_IMAGE:
            self._sources[beside].append(Focus(FocusKind.GROUP, f"{GroupKind.REFERENCE}|{item.path}"))
        elif name.code == SOURCE_SERIES:
            series_uid = uid(item.dataset, "UID", self._reading)
            if series_uid in self._studies:
                value = f"{self._studies[series_uid]}|{series_uid}"
                self._sources[beside].append(Focus(FocusKind.SERIES, value))
        elif name.code == ROI_IDENTIFIER and (number := self._roi_number(item)) is not None:
            self._rois[beside] = str(number)

    def focus(self) -> Iterator[tuple[str, list[Focus]]]:
        """Path of each segment reference, and the images or series it was drawn on.

        Beside several segments it is not said whose source an image is.
        """
        for beside, segments in self._segments.items():
            if len(segments) == 1:
                yield segments[0], self._sources[beside]

    def narrowed(self, path: str, references: tuple[ReportedItem, ...]) -> tuple[ReportedItem, ...]:
        """References to a structure set at `path`, narrowed to the ROI that is named below or beside it."""
        number = self._rois.get(path) or self._rois.get(path.rpartition(".")[0])
        return tuple(
            reference._replace(subset_kind=SubsetKind.ROIS, subset=(number,))
            if number and reference.sop_class_uid in STRUCTURE_SETS
            else reference
            for reference in references
        )

    def _roi_number(self, item: ContentItem) -> int | None:
        """ROI Number (3006,0022), as NUM or as text: writers differ."""
        for measured in items(item.dataset, "MeasuredValueSequence", self._reading):
            return whole_number(measured, "NumericValue", self._reading)
        return whole_number(item.dataset, "TextValue", self._reading)
