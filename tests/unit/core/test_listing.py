"""Which of the items a document names are listed, and how."""

from __future__ import annotations

import pytest

from processors.core.events import InstanceHeader, InstancesRejected, Region, ReportedItem, SubsetKind
from processors.core.listing import Listing, list_items
from processors.core.policy import Policy
from processors.core.reference import WithdrawalReason
from tests.builders.events import CT, SERIES, STUDY, arrived, deleted, item, stamp, study_of

SEG = "1.2.840.10008.5.1.4.1.1.66.4"
POINT = Region("point", (1, 2))
OTHER_POINT = Region("point", (3, 4))


def frames(sop: str, *numbers: int, sop_class: str = CT) -> ReportedItem:
    return item(sop, sop_class=sop_class)._replace(
        subset_kind=SubsetKind.FRAMES, subset=tuple(map(str, numbers))
    )


def content_items(*uids: str) -> ReportedItem:
    return item("5.1")._replace(subset_kind=SubsetKind.CONTENT_ITEMS, subset=uids)


def listed(*items: ReportedItem, known: tuple[object, ...] = (), standing: bool = True) -> Listing:
    return list_items(study_of(*known), SERIES, items, Policy(), standing)


def shown(listing: Listing) -> list[tuple[str, ...]]:
    return [(i.sop_instance_uid, *i.subset) for i in listing.instances]


TEN = arrived(instance=InstanceHeader(CT, 1, frames=10))


@pytest.mark.parametrize(
    ("items", "known", "expected"),
    [
        ([item("3.2"), item("3.1"), item("3.2")], [], [("3.1",), ("3.2",)]),
        ([item("3.2"), item("3.1")], [arrived("3.2")], [("3.2",), ("3.1",)]),
        ([frames("3.1", 2, 10), frames("3.1", 9, 2)], [], [("3.1", "2", "9", "10")]),
        ([frames("3.1", 2), item("3.1")], [], [("3.1",)]),
        ([item("3.1"), frames("3.1", 2)], [], [("3.1",)]),
        ([frames("3.1", 2, 11)], [TEN], [("3.1", "2")]),
        ([frames("3.1", 11), frames("3.1", 4)], [TEN], [("3.1", "4")]),
        ([frames("3.1", 11), item("3.2")], [TEN], [("3.2",)]),
        ([frames("3.1", 11)], [arrived()], [("3.1", "11")]),
        ([frames("3.1", 2, sop_class=SEG)], [], [("3.1",)]),
        ([frames("3.1", 2)], [arrived(instance=InstanceHeader(SEG))], [("3.1",)]),
        ([content_items("9.10"), content_items("9.2")], [], [("5.1", "9.10", "9.2")]),
        ([content_items("9.1"), frames("5.1", 3)], [], [("5.1",)]),
    ],
)
def test_one_entry_an_instance(
    items: list[ReportedItem], known: list[object], expected: list[tuple[str, ...]]
) -> None:
    listing = listed(*items, known=tuple(known))
    assert (shown(listing), listing.reasons) == (expected, ())


def test_regions_share_an_entry_with_their_subset_and_swallow_its_plain_mention() -> None:
    whole = item()._replace(regions_2d=(POINT,))
    again = item()._replace(regions_2d=(POINT, OTHER_POINT))
    framed = frames("3.1", 2)._replace(regions_2d=(POINT,))
    for items in ([whole, item(), again, framed], [item(), whole, again, framed]):
        listing = listed(*items)
        assert [(i.subset, i.regions_2d) for i in listing.instances] == [
            ((), (POINT, OTHER_POINT)),
            (("2",), (POINT,)),
        ]


GONE = (arrived(), deleted(at_s=2))


def test_what_does_not_stand_is_left_out_while_anything_does() -> None:
    assert shown(listed(item("3.1"), item("3.2"), known=GONE)) == [("3.2",)]
    rejected = InstancesRejected(STUDY, "113037", (("", "3.2"),), stamp(3))
    assert shown(listed(item("3.1"), item("3.2"), known=(rejected,))) == [("3.1",)]


