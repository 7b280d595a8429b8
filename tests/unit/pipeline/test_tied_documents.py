"""Reports that are tied to others by their names, their contents of before or what they are to be seen with:
the same is left in every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest

from processors.core.corrections import AnyEvent, InstanceErased, Scope
from processors.core.events import Focus, FocusKind, InstanceHeader, StudyUpdated
from tests.builders.events import (
    HEADER,
    KOS,
    SERIES,
    STUDY,
    arrived,
    document,
    item,
    key_images,
    reported,
    stamp,
)
from tests.unit.pipeline.test_moves import OTHER, changed, latest, played

STATE = Focus(FocusKind.PRESENTATION_STATE, f"{OTHER}|2.9|5.7")


def erased(sop: str, at_s: int, *, series: str = SERIES, study: str = STUDY) -> InstanceErased:
    return InstanceErased(study, series, sop, stamp(at_s, removal=True))


def unplaced(sop: str) -> Any:
    return item(sop, study="", series="")


def said(events: Sequence[AnyEvent]) -> list[list[tuple[Any, ...]]]:
    """What is available after each order: (study, series, SOP UIDs, how many in focus), sorted."""
    found = []
    for order in permutations(events):
        left = latest(played(order)).values()
        found.append(sorted(_short(resource) for resource in left if resource["status"] == "available"))
    return found


def _short(resource: dict[str, Any]) -> tuple[Any, ...]:
    uids = tuple(each["uid"] for each in resource["instance"])
    return resource["studyUid"], resource["seriesUid"], uids, len(resource.get("focus", ()))


# ---- what was said before --------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_what_a_report_said_before_an_erasure_in_another_study_goes_whatever_it_says_since(
    order: tuple[int, ...],
) -> None:
    """CONTRACT 2: the instance leaves every reference, a withdrawn one of a former content, too; and nothing
    points at what is gone.
    """
    first = key_images(item("3.1", study=OTHER), item("3.2", study=OTHER))._replace(focus=(STATE,))
    events = (
        reported(document(first), 1),
        reported(document(key_images(item("3.3"))), 9),
        erased("3.1", 5, study=OTHER),
        erased("5.7", 5, series="2.9", study=OTHER),
    )
    left = [r for r in latest(played(events[at] for at in order)).values() if r["studyUid"] == OTHER]
    assert [([i["uid"] for i in r["instance"]], r.get("focus")) for r in left] in ([], [(["3.2"], None)])


def test_a_report_whose_parts_had_several_canonical_uids_is_erased_with_all_of_them() -> None:
    """MAPPING 3.1: nothing of it is left, and the study that it told goes on being evaluated."""
    near, far = key_images(item("3.1", study=OTHER)), key_images(item("3.1"))
    contents = (
        document(near, far, sop="5.2", study=OTHER),
        document(near, sop="5.2", study=OTHER, identical=("5.1",)),
        document(near, sop="5.2", study=OTHER),
    )
    events: list[AnyEvent] = [reported(each, at_s) for at_s, each in enumerate(contents, 1)]
    gone = erased("5.2", 9, series="2.9", study=OTHER)
    site = played([*events, gone, StudyUpdated(STUDY, stamp(9), HEADER)])
    assert latest(site) == {}


# ---- states that it is to be seen with -------------------------------------------------------------------


def test_a_state_of_a_study_of_which_a_report_names_no_image_is_no_focus_once_it_is_erased() -> None:
    """CONTRACT 2: nothing points at what is gone, whoever else told the report's study of it."""
    seen_with = reported(document(key_images(item("3.1"))._replace(focus=(STATE,)), sop="5.1"), 1)
    teller = reported(document(key_images(item("3.9", study=OTHER))._replace(focus=(STATE,)), sop="5.2"), 1)
    gone = erased("5.7", 5, series="2.9", study=OTHER)
    alone: list[AnyEvent] = [seen_with, gone]
    for events in (alone, [*alone, teller, erased("5.2", 5, series="2.9")]):
        found = said(events)
        assert found == [[(STUDY, SERIES, ("3.1",), 0)]] * len(found)


