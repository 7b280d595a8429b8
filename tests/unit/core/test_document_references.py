"""A family of documents → references of one study, and its fragments for others."""

from __future__ import annotations

import pytest

from processors.core.checks import check
from processors.core.document_references import FamilyView, fragments, of_family
from processors.core.events import (
    Accession,
    Document,
    DocumentPath,
    DocumentsSuperseded,
    Focus,
    FocusKind,
    FragmentReported,
    GroupKind,
    InstanceHeader,
    Region,
    ReportedGroup,
    SeriesHeader,
    SubsetKind,
)
from processors.core.identity import reference_id
from processors.core.policy import Identity, Policy
from processors.core.reference import Identifier, ImagingReference
from processors.core.references import context_of
from processors.core.series import Published
from processors.core.study import StudyState
from processors.errors import WarningCode
from tests.builders.events import (
    CT,
    HEADER,
    OF_INTEREST,
    SR,
    STUDY,
    arrived,
    deleted,
    document,
    item,
    key_images,
    reported,
    stamp,
    study_of,
    updated,
)

SITE = Policy(identity=Identity(accession_system="urn:orders"))


def family(study: StudyState, canonical: str = "5.1", policy: Policy = SITE) -> FamilyView:
    return of_family(study, canonical, context_of(study, policy), policy)


def references(*events: object, policy: Policy = SITE) -> list[ImagingReference]:
    return list(family(study_of(*events), policy=policy).references.values())


def uids(reference: ImagingReference) -> list[str]:
    return [i.sop_instance_uid for i in reference.instances]


def test_one_reference_a_series_with_the_documents_own_category() -> None:
    note = document(key_images(item(), item("3.5", series="2.2"), item("3.2"), item("3.9", study="1.2")))
    one, other = references(reported(note))
    assert [(r.series_instance_uid, uids(r)) for r in (one, other)] == [
        ("2.1", ["3.1", "3.2"]),
        ("2.2", ["3.5"]),
    ]
    assert one.id == reference_id("kos|1.1|2.1|5.1")
    assert (one.kind, one.modality, one.category[0].text) == ("key_images", "KO", "")
    assert (one.series_number, one.document_uid) == (None, "5.1")
    enriched, _ = references(reported(note), arrived())
    assert enriched.series_number == HEADER.series_number


# ---- places ----------------------------------------------------------------------------------------------

UNPLACED = item(study="", series="")


def test_an_item_without_evidence_lies_where_its_sop_uid_arrived() -> None:
    made = document(key_images(UNPLACED))
    study = study_of(reported(made))
    assert family(study) == ({}, {}, (made.path,), frozenset())
    found = references(reported(made), arrived(series="2.1"), arrived(series="2.2"))
    assert [r.series_instance_uid for r in found] == ["2.1", "2.2"]
    assert family(study_of(reported(made), arrived())).unresolved == ()


def test_a_document_that_is_gone_waits_for_nothing() -> None:
    study = study_of(reported(document(key_images(UNPLACED))), deleted("5.1", 2, series="2.9"))
    assert family(study).unresolved == ()


def test_a_fragment_never_looks_for_what_has_no_evidence() -> None:
    far = document(key_images(UNPLACED), study="1.2")
    study = study_of(FragmentReported(STUDY, far, stamp(1), 0), arrived())
    assert family(study).references == {}


# ---- copies and contents ---------------------------------------------------------------------------------


def copy(sop: str, *, of: str, number: str = "3.1") -> Document:
    return document(key_images(item(number)), sop=sop, identical=(of,))


def test_copies_share_references_and_one_that_stands_speaks() -> None:
    one, other = copy("5.1", of="5.2"), copy("5.2", of="5.1", number="3.2")
    for order in ([one, other], [other, one]):
        events = [reported(each) for each in order]
        (reference,) = references(*events)
        assert (reference.id, uids(reference)) == (reference_id("kos|1.1|2.1|5.1"), ["3.1"])
        (reference,) = references(*events, deleted("5.1", 2, series="2.9"))
        assert (uids(reference), reference.withdrawn) == (["3.2"], None)
        gone = [deleted(sop, 2, series="2.9") for sop in ("5.1", "5.2")]
        (reference,) = references(*events, *gone)
        assert (uids(reference), reference.withdrawn) == (["3.1"], "deleted")


