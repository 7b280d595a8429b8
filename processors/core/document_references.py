"""A document, with its identical copies, → ImagingReferences of one study; and its fragments for others.

Rules of this file: pure functions of StudyState. A family is all copies under one canonical UID (Identical
Documents, PS3.3 C.17.2.2): copies share reference ids, a copy that stands comes before one that does not,
then the smaller path, so the order of arrival does not show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from processors.core import identity
from processors.core.events import (
    Concept,
    Document,
    DocumentPath,
    Focus,
    FocusKind,
    FragmentReported,
    GroupKind,
    ReportedGroup,
    ReportedItem,
    SubsetKind,
)
from processors.core.layers import resolved_header
from processors.core.listing import list_items
from processors.core.policy import Policy
from processors.core.reference import Identifier, ImagingReference, Kind, WithdrawalReason
from processors.core.references import (
    Context,
    accession_identifier,
    endpoints_of,
    modality_concept,
)
from processors.core.series import SeriesState
from processors.core.space_regions import is_in_space, on_image, series_in
from processors.core.standing import earliest, reasons_against_document
from processors.core.study import DocumentState, StudyState, canonical_uid_of
from processors.errors import WarningCode

_KINDS = {
    GroupKind.KEY_IMAGES: Kind.KEY_IMAGES,
    GroupKind.SOURCE_ITEM: Kind.SOURCE_ITEM,
    GroupKind.REGION: Kind.REGION,
    GroupKind.REFERENCE: Kind.PLAIN,
    GroupKind.SEGMENT: Kind.SEGMENT,
    GroupKind.SEGMENT_SOURCE: Kind.PLAIN,
    GroupKind.PRESENTATION: Kind.PRESENTATION,
    GroupKind.PRESENTATION_SOURCE: Kind.PRESENTATION,
    GroupKind.PRESENTATION_REGION: Kind.REGION,
    GroupKind.ROI: Kind.ROI,
    GroupKind.SOURCE: Kind.PLAIN,
}
_SUBSET_KINDS = {SubsetKind.SEGMENTS: Kind.SEGMENT, SubsetKind.ROIS: Kind.ROI}

Place = tuple[str, str]
"""(study UID, series UID)."""


class FamilyView(NamedTuple):
    references: dict[str, ImagingReference]
    """By id; those that nothing valid is left of are there as withdrawn `invalid`."""
    former: dict[str, ImagingReference]
    """Those that only an earlier content made, as withdrawn `superseded`: of use if they were published."""
    unresolved: tuple[DocumentPath, ...]
    """Copies at home with an item whose series no evidence, event or arrival names."""
    warnings: frozenset[str]


def of_family(study: StudyState, canonical_uid: str, context: Context, policy: Policy) -> FamilyView:
    references: dict[str, ImagingReference] = {}
    former: dict[str, ImagingReference] = {}
    unresolved: list[DocumentPath] = []
    warnings: set[str] = set()
    for state, reasons in _copies(study, canonical_uid, policy):
        present, *earlier = state.contents
        warnings |= state.warnings
        if canonical_uid_of(present) == canonical_uid:
            view = _CopyView(study, state, present, context, policy, reasons)
            for reference in view.references():
                references.setdefault(reference.id, reference)
            if view.unresolved and not reasons:
                unresolved.append(present.path)
            warnings |= view.warnings
            for reference in view.elsewhere():
                former.setdefault(reference.id, reference)
        for content in earlier:
            if canonical_uid_of(content) == canonical_uid:
                gone = [*reasons, WithdrawalReason.SUPERSEDED]
                view = _CopyView(study, state, content, context, policy, gone)
                for reference in (*view.references(), *view.elsewhere()):
                    former.setdefault(reference.id, reference)
    for reference_id in references:
        former.pop(reference_id, None)
    return FamilyView(references, former, tuple(unresolved), frozenset(warnings))


def _copies(
    study: StudyState, canonical_uid: str, policy: Policy
) -> list[tuple[DocumentState, list[WithdrawalReason]]]:
    """The family's documents and what speaks against each: those that stand first, then by path."""
    copies = []
    for path in study.families.get(canonical_uid, ()):
        state = study.documents[path]
        reasons = reasons_against_document(study, state, policy.hide_quality_rejections)
        copies.append((bool(reasons), _smallest_first(path), state, reasons))
    copies.sort(key=lambda copy: copy[:2])
    return [(state, reasons) for _, _, state, reasons in copies]