# ---- names -----------------------------------------------------------------------------------------------


def test_a_report_that_bears_the_name_it_looks_for_finds_all_that_bear_it() -> None:
    """MAPPING 2: without evidence a UID is looked for among all of the report's study, by names of now."""
    events: list[AnyEvent] = [
        reported(document(key_images(unplaced("3.2")), sop="5.2", study=OTHER), 1),
        changed(Scope(OTHER, "2.9", "5.2"), Scope(STUDY, SERIES, "3.2"), 2),
        arrived("3.2", 4, series="2.5", instance=InstanceHeader(KOS, 1)),
    ]
    found = said(events)
    assert found == [[(STUDY, SERIES, ("3.2",), 0), (STUDY, "2.5", ("3.2",), 0)]] * len(found)


def test_of_a_name_that_a_report_only_bore_on_its_way_nothing_is_left_available() -> None:
    """CONTRACT 4: the latest change holds, and a reference under a name of before is withdrawn; also where
    another report bears that name now.
    """
    events: list[AnyEvent] = [
        reported(document(key_images(unplaced("5.2"))), 1),
        changed(Scope(STUDY, "2.9", "5.1"), Scope(STUDY, "2.9", "5.2"), 1),
        changed(Scope(STUDY, "2.9", "5.1"), Scope(STUDY, "2.9", "3.1"), 3),
    ]
    assert [each for each in said(events) if each] == []
    namesake = reported(document(key_images(item("3.1", series="2.5")), sop="5.2"), 3)
    found = said([*events, namesake])
    assert found[1:] == found[:-1]


def test_a_report_is_erased_by_the_name_that_it_gets_later_though_it_is_its_own_state() -> None:
    """CONTRACT 2: what is erased under one name is under all, by whichever way its home hears of it."""
    itself = key_images(item("3.2", series="2.9"))._replace(
        focus=(Focus(FocusKind.PRESENTATION_STATE, "||5.1"),)
    )
    events: list[AnyEvent] = [
        reported(document(itself, study=OTHER), 2),
        erased("5.1", 4, series="2.9"),
        changed(Scope(OTHER, "2.9", "5.1"), Scope(STUDY, "2.9", "5.1"), 4),
    ]
    assert [each for each in said(events) if each] == []


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_a_report_goes_with_the_image_that_it_names_if_both_are_one_since_names_changed(
    order: tuple[int, ...],
) -> None:
    """CONTRACT 2: under every name, also where its study hears first that it names what is gone."""
    made = reported(document(key_images(item("3.1"), item("3.2")), study=OTHER), 1)
    namesake = erased("3.1", 5, series="2.2")
    changes = (
        changed(Scope(OTHER, "2.9", "5.1"), Scope(OTHER, SERIES, "3.1")),
        changed(Scope(STUDY), Scope(OTHER), 6),
    )
    site = played([made, namesake, *(changes[at] for at in order), erased("3.1", 5)])
    assert [r for r in latest(site).values() if r["status"] == "available"] == []


@pytest.mark.parametrize("gone_at_s", [None, 3])
def test_a_moved_report_finds_what_arrives_in_the_study_it_came_from(gone_at_s: int | None) -> None:
    """MAPPING 2, CONTRACT 4: at the pace of its rules; and what is erased there, it loses."""
    image = arrived("3.2", 0, series="2.2")
    events: list[AnyEvent] = [
        reported(document(key_images(unplaced("3.2")), sop="5.2"), 4),
        changed(Scope(STUDY, "2.9", "5.2"), Scope(OTHER, "2.9", "5.3"), 2),
        image,
    ]
    if gone_at_s is not None:
        events.append(erased("3.2", gone_at_s, series="2.2"))
    expected = [] if gone_at_s is not None else [(STUDY, "2.2", ("3.2",), 0)] * 2
    found = said(events)
    assert found == [expected] * len(found)