def test_a_former_contents_own_references_are_superseded() -> None:
    before = document(key_images(item("3.1"), item("3.5", series="2.2")))
    after = document(key_images(item("3.2")))
    view = family(study_of(reported(before, 1), reported(after, 2)))
    assert [uids(r) for r in view.references.values()] == [["3.2"]]
    (former,) = view.former.values()
    assert (uids(former), former.withdrawn) == (["3.5"], "superseded")


def test_a_former_content_under_another_family_leaves_that_family() -> None:
    study = study_of(reported(copy("5.2", of="5.1"), 1), reported(document(key_images(item()), sop="5.2"), 2))
    view = family(study, "5.1")
    assert view.references == {}
    assert [r.withdrawn for r in view.former.values()] == ["superseded"]
    assert [r.withdrawn for r in family(study, "5.2").references.values()] == [None]


def test_a_superseded_document_lists_all_it_listed() -> None:
    events = [reported(document(key_images(item("3.1"), item("3.2")))), arrived("3.2"), deleted("3.2", 2)]
    (reference,) = references(*events, DocumentsSuperseded(STUDY, ("5.1",), stamp(3)))
    assert (reference.withdrawn, uids(reference)) == ("superseded", ["3.2", "3.1"])


def test_a_manifest_is_no_selection_unless_the_site_wants_so() -> None:
    made = document(key_images(item()))._replace(manifest=True)
    assert references(reported(made)) == []
    assert len(references(reported(made), policy=Policy(publish_manifests=True))) == 1


# ---- what a reference says -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accessions", "events", "expected"),
    [
        ((), [], ["A0"]),
        ((), [arrived(at_s=9, header=SeriesHeader(accession=Accession("A5")))], ["A5"]),
        ((Accession("A1"), Accession("A2")), [], ["A1", "A2"]),
        ((Accession("A1"),), [updated(1, SeriesHeader(accession=Accession("A9")))], ["A9"]),
        ((Accession("A1"),), [updated(1, SeriesHeader(patient_id="P9"))], ["A1"]),
    ],
)
def test_the_order_is_the_documents_own_unless_corrected(
    accessions: tuple[Accession, ...], events: list[object], expected: list[str]
) -> None:
    header = HEADER._replace(accession=Accession("A0"))
    made = document(key_images(item()), header=header)._replace(accessions=accessions)
    (reference,) = references(reported(made, 2), *events)
    assert reference.based_on == tuple(Identifier("urn:orders", value) for value in expected)


def test_a_fragments_order_is_its_documents() -> None:
    header = HEADER._replace(accession=Accession("A0"))
    far = document(key_images(item()), study="1.2", header=header)
    correction = updated(9, SeriesHeader(accession=Accession("A9")))
    (reference,) = references(FragmentReported(STUDY, far, stamp(1), 0), correction)
    assert reference.based_on == (Identifier("urn:orders", "A0"),)


def test_a_kind_may_follow_from_the_subset() -> None:
    segment = item("5.7")._replace(subset_kind=SubsetKind.SEGMENTS, subset=("1",))
    (reference,) = references(reported(document(key_images(segment))))
    assert reference.kind == "segment"


# ---- focus -----------------------------------------------------------------------------------------------


def observation(*focus: Focus) -> Document:
    made = document(sop_class=SR)
    own = ReportedGroup(GroupKind.SOURCE_ITEM, "1.5", OF_INTEREST, (item("5.1", series="2.9", sop_class=SR),))
    region = ReportedGroup(GroupKind.REGION, "1.5.1", OF_INTEREST, (item(),), focus=focus)
    return made._replace(groups=(own, region))


TO_OWN = Focus(FocusKind.GROUP, "sr-item|1.5")
IN_3D = Focus(FocusKind.FRAME_OF_REFERENCE, "4.1")