def _smallest_first(path: DocumentPath) -> tuple[str, str, str]:
    return path.sop_instance_uid, path.series_instance_uid, path.study_instance_uid


class _CopyView:
    """One content of one copy of a document, seen from one study."""

    def __init__(
        self,
        study: StudyState,
        state: DocumentState,
        content: Document,
        context: Context,
        policy: Policy,
        reasons: list[WithdrawalReason],
    ) -> None:
        self.study = study
        self.state = state
        self.content = content
        self.canonical_uid = canonical_uid_of(content)
        self.context = context
        self.policy = policy
        self.reasons = reasons
        self.unresolved = False
        self.warnings: set[str] = set()
        self.groups = groups_of(self.content, policy)
        self.places = {id(g): self._places(g) for g in self.groups}
        self.by_key = {f"{g.kind}|{g.suffix}": g for g in self.groups}

    def references(self) -> Iterator[ImagingReference]:
        wanted = {
            f.value for g in self.groups if self.places[id(g)] for f in g.focus if f.kind is FocusKind.GROUP
        }
        for group in self.groups:
            # A source item is of use only where something points at it (MAPPING 2.3).
            if group.kind is GroupKind.SOURCE_ITEM and f"{group.kind}|{group.suffix}" not in wanted:
                continue
            for (study_uid, series_uid), items in self.places[id(group)].items():
                if study_uid == self.study.study_instance_uid:
                    yield self._reference(group, series_uid, items)

    def elsewhere(self) -> Iterator[ImagingReference]:
        """Where regions in space were published while fewer series were known, or while images were said to
        be in another frame of reference; withdrawn.
        """
        own, known = self.study.study_instance_uid, self.study.ledgers.get(self.canonical_uid, {})
        for group in filter(is_in_space, self.groups) if self.policy.space_regions == "image" else ():
            here = self.places[id(group)]
            former = [s for uid, s in sorted(self.study.series.items()) if self._id(group, own, uid) in known]
            found = self._on_the_report(group) | self._on_images(group, former)
            found |= self._on_images(group, self._series_in(group.frame_of_reference_uid))
            for place, items in found.items():
                if place[0] == own and place not in here:
                    yield self._reference(group, place[1], items, WithdrawalReason.SUPERSEDED)

    def _on_the_report(self, group: ReportedGroup) -> dict[Place, list[ReportedItem]]:
        """A region in space, as read; under every name of the report, where it is looked back at."""
        return {(item.study_instance_uid, item.series_instance_uid): [item] for item in group.items}

    def _on_images(
        self, group: ReportedGroup, chosen: Iterable[SeriesState]
    ) -> dict[Place, list[ReportedItem]]:
        """A region in space on an image of each of these series."""
        own, hide = self.study.study_instance_uid, self.policy.hide_quality_rejections
        found = {}
        for series in chosen:
            carried = on_image(self.study, series, group, standing=not self.reasons, hide_quality=hide)
            if carried is not None:
                found[own, series.series_instance_uid] = [carried]
        return found

    def _places(self, group: ReportedGroup) -> dict[Place, list[ReportedItem]]:
        """Items by the series they lie in; those without evidence through the document's own study."""
        if self.policy.space_regions == "image" and is_in_space(group):
            carriers = self._series_in(group.frame_of_reference_uid)
            if len(carriers) == 1:
                return self._on_images(group, carriers)
            return self._on_the_report(group)
        places: dict[Place, list[ReportedItem]] = {}
        own = self.study.study_instance_uid
        for item in group.items:
            if item.study_instance_uid and item.series_instance_uid:
                self._compare_with_own(item)
                place = (item.study_instance_uid, item.series_instance_uid)
                places.setdefault(place, []).append(item)
                continue
            found = self.study.places(item.sop_instance_uid) if self.state.at_home else set()
            self.unresolved = self.unresolved or not found
            for series_uid in sorted(found):
                places.setdefault((own, series_uid), []).append(item)
        return places

    def _compare_with_own(self, item: ReportedItem) -> None:
        """Evidence may put into another study what has arrived in this one."""
        if item.study_instance_uid == self.study.study_instance_uid:
            return
        if item.series_instance_uid in self.study.series:
            self.warnings.add(WarningCode.SERIES_STUDY_CONFLICT)
        if self.study.places(item.sop_instance_uid):
            self.warnings.add(WarningCode.SOP_UID_CONFLICT)

    def _reference(
        self, group: ReportedGroup, series_uid: str, items: list[ReportedItem], *more: WithdrawalReason
    ) -> ImagingReference:
        """`more`: what speaks against this one, beside what does against the document."""
        study, content, policy = self.study, self.content, self.policy
        reasons = [*self.reasons, *more]
        listing = list_items(study, series_uid, items, policy, standing=not reasons)
        series = study.series.get(series_uid)
        header = resolved_header(series.headers) if series and series.headers else None
        reference_id = self._id(group, study.study_instance_uid, series_uid)
        return ImagingReference(
            id=reference_id,
            kind=_SUBSET_KINDS.get(items[0].subset_kind, _KINDS[group.kind]),
            study_instance_uid=study.study_instance_uid,
            series_instance_uid=series_uid,
            code=group.code,
            instances=listing.instances,
            withdrawn=earliest([*reasons, *listing.reasons]),
            document_uid=self.canonical_uid,
            subject=self.context.subject_or(content.header, self.state.stamp.source, policy),
            issued=content.issued,
            performers=content.performers,
            based_on=self._based_on(),
            category=(modality_concept(content.modality), *group.category),
            series_number=header.series_number if header else None,
            frame_of_reference_uid=group.frame_of_reference_uid or listing.frame_of_reference_uid,
            body_site=group.body_site,
            focus=tuple(i for i in self._focus(group) if i != reference_id),
            endpoints=endpoints_of(listing.holders, policy),
            description=group.description,
            content_item_path=group.content_item_path,
            measurements=group.measurements,
            modality=content.modality,
        )

    def _id(self, group: ReportedGroup, study_uid: str, series_uid: str) -> str:
        key = identity.document_key(group.kind, study_uid, series_uid, self.canonical_uid, group.suffix)
        return identity.reference_id(key, self.policy.namespace)

    def _based_on(self) -> tuple[Identifier, ...]:
        """The request the document itself names; a correction of the study goes before it."""
        content, source = self.content, self.state.stamp.source
        if self.state.at_home and any(h.accession for h in self.study.updates):
            return self.context.based_on
        if content.accessions:
            return tuple(accession_identifier(a, source, self.policy) for a in content.accessions)
        if self.state.at_home:
            return self.context.based_on
        accession = content.header.accession
        return (accession_identifier(accession, source, self.policy),) if accession else ()

    def _focus(self, group: ReportedGroup) -> list[str]:
        return list(dict.fromkeys(i for focus in group.focus for i in self._focused(focus)))

    def _focused(self, focus: Focus) -> list[str]:
        if focus.kind is FocusKind.REFERENCE:
            return [focus.value]
        if focus.kind in (FocusKind.GROUP, FocusKind.SERIES_OF_GROUP):
            return self._of_group(focus)
        if focus.kind is FocusKind.SERIES:
            return [self._key_id(f"series|{focus.value}")]
        if focus.kind is FocusKind.PRESENTATION_STATE:
            paths = _state_paths(self.study, focus, self.state.at_home)
            return [self._key_id(f"{GroupKind.PRESENTATION}|{path}") for path in paths]
        return self._in_frame_of_reference(focus.value)

    def _of_group(self, focus: Focus) -> list[str]:
        """A group's own references, or those of the whole series that its items lie in."""
        target = self.by_key.get(focus.value)
        places = sorted(self.places[id(target)]) if target else []
        if focus.kind is FocusKind.SERIES_OF_GROUP:
            return [self._key_id(identity.series_key(*place)) for place in places]
        return [self._id(target, *place) for place in places] if target else []

    def _key_id(self, key: str) -> str:
        return identity.reference_id(key, self.policy.namespace)

    def _series_in(self, uid: str) -> list[SeriesState]:
        found = self.context.in_frames.get(uid)
        if found is None:
            found = self.context.in_frames[uid] = series_in(self.study, uid)
        return found

    def _in_frame_of_reference(self, uid: str) -> list[str]:
        """The one known series of the study that has this Frame of Reference UID (PS3.3 C.18.9)."""
        found = self._series_in(uid)
        if not found:
            self.warnings.add(WarningCode.UNRESOLVED_FRAME_OF_REFERENCE)
        if len(found) != 1:
            return []
        return [
            self._key_id(identity.series_key(self.study.study_instance_uid, found[0].series_instance_uid))
        ]


