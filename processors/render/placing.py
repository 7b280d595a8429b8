"""Regions in space and segments onto the given images, by geometry.

Rules of this file: which slice, how far away, and saying so. Images of another frame of reference are never
taken, whatever their position says.
"""

from __future__ import annotations

from collections.abc import Sequence

from processors.core.events import Region
from processors.core.graphics import region_problem_3d
from processors.core.identity import document_key, reference_id, series_key
from processors.core.vocabulary import SEGMENTATIONS
from processors.dicom.frames import Plane
from processors.dicom.pixels import PixelsUnreadable
from processors.dicom.segment_frames import SegmentFrame, segment_frames, segment_numbers
from processors.errors import Refused
from processors.fhir.reading import PublishedReference
from processors.render.geometry import nearest, outlines_3d, unit_plane
from processors.render.given import Given, GivenObjects
from processors.render.masks import PlacedFrame, near, reach_of
from processors.render.panels import Plan

Slice = tuple[Given, int, Plane]
"""A frame, from 1, and its plane."""
Placed = tuple[Given, int, PlacedFrame]
"""A frame, from 1, and what shows on it."""

LINES = 8
"""Regions whose slice is said one by one; of more, the range of distances is."""


class Placing:
    def __init__(self, reference: PublishedReference, given: GivenObjects, plan: Plan) -> None:
        self._reference = reference
        self._given = given
        self._plan = plan

    def regions(
        self,
        regions: Sequence[Region],
        frame_of_reference_uid: str,
        label: str,
        on: Sequence[Given] | None = None,
    ) -> None:
        """Each on the nearest slice of `on`, or of all images that share its frame of reference."""
        sound = [region for region in regions if region_problem_3d(region) is None]
        for problem in dict.fromkeys(filter(None, map(region_problem_3d, regions))):
            self._plan.notes.append(f"a 3D region is not drawn: {problem}")
        slices = _slices(on) if on else self._slices_in(frame_of_reference_uid)
        if sound and not slices:
            self._plan.notes.append(
                f"no image given lies in the frame of reference of {_count(len(sound), '3D region')}"
            )
            return
        layer = self._plan.layer(label)
        planes = [plane for _, _, plane in slices]
        found = []
        for ordinal, region in enumerate(sound, start=1):
            at, off_mm = nearest(planes, region)
            given, frame, plane = slices[at]
            panel = self._plan.panel(given, frame)
            panel.outlines += [(layer, outline) for outline in outlines_3d(region, plane)]
            panel.off_mm = max(off_mm, panel.off_mm or 0.0)
            found.append((ordinal, region.region_type, given, frame, off_mm))
        if len(found) <= LINES:
            self._plan.notes += [
                f"{label}, {kind} {ordinal}: on {described(given, frame)}, {off_mm:.2f} mm from its plane"
                for ordinal, kind, given, frame, off_mm in found
            ]
        else:
            frames = {(id(given), frame) for _, _, given, frame, _ in found}
            off = [off_mm for *_, off_mm in found]
            self._plan.notes.append(
                f"{label}: {len(found)} regions on {len(frames)} slices, "
                f"{min(off):.2f} to {max(off):.2f} mm from their planes"
            )

    def segments(self, given: Given, numbers: Sequence[int]) -> None:
        """Segments, all if `numbers` is empty, on each image that they show on; on black without one."""
        data = given.read()
        try:
            wanted = numbers or segment_numbers(data)
            shown = list(segment_frames(data, given.frames, wanted))
        except (Refused, PixelsUnreadable) as problem:
            self._plan.notes.append(f"the segmentation is not drawn: {problem}")
            return
        empty = sorted(set(wanted) - {each.segment for each in shown})
        self._plan.notes += [f"segment {number} has no pixels" for number in empty]
        layers = {number: self._plan.layer(f"segment {number}") for number in wanted if number not in empty}
        slices = self._images_of(given, shown)
        alone = 0
        for each in shown:
            images = (
                _in_space(given, each, slices) or self._on_source(given, each) or self._on_tile(given, each)
            )
            if not images:
                alone += 1
                own = each.plane or unit_plane(given.frames.rows, given.frames.columns)
                images = [(given, each.frame, PlacedFrame(each, own, own, 1.0))]
            for image, frame, placed in images:
                segments = self._plan.panel(image, frame).segments
                segments.setdefault(layers[each.segment], []).append(placed)
        if alone:
            self._plan.notes.append(
                f"{_count(alone, 'frame')} of the segmentation without an image among those given: on black"
            )

    def _on_source(self, given: Given, shown: SegmentFrame) -> list[Placed]:
        """A frame that lies nowhere is taken to cover the image that it names as its source."""
        if shown.source is None:
            return []
        image = self._given.find(given.frames.study_instance_uid, "", shown.source[0])
        if image is None or not image.frames.rows or shown.source[1] > len(image.frames.planes):
            return []
        own = unit_plane(given.frames.rows, given.frames.columns)
        on = unit_plane(image.frames.rows, image.frames.columns)
        return [(image, shown.source[1], PlacedFrame(shown, own, on, 1.0))]

    def _on_tile(self, given: Given, shown: SegmentFrame) -> list[Placed]:
        """A tile covers the tile at its place in an image of its frame of reference that is cut alike."""
        frames, tiles = given.frames, given.frames.tiles
        if tiles is None or tiles.origins[shown.frame - 1] is None or not frames.frame_of_reference_uid:
            return []
        cut = (frames.frame_of_reference_uid, frames.rows, frames.columns, tiles.matrix)
        own = unit_plane(frames.rows, frames.columns)
        for image in self._given.images():
            other = image.frames
            if other.sop_class_uid in SEGMENTATIONS or other.tiles is None:
                continue
            if cut != (other.frame_of_reference_uid, other.rows, other.columns, other.tiles.matrix):
                continue
            if tiles.origins[shown.frame - 1] in other.tiles.origins:
                at = other.tiles.origins.index(tiles.origins[shown.frame - 1])
                return [(image, at + 1, PlacedFrame(shown, own, own, 1.0))]
        return []

    def _slices_in(self, frame_of_reference_uid: str) -> list[Slice]:
        """Of the series in focus if one is given, else of all; scouts only if there is nothing else."""
        images = [
            each
            for each in self._given.images()
            if frame_of_reference_uid
            and each.frames.frame_of_reference_uid == frame_of_reference_uid
            and each.frames.sop_class_uid not in SEGMENTATIONS
        ]
        for wanted in (
            [each for each in images if self._in_focus(each)],
            [each for each in images if not each.frames.localizer],
            images,
        ):
            slices = _slices(wanted)
            if slices:
                return slices
        return []

    def _in_focus(self, given: Given) -> bool:
        """Whether the reference's focus names the image's series, or the part that a segmentation used."""
        study, series = given.frames.study_instance_uid, given.frames.series_instance_uid
        keys = (
            series_key(study, series),
            document_key("seg-src", study, series, self._reference.document_uid),
        )
        return any(reference_id(key) in self._reference.focus for key in keys)

    def _images_of(self, given: Given, shown: Sequence[SegmentFrame]) -> list[Slice]:
        """Slices of the series that the frames name as their source, else of the frame of reference."""
        slices = self._slices_in(given.frames.frame_of_reference_uid)
        sources = {each.source[0] for each in shown if each.source}
        series = {
            (image.frames.study_instance_uid, image.frames.series_instance_uid)
            for image, _, _ in slices
            if image.frames.sop_instance_uid in sources
        }
        return [
            each
            for each in slices
            if not series or (each[0].frames.study_instance_uid, each[0].frames.series_instance_uid) in series
        ]


def _slices(images: Sequence[Given]) -> list[Slice]:
    return [
        (image, frame, plane)
        for image in images
        for frame, plane in enumerate(image.frames.planes, start=1)
        if plane is not None
    ]


def _in_space(given: Given, shown: SegmentFrame, slices: Sequence[Slice]) -> list[Placed]:
    if shown.plane is None or not slices:
        return []
    reach_mm = reach_of(given.frames)
    planes = [plane for _, _, plane in slices]
    return [
        (*slices[at][:2], PlacedFrame(shown, shown.plane, slices[at][2], reach_mm))
        for at in near(shown, shown.plane, reach_mm, planes)
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def described(given: Given, frame: int) -> str:
    """`image 12 of series 2, frame 3`: numbers only."""
    frames = given.frames
    text = f"image {frames.number}" if frames.number is not None else "an image without number"
    text += f" of series {frames.series_number}" if frames.series_number is not None else ""
    return f"{text}, frame {frame}" if len(frames.planes) > 1 else text
