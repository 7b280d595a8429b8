"""Structured reports of every class to documents: observations, and the regions and images they rest on.

Rules of this file: one pass for all SR classes (MAPPING 2.3); content is recognised by concept names, never
by template ids, which writers leave out (PS3.16 TID 1500, 1410, 1411, 1501, 300). Geometry is in `spatial`,
what items inherit in `report_context`, what siblings mean for each other in `group_companions`.
"""

from __future__ import annotations

from processors.core.events import (
    Code,
    Concept,
    Document,
    DocumentPath,
    Focus,
    FocusKind,
    GroupKind,
    Region,
    ReportedGroup,
    ReportedItem,
    SubsetKind,
)
from processors.core.vocabulary import DCM, UNTILED, modality_display
from processors.dicom.codes import first_code
from processors.dicom.content_tree import ContentItem, ContentTree, content_tree, is_by_reference
from processors.dicom.documents import document_frame
from processors.dicom.evidence import Evidence, evidence
from processors.dicom.group_companions import Companions
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.report_context import contexts, measurements
from processors.dicom.sop_references import sop_references
from processors.dicom.spatial import in_matrix, plane_regions, space_region
from processors.dicom.uids import uid
from processors.dicom.values import first, has, tag_text
from processors.dicom.verification import verified_at_us
from processors.errors import DeadLetterCode, WarningCode

MODALITY = "SR"
ORIGINAL_SOURCE = Concept(Code(DCM, "111040", "Original Source"))
IMAGE_REGION = Concept(Code(DCM, "111030", "Image Region"))
_UNTITLED = Concept(Code(DCM, MODALITY, modality_display(MODALITY)))

_REFERENCES = ("IMAGE", "WAVEFORM", "COMPOSITE")


def read_structured_report(reading: Reading, path: DocumentPath, policy: ReadingPolicy) -> Document:
    """The report as a document.

    `problem` is set where items refer to something and none of it is usable; a report that refers to nothing
    is just empty. Raises Refused for an unusable SOP Class UID and `nesting_too_deep`.
    """
    document = document_frame(reading, path, policy, MODALITY)
    report = _Report(document, content_tree(reading, policy), evidence(reading), reading)
    groups = report.groups()
    if report.tried and not groups:
        unusable = report.frames_unusable
        document = document._replace(
            problem=DeadLetterCode.FRAME_OUT_OF_RANGE if unusable else DeadLetterCode.NO_USABLE_REFERENCE,
            problem_tag=tag_text("ReferencedFrameNumber" if unusable else "ReferencedSOPSequence"),
        )
    if policy.withhold_unfinished and _is_unfinished(reading):
        document, groups = document._replace(predecessors=(), withheld=True), ()
    verified_at = verified_at_us(reading, policy.site_zone)
    return document._replace(groups=groups, verified_at_us=verified_at, warnings=tuple(reading.warnings))


def _is_unfinished(reading: Reading) -> bool:
    """PARTIAL content or a PRELIMINARY version (PS3.3 C.17.2)."""
    completion = first(reading.dataset, "CompletionFlag", reading)
    return completion == "PARTIAL" or first(reading.dataset, "PreliminaryFlag", reading) == "PRELIMINARY"


