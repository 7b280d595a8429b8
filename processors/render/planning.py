"""From a published reference and the given objects to the frames to show.

Rules of this file: what an instance of a reference is, decides how it is looked for; regions in space and
segments are placed by `placing`. A reference to a document (SR, key objects, presentation state) is followed
one step, to what the document says of images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from processors.core.events import (
    DocumentArrived,
    Focus,
    FocusKind,
    GroupKind,
    Region,
    ReportedGroup,
    Stamp,
    SubsetKind,
)
from processors.core.graphics import region_problem_2d
from processors.core.reference import ReferencedInstance
from processors.core.vocabulary import (
    KEY_OBJECT_SELECTION,
    PRESENTATION_STATES,
    SEGMENTATIONS,
    STRUCTURE_SETS,
    STRUCTURED_REPORTS,
)
from processors.dicom import ReadingPolicy, event_of_object
from processors.dicom.contours import drawn_regions
from processors.dicom.softcopy_windows import SoftcopyWindow, softcopy_windows
from processors.errors import Refused, UsageError
from processors.fhir.reading import PublishedReference
from processors.render.geometry import Outline, on_tile, outlines_2d
from processors.render.given import Given, GivenObjects
from processors.render.panels import Plan, spread
from processors.render.placing import Placing

_DOCUMENTS = {KEY_OBJECT_SELECTION} | STRUCTURED_REPORTS | PRESENTATION_STATES
_OF_THE_DOCUMENT = (GroupKind.SOURCE_ITEM, GroupKind.PRESENTATION)
"""Groups that refer to the document itself."""
_NOW = Stamp(0, False, "", "", b"")


class Target(NamedTuple):
    """One instance to look for, and the layer that its regions are drawn in."""

    study_instance_uid: str
    series_instance_uid: str
    instance: ReferencedInstance
    frame_of_reference_uid: str
    label: str
    windows: Sequence[SoftcopyWindow] = ()
    """Of the presentation state that it was found in."""
    followed: bool = False
    """Found in a document: documents in it are not followed any further."""


class Planner:
    def __init__(self, reference: PublishedReference, given: GivenObjects, limit: int) -> None:
        self._reference = reference
        self._given = given
        self._limit = limit
        self._plan = Plan()
        self._placing = Placing(reference, given, self._plan)

    def plan(self) -> Plan:
        """Raises UsageError where the reference says something that cannot be looked for."""
        targets = list(self._targets())
        each = max(1, self._limit // max(1, len(targets)))
        for target in targets:
            self._add(target, each)
        reference = self._reference
        if reference.regions_3d and len(reference.instances) != 1:
            self._placing.regions(reference.regions_3d, reference.frame_of_reference_uid, "region")
        return self._plan

    def _targets(self) -> Iterator[Target]:
        """Of each instance; of a whole series, which R5 may say by naming none, each image that is given."""
        reference = self._reference
        place = (reference.study_instance_uid, reference.series_instance_uid)
        instances = reference.instances
        if not instances and not reference.regions_3d and reference.series_instance_uid:
            images = (given.frames for given in self._given.series(*place))
            instances = tuple(
                ReferencedInstance(each.sop_instance_uid, each.sop_class_uid) for each in images
            )
        if reference.regions_3d and len(instances) == 1:  # R6 has them beside the instance they are of
            instances = (instances[0]._replace(regions_3d=reference.regions_3d),)
        for instance in instances:
            yield Target(*place, instance, reference.frame_of_reference_uid, "region")

    def _add(self, target: Target, frames: int) -> None:
        """`frames`: how many of an instance are shown that is meant as a whole."""
        instance = target.instance
        place = (target.study_instance_uid, target.series_instance_uid, instance.sop_instance_uid)
        given = self._given.find(*place)
        sop_class = instance.sop_class_uid or (given.frames.sop_class_uid if given else "")
        if instance.regions_3d:
            on = self._beside(given) if given and sop_class not in SEGMENTATIONS else []
            self._placing.regions(
                instance.regions_3d, target.frame_of_reference_uid, self._label(target, sop_class), on
            )
            if not on or not (instance.subset or instance.regions_2d):
                return
        ways: list[tuple[bool, Callable[[Given, Target], None]]] = [
            (sop_class in SEGMENTATIONS, self._add_segments),
            (sop_class in STRUCTURE_SETS, self._add_contours),
            (sop_class in _DOCUMENTS, self._follow),
        ]
        if given is None:
            self._plan.missing.append(instance.sop_instance_uid)
            return
        way = next((way for holds, way in ways if holds), None)
        if way is not None:
            way(given, target)
        else:
            self._add_image(given, target, frames)

    def _beside(self, given: Given) -> list[Given]:
        """The image's series, as far as it lies in the same space: an image that a region in space is part of
        need not be the nearest.
        """
        frames = given.frames
        series = self._given.series(frames.study_instance_uid, frames.series_instance_uid)
        same = [e for e in series if e.frames.frame_of_reference_uid == frames.frame_of_reference_uid]
        return same if any(frames.planes) else []

    @staticmethod
    def _label(target: Target, sop_class: str) -> str:
        if sop_class in STRUCTURE_SETS and target.instance.subset:
            return f"ROI {target.instance.subset[0]}"
        return target.label

    def _add_image(self, given: Given, target: Target, frames: int) -> None:
        instance = target.instance
        if not given.frames.rows:
            self._plan.notes.append("an instance is no image: nothing to show of it")
            return
        count = len(given.frames.planes)
        if instance.subset_kind is SubsetKind.FRAMES:
            wanted = self._numbers(instance)
            if any(not 1 <= number <= count for number in wanted):
                self._plan.notes.append(f"a frame number is beyond the image's {count} frames: not shown")
            shown = [number for number in wanted if 1 <= number <= count]
        else:
            shown = spread(range(1, count + 1), frames)
        if instance.matrix_regions:
            among = shown if instance.subset_kind is SubsetKind.FRAMES else range(1, count + 1)
            shown = self._add_tiles(given, target, among) or shown
        outlines = self._outlines(instance.regions_2d)
        for number in shown:
            panel = self._plan.panel(given, number)
            holding = (w.window for w in target.windows if w.is_for(instance.sop_instance_uid, number))
            panel.window = next(holding, panel.window)
            if outlines:
                layer = self._plan.layer(target.label)
                panel.outlines += [(layer, outline) for outline in outlines]

    def _add_tiles(self, given: Given, target: Target, among: Iterable[int]) -> list[int]:
        """Regions in the Total Pixel Matrix on the tiles that they cross; those tiles."""
        frames = given.frames
        if frames.tiles is None:
            self._plan.notes.append("an image does not say where its tiles lie: no regions on them are drawn")
            return []
        layer, crossed = self._plan.layer(target.label), dict[int, None]()
        outlines = self._outlines(target.instance.matrix_regions)
        for number in among:
            origin = frames.tiles.origins[number - 1]
            for outline in outlines if origin else ():
                there = on_tile(outline, origin or (0, 0), (frames.rows, frames.columns))
                if there is not None:
                    self._plan.panel(given, number).outlines.append((layer, there))
                    crossed[number] = None
        if outlines and not crossed:
            self._plan.notes.append("regions of a whole slide lie on none of the frames given")
        return list(crossed)

    def _outlines(self, regions: Sequence[Region]) -> list[Outline]:
        problems = [problem for problem in map(region_problem_2d, regions) if problem]
        self._plan.notes += [f"a 2D region is not drawn: {problem}" for problem in problems]
        drawable = [each for each in regions if region_problem_2d(each) is None]
        return [outline for region in drawable for outline in outlines_2d(region)]

    def _add_segments(self, given: Given, target: Target) -> None:
        self._placing.segments(given, self._numbers(target.instance))

    def _add_contours(self, given: Given, target: Target) -> None:
        """Of the structure set itself, where the reference says no more than the number."""
        if target.instance.regions_3d:
            return
        drawn = drawn_regions(given.read(), self._numbers(target.instance))
        if not any(roi.contours for roi in drawn):
            self._plan.notes.append("the structure set has no contours for this reference")
        for roi in drawn:
            frame_of_reference = roi.frame_of_reference_uid or target.frame_of_reference_uid
            self._placing.regions(roi.contours, frame_of_reference, f"ROI {roi.number}")

    def _numbers(self, instance: ReferencedInstance) -> list[int]:
        if not all(member.isdecimal() and len(member) < 10 for member in instance.subset):
            raise UsageError("the reference's instance.subset is not made of numbers")
        return sorted({int(member) for member in instance.subset})

    def _follow(self, given: Given, target: Target) -> None:
        try:
            event = event_of_object(given.read(), _NOW, ReadingPolicy(), dated=False)
        except Refused as refused:
            self._plan.notes.append(f"a document cannot be read: {refused.message}")
            return
        groups = self._said_by(event, target) if not target.followed else []
        items = [(group, item) for group in groups for item in group.items]
        if not items:
            self._plan.notes.append("a document refers to no images here: nothing to show of it")
        windows = softcopy_windows(given.read()) if given.frames.sop_class_uid in PRESENTATION_STATES else ()
        for group, item in items:
            part = ReferencedInstance(
                item.sop_instance_uid,
                item.sop_class_uid,
                None,
                item.subset_kind,
                item.subset,
                item.regions_2d,
                item.regions_3d,
                matrix_regions=item.matrix_regions,
            )
            label = f"item {group.content_item_path}" if group.content_item_path else "region"
            if group.kind is GroupKind.PRESENTATION_REGION:
                label = f"annotation {group.suffix}"
            place = (item.study_instance_uid, item.series_instance_uid)
            space = group.frame_of_reference_uid
            self._add(Target(*place, part, space, label, windows, followed=True), 1)

    def _said_by(self, event: object, target: Target) -> list[ReportedGroup]:
        """What the document says of images: at the content item that the reference names, or anywhere."""
        if not isinstance(event, DocumentArrived):
            return []
        groups = event.document.groups
        source = next((group for group in groups if self._is_source(group, target.instance)), None)
        if source is not None:
            focus = Focus(FocusKind.GROUP, f"{source.kind}|{source.suffix}")
            return [group for group in groups if focus in group.focus]
        return [group for group in groups if group.kind not in _OF_THE_DOCUMENT or group.items[0].regions_3d]

    def _is_source(self, group: ReportedGroup, instance: ReferencedInstance) -> bool:
        if group.kind is not GroupKind.SOURCE_ITEM:
            return False
        path = self._reference.content_item_path
        return group.content_item_path == path if path else group.items[0].subset == instance.subset != ()