def _state_paths(study: StudyState, focus: Focus, at_home: bool) -> list[str]:
    """Where the presentation state lies that a focus names: as evidence says, else wherever it arrived in the
    document's own study (MAPPING 2).
    """
    said_study, _, sop_instance_uid = focus.value.split("|")
    if said_study:
        return [focus.value]
    places = sorted(study.places(sop_instance_uid)) if at_home else []
    return [f"{study.study_instance_uid}|{place}|{sop_instance_uid}" for place in places]


def groups_of(content: Document, policy: Policy) -> tuple[ReportedGroup, ...]:
    """The groups that make references: none for a manifest, unless the site wants those."""
    return () if content.manifest and not policy.publish_manifests else content.groups


def fragments(study: StudyState, state: DocumentState, policy: Policy) -> dict[str, FragmentReported]:
    """The document's current part for every other study it names or was ever sent to, by study UID. Of a
    group that only points at a presentation state there, this alone: so its erasure is told (CONTRACT 2).

    `sequence` is left 0: the sender numbers what it sends.
    """
    own = study.study_instance_uid
    groups = [group for content in state.contents for group in content.groups]
    targets = {item.study_instance_uid for group in groups for item in group.items} | set(state.sent)
    targets |= {_study_of(f) for group in groups for f in group.focus if _is_state(f)}
    withdrawn = earliest(reasons_against_document(study, state, policy.hide_quality_rejections))
    found = {}
    for target in sorted(targets - {own, ""}):
        parts = [(stamp, _part(study, content, target, policy)) for stamp, content in state.said]
        former = [said for said in parts[1:] if said[1].groups]
        found[target] = FragmentReported(
            target,
            parts[0][1],
            state.stamp,
            0,
            tuple(part for _, part in former),
            withdrawn or "",
            partly_erased=bool(study.erased),
            former_stamps=tuple(stamp for stamp, _ in former),
        )
    return found