class _Report:
    """One report on its way to groups; used once."""

    def __init__(self, document: Document, tree: ContentTree, places: Evidence, reading: Reading) -> None:
        self.tried = False
        """Something is referred to: a spatial or image item stands where it is selected."""
        self.frames_unusable = False
        self._document = document
        self._tree = tree
        self._places = places
        self._reading = reading
        self._contexts = contexts(tree, reading)
        self._companions = Companions(places, reading)
        self._coordinates = {"SCOORD": self._plane, "SCOORD3D": self._space, "TCOORD": self._time}
        self._groups: dict[str, ReportedGroup] = {}
        self._focus: dict[str, dict[Focus, None]] = {}
        """Of each group, in order; by-reference items add to it after the walk."""

    def groups(self) -> tuple[ReportedGroup, ...]:
        """Source items stand before what they rest on, all else in document order."""
        by_reference = []
        for item in self._tree.by_path.values():
            if self._contexts[item.path].unselected:
                continue
            self._companions.see(item)
            if item.value_type in self._coordinates:
                self._coordinates[item.value_type](item)
            elif item.parent is None or item.parent.value_type == "SCOORD":
                continue  # the image a region was selected from belongs to the region
            elif item.value_type in _REFERENCES:
                self._reference(item, item)
            elif is_by_reference(item):
                by_reference.append(item)
        for item in by_reference:
            self._resolve(item)
        for suffix, focus in self._companions.focus():
            self._focus.get(f"{GroupKind.REFERENCE}|{suffix}", {}).update(dict.fromkeys(focus))
        return tuple(
            group._replace(
                items=self._companions.narrowed(group.suffix, group.items), focus=tuple(self._focus[key])
            )
            for key, group in self._groups.items()
        )

    def _plane(self, item: ContentItem) -> None:
        """A SCOORD: a region on the images it is selected from; if it is none, or one of the Total Pixel
        Matrix, those images as they are.
        """
        self.tried = True
        regions = plane_regions(item.dataset, self._reading)
        selected = [(child, image) for child in item.children if (image := self._selected(child))]
        tiled = in_matrix(item.dataset, self._reading) and any(self._may_be_tiled(i) for _, i in selected)
        matrix_regions = regions if tiled else ()
        if matrix_regions or not regions:
            self._reading.warn(WarningCode.REGION_DROPPED)
        if not selected and not any(map(is_by_reference, item.children)):
            self._reading.warn(WarningCode.REFERENCE_MISSING)
        if matrix_regions or not regions:
            for child, image in selected:
                self._reference(child, image, matrix_regions)
            return
        found = [sop_references(image.dataset, self._places, self._reading) for _, image in selected]
        self.frames_unusable |= any(references.frames_unusable for references in found)
        items = tuple(i._replace(regions_2d=regions) for references in found for i in references.items)
        states = tuple(state for references in found for state in references.focus)
        self._add(GroupKind.REGION, item, self._code(item, IMAGE_REGION), items, states)

    def _may_be_tiled(self, image: ContentItem) -> bool:
        """VOLUME is also said of plain images, by older versions of highdicom among others, and means nothing
        there: the standard asks for it with tiled images only (PS3.3 C.18.6).
        """
        named = sop_references(image.dataset, self._places, self._reading.quiet()).items
        return not all(each.sop_class_uid in UNTILED for each in named)

    def _selected(self, child: ContentItem) -> ContentItem | None:
        target = self._target(child) if is_by_reference(child) else child
        return target if target and target.value_type in _REFERENCES else None

    def _space(self, item: ContentItem) -> None:
        """A SCOORD3D: R5 has no place for a region without an instance, so it is on the report itself."""
        self.tried = True
        frame_of_reference_uid = uid(item.dataset, "ReferencedFrameOfReferenceUID", self._reading)
        region = space_region(item.dataset, self._reading)
        if not frame_of_reference_uid:
            self._reading.warn(WarningCode.UNRESOLVED_FRAME_OF_REFERENCE)
        if region is None or not frame_of_reference_uid:
            self._reading.warn(WarningCode.REGION_DROPPED)
            return
        source = self._contexts[item.path].source
        content_item = self._content_item(item, source)._replace(regions_3d=(region,))
        focus = (Focus(FocusKind.FRAME_OF_REFERENCE, frame_of_reference_uid),)
        code = self._code(item, IMAGE_REGION)
        self._add(GroupKind.REGION, item, code, (content_item,), focus, frame_of_reference_uid)

    def _time(self, _: ContentItem) -> None:
        """A TCOORD (PS3.3 C.18.7): FHIR has no times. What they are times of is an item of its own."""
        self._reading.warn(WarningCode.REGION_DROPPED)

    def _reference(
        self, item: ContentItem, referring: ContentItem, matrix_regions: tuple[Region, ...] = ()
    ) -> None:
        """An image, waveform or composite object as it is; `referring` is the item itself or its by-reference
        target, whose reference it is. `matrix_regions` go with it, being none of FHIR's.
        """
        self.tried = True
        if has(referring.dataset, "PixelCoordinatesSetTrial"):  # no standard in force says where 0 is
            self._reading.warn(WarningCode.REGION_DROPPED)
        references = sop_references(referring.dataset, self._places, self._reading)
        self.frames_unusable |= references.frames_unusable
        code = self._code(referring, self._tree.root.name if self._tree.root.name != Concept() else _UNTITLED)
        named = tuple(each._replace(matrix_regions=matrix_regions) for each in references.items)
        self._add(GroupKind.REFERENCE, item, code, named, references.focus)

    def _resolve(self, item: ContentItem) -> None:
        """A by-reference item: another use of a region, or its own reference to the image it points at."""
        target = self._target(item)
        if target is None:
            return
        if target.value_type in _REFERENCES:
            self._reference(item, target)
        key = f"{GroupKind.REGION}|{target.path}"
        if key in self._groups:
            self._focus[key].update(dict.fromkeys(self._source(item)))

    def _target(self, item: ContentItem) -> ContentItem | None:
        target = self._tree.target(item, self._reading)
        if target is None:
            self.tried = True
            self._reading.warn(WarningCode.BY_REFERENCE_UNRESOLVED)
        return target

    def _add(
        self,
        kind: GroupKind,
        item: ContentItem,
        code: Concept,
        items: tuple[ReportedItem, ...],
        focus: tuple[Focus, ...],
        frame_of_reference_uid: str = "",
    ) -> None:
        if not items:
            return
        source = self._source(item)
        key = f"{kind}|{item.path}"
        self._focus[key] = dict.fromkeys([*source, *focus])
        self._groups[key] = ReportedGroup(
            kind=kind,
            suffix=item.path,
            code=code,
            items=items,
            category=self._contexts[item.path].category,
            body_site=self._contexts[item.path].body_site,
            content_item_path=item.path,
            frame_of_reference_uid=frame_of_reference_uid,
        )

    def _source(self, item: ContentItem) -> tuple[Focus, ...]:
        """The observation the item belongs to, made a group of its own with the first thing it rests on."""
        source = self._contexts[item.path].source
        if source is None:
            return ()
        key = f"{GroupKind.SOURCE_ITEM}|{source.path}"
        if key not in self._groups:
            self._focus[key] = {}
            below = self._contexts[source.children[0].path]
            self._groups[key] = ReportedGroup(
                kind=GroupKind.SOURCE_ITEM,
                suffix=source.path,
                code=ORIGINAL_SOURCE,
                items=(self._content_item(source),),
                category=below.category,
                body_site=below.body_site,
                content_item_path=source.path,
                measurements=measurements(source, self._reading),
            )
        return (Focus(FocusKind.GROUP, key),)

    def _content_item(self, *items: ContentItem | None) -> ReportedItem:
        """The report, its subset the Observation UID (0040,A171), type 3, of the first item with one."""
        uids = (uid(item.dataset, "ObservationUID", self._reading) for item in items if item)
        observation_uid = next(filter(None, uids), "")
        return ReportedItem(
            *self._document.path,
            self._document.sop_class_uid,
            SubsetKind.CONTENT_ITEMS if observation_uid else SubsetKind.NONE,
            (observation_uid,) if observation_uid else (),
        )

    def _code(self, item: ContentItem, unnamed: Concept) -> Concept:
        """The item's concept name; read again for its warnings, since it is published."""
        return first_code(item.dataset, "ConceptNameCodeSequence", self._reading) or unnamed