@pytest.mark.parametrize(
    ("focus", "expected"),
    [
        (Focus(FocusKind.REFERENCE, "an-id"), ["an-id"]),
        (TO_OWN, [reference_id("sr-item|1.1|2.9|5.1|1.5")]),
        (Focus(FocusKind.GROUP, "sr-item|1.6"), []),
        (Focus(FocusKind.GROUP, "sr-region|1.5.1"), []),
        (Focus(FocusKind.SERIES, "1.1|2.4"), [reference_id("series|1.1|2.4")]),
        (Focus(FocusKind.PRESENTATION_STATE, "1.1|2.4|5.4"), [reference_id("pr|1.1|2.4|5.4")]),
    ],
)
def test_what_a_reference_points_at(focus: Focus, expected: list[str]) -> None:
    region = references(reported(observation(focus, focus)))[-1]
    assert list(region.focus) == expected, "each once, and never itself"


def test_a_source_item_only_where_something_points_at_it() -> None:
    assert [r.kind for r in references(reported(observation(TO_OWN)))] == ["source_item", "region"]
    assert [r.kind for r in references(reported(observation()))] == ["region"]


def test_nothing_points_at_it_from_a_group_that_lies_nowhere() -> None:
    own, region = observation(TO_OWN).groups
    made = document(own, region._replace(items=(UNPLACED,)), sop_class=SR)
    assert references(reported(made)) == []


def in_frame(series: str, uid: str = "4.1", sop_class: str = CT) -> object:
    return arrived(series=series, instance=InstanceHeader(sop_class, 1, frame_of_reference_uid=uid))


@pytest.mark.parametrize(
    ("known", "expected", "warns"),
    [
        ([], [], True),
        ([in_frame("2.1", "4.2")], [], True),
        ([in_frame("2.4", sop_class=SR)], [], True),
        ([in_frame("2.1")], [reference_id("series|1.1|2.1")], False),
        ([in_frame("2.1"), in_frame("2.2")], [], False),
    ],
)
def test_a_3d_focus_is_the_one_series_with_the_frame_of_reference(
    known: list[object], expected: list[str], warns: bool
) -> None:
    view = family(study_of(reported(observation(IN_3D)), *known))
    (region,) = view.references.values()
    assert list(region.focus) == expected
    assert (WarningCode.UNRESOLVED_FRAME_OF_REFERENCE in view.warnings) is warns


# ---- regions in space on an image -------------------------------------------------------------------------

ON_IMAGES = Policy(space_regions="image")
POINT = Region("point", (1, 2, 3))


def in_space() -> Document:
    own = item("5.1", series="2.9", sop_class=SR)._replace(
        subset_kind=SubsetKind.CONTENT_ITEMS, subset=("7.1",), regions_3d=(POINT,)
    )
    group = ReportedGroup(
        GroupKind.REGION, "1.5.1", OF_INTEREST, (own,), focus=(IN_3D,), frame_of_reference_uid="4.1"
    )
    return document(group, sop_class=SR)


def slice_of(number: int, series: str = "2.1", at_s: int = 1) -> object:
    header = InstanceHeader(CT, number, frame_of_reference_uid="4.1")
    return arrived(f"3.{number}", at_s, series=series, instance=header)


def hung(*events: object, policy: Policy = ON_IMAGES) -> list[tuple[str, str, str]]:
    """(series, instance, why withdrawn) of all references, those that only earlier knowledge made last."""
    view = family(study_of(reported(in_space()), *events), policy=policy)
    found = [*view.references.values(), *view.former.values()]
    assert all(r.instances[0].regions_3d == (POINT,) for r in found)
    assert [r.id for r in found] == [
        reference_id(f"sr-region|1.1|{r.series_instance_uid}|5.1|1.5.1") for r in found
    ]
    return [(r.series_instance_uid, uid, r.withdrawn or "") for r in found for uid in uids(r)]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], [("2.9", "5.1", "")]),
        ([in_frame("2.1", "4.2")], [("2.9", "5.1", "")]),
        ([slice_of(4), slice_of(3)], [("2.1", "3.3", ""), ("2.9", "5.1", "superseded")]),
        (
            [slice_of(3), slice_of(4, "2.2")],
            [("2.9", "5.1", ""), ("2.1", "3.3", "superseded"), ("2.2", "3.4", "superseded")],
        ),
        ([slice_of(3), slice_of(4), deleted("3.3", 2)], [("2.1", "3.4", ""), ("2.9", "5.1", "superseded")]),
        ([slice_of(3), deleted("3.3", 2)], [("2.1", "3.3", "deleted"), ("2.9", "5.1", "superseded")]),
    ],
    ids=["none known", "another frame", "the first image", "several series", "the first left", "all deleted"],
)
def test_a_region_in_space_hangs_on_the_first_image_of_the_one_series(
    known: list[object], expected: list[tuple[str, str, str]]
) -> None:
    assert hung(*known) == expected