@pytest.mark.parametrize(
    ("items", "known", "standing", "expected", "reasons"),
    [
        ([item()], GONE, True, [("3.1",)], ("deleted",)),
        ([item(), frames("3.2", 11)], (*GONE, arrived("3.2", instance=TEN.instance)), True,
         [("3.1",)], ("deleted",)),
        ([item()], GONE, False, [("3.1",)], ("deleted",)),
        ([item(), item("3.2")], GONE, False, [("3.1",), ("3.2",)], ()),
        ([frames("3.1", 11)], (TEN,), True, [("3.1", "11")], ("invalid",)),
        ([frames("3.1", 11)], (TEN,), False, [("3.1", "11")], ("invalid",)),
        ([item()], (), False, [("3.1",)], ()),
        ([], (), True, [], ()),
    ],
)  # fmt: skip
def test_where_nothing_stands_all_that_is_valid_is_listed(
    items: list[ReportedItem],
    known: tuple[object, ...],
    standing: bool,
    expected: list[tuple[str, ...]],
    reasons: tuple[str, ...],
) -> None:
    listing = listed(*items, known=known, standing=standing)
    assert (shown(listing), listing.reasons) == (expected, reasons)


def test_numbers_and_classes_come_from_the_instance_itself() -> None:
    enhanced = "1.2.840.10008.5.1.4.1.1.2.1"
    known = arrived(instance=InstanceHeader(enhanced, 4))
    (entry,) = listed(item(sop_class=CT), known=(known,)).instances
    assert (entry.number, entry.sop_class_uid) == (4, enhanced)
    (entry,) = listed(item(sop_class=CT), known=(arrived(instance=InstanceHeader()),)).instances
    assert (entry.number, entry.sop_class_uid) == (None, CT)


@pytest.mark.parametrize(
    ("known", "expected"),
    [(["4.1", "4.1"], "4.1"), (["4.1", "4.2"], ""), (["4.1", ""], ""), (["4.1"], "")],
)
def test_a_frame_of_reference_only_if_all_are_known_to_have_it(known: list[str], expected: str) -> None:
    arrivals = [
        arrived(f"3.{n}", instance=InstanceHeader(CT, frame_of_reference_uid=uid))
        for n, uid in enumerate(known, 1)
    ]
    listing = listed(item("3.1"), item("3.2"), known=tuple(arrivals))
    assert listing.frame_of_reference_uid == expected
    assert [i.sop_instance_uid for i in listing.holders] == [a.sop_instance_uid for a in arrivals]


def test_frames_of_a_segmentation_stand_beside_its_segments() -> None:
    said = item("3.1", sop_class=SEG)._replace(
        subset_kind=SubsetKind.SEGMENTS, subset=("2",), segmentation_frames=("4", "11")
    )
    ten = arrived(instance=InstanceHeader(SEG, 1, frames=10))
    for items, known, shown_as in (
        ([said], (), (("2",), ("4", "11"))),
        ([said], (ten,), (("2",), ("4",))),
        (
            [said, said._replace(subset=("3",), segmentation_frames=("1",))],
            (),
            (("2", "3"), ("1", "4", "11")),
        ),
        ([said, said._replace(segmentation_frames=())], (), (("2",), ())),
        ([frames("3.1", 7, sop_class=SEG)], (), ((), ("7",))),
    ):
        (entry,) = listed(*items, known=known).instances
        assert (entry.subset, entry.segmentation_frames) == shown_as
    beyond = said._replace(segmentation_frames=("11",))
    assert listed(beyond, known=(ten,)).reasons == (WithdrawalReason.INVALID,)


def test_regions_of_a_total_pixel_matrix_keep_an_entry_of_their_own() -> None:
    one, other = (item()._replace(matrix_regions=(region,)) for region in (POINT, OTHER_POINT))
    (entry,) = listed(one, item(), other).instances
    assert entry.matrix_regions == (POINT, OTHER_POINT)