def _is_state(focus: Focus) -> bool:
    return focus.kind is FocusKind.PRESENTATION_STATE


def _study_of(state: Focus) -> str:
    return state.value.partition("|")[0]


def _part(study: StudyState, content: Document, target: str, policy: Policy) -> Document:
    """What of a content of this study concerns another one."""
    groups = []
    for group in groups_of(content, policy):
        if group.kind is GroupKind.SOURCE_ITEM:
            continue
        items = tuple(item for item in group.items if item.study_instance_uid == target)
        focus = [told for each in group.focus for told in _told(study, each, content, policy)]
        if items:
            groups.append(group._replace(items=items, focus=tuple(focus)))
            continue
        states = [f for f in focus if _is_state(f) and _study_of(f) == target]
        if states:
            groups.append(ReportedGroup(group.kind, group.suffix, Concept(), (), focus=tuple(states)))
    return content._replace(groups=tuple(groups), predecessors=(), rejection=None, problem="")


def _told(study: StudyState, focus: Focus, content: Document, policy: Policy) -> list[Focus]:
    """A focus as another study can follow it: one on a group of the document's own series becomes an id, and
    a presentation state is told with its place.
    """
    if focus.kind is FocusKind.PRESENTATION_STATE:
        return [focus._replace(value=path) for path in _state_paths(study, focus, at_home=True)]
    kind, _, suffix = focus.value.partition("|")
    if focus.kind is not FocusKind.GROUP or kind not in (GroupKind.SOURCE_ITEM, GroupKind.PRESENTATION):
        return [focus]
    path = content.path
    key = identity.document_key(
        kind, path.study_instance_uid, path.series_instance_uid, canonical_uid_of(content), suffix
    )
    return [Focus(FocusKind.REFERENCE, identity.reference_id(key, policy.namespace))]