def test_it_leaves_an_image_that_is_said_to_be_in_another_frame() -> None:
    other = arrived("3.3", 2, instance=InstanceHeader(CT, 3, frame_of_reference_uid="4.2"))
    study = study_of(reported(in_space()), slice_of(3), other)
    published = reference_id("sr-region|1.1|2.1|5.1|1.5.1")
    study.ledgers["5.1"] = {published: Published(1, b"")}
    former = family(study, policy=ON_IMAGES).former[published]
    assert (uids(former), former.withdrawn) == (["3.3"], "superseded")


def test_on_an_image_it_is_a_region_of_the_image() -> None:
    (region,) = family(study_of(reported(in_space()), slice_of(3)), policy=ON_IMAGES).references.values()
    (image,) = region.instances
    assert (image.sop_class_uid, image.number, image.subset) == (CT, 3, ())
    assert region.frame_of_reference_uid == "4.1"
    assert check(region) == []


def test_by_default_it_stays_with_the_report() -> None:
    assert hung(slice_of(3), policy=Policy()) == [("2.9", "5.1", "")]


# ---- fragments -------------------------------------------------------------------------------------------

OTHER = item("3.9", study="1.2", series="2.5")


def fragment_of(study: StudyState, target: str = "1.2") -> FragmentReported:
    (state,) = study.documents.values()
    return fragments(study, state, SITE)[target]


def test_a_fragment_is_what_concerns_the_other_study() -> None:
    own, region = observation(TO_OWN).groups
    made = document(
        own,
        region._replace(items=(item(), OTHER)),
        sop_class=SR,
        predecessors=(DocumentPath("1.2", "2.9", "5.0"),),
    )
    study = study_of(reported(made))
    (state,) = study.documents.values()
    assert fragments(study, state, SITE).keys() == {"1.2"}
    fragment = fragment_of(study)
    (group,) = fragment.document.groups
    assert group.items == (OTHER,)
    assert group.focus == (Focus(FocusKind.REFERENCE, reference_id("sr-item|1.1|2.9|5.1|1.5")),)
    assert (fragment.document.predecessors, fragment.withdrawn, fragment.former) == ((), "", ())
    there = study_of(fragment._replace(study_instance_uid="1.2"))
    assert there.documents[made.path].at_home is False


def test_a_fragment_tells_what_became_of_its_document() -> None:
    made = document(key_images(item(), OTHER))
    study = study_of(reported(made, 1), deleted("5.1", 2, series="2.9"))
    assert fragment_of(study).withdrawn == "deleted"
    study = study_of(reported(made, 1), reported(document(key_images(item())), 2))
    fragment = fragment_of(study)
    assert fragment.document.groups == ()
    assert [f.groups[0].items for f in fragment.former] == [(OTHER,)]


def test_a_study_that_was_told_once_is_told_of_every_change() -> None:
    study = study_of(reported(document(key_images(item()))))
    (state,) = study.documents.values()
    assert fragments(study, state, SITE) == {}
    state.sent["1.3"] = (0, b"")
    assert fragment_of(study, "1.3").document.groups == ()


def test_a_manifests_fragment_is_empty() -> None:
    study = study_of(reported(document(key_images(OTHER))._replace(manifest=True)))
    assert fragment_of(study).document.groups == ()
