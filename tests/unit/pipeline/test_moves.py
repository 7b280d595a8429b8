"""Changed UIDs: references under old names are withdrawn, those under new ones say what either was told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import permutations
from typing import Any

import pytest

from processors.core.corrections import InstanceErased, Scope, UidChanged
from processors.core.events import (
    DocumentPath,
    Focus,
    FocusKind,
    FragmentReported,
    GroupKind,
    InstanceHeader,
    Region,
    ReportedGroup,
    SeriesCompleted,
    SeriesHeader,
)
from processors.core.folding import fold
from processors.core.moved_study import seen
from processors.core.policy import Policy
from processors.core.study import StudyState
from processors.core.uid_changes import Routes
from processors.pipeline import moves
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import OutputRecord, OutputTopic
from tests.builders.events import (
    CT,
    DAY_US,
    OF_INTEREST,
    ORIGIN,
    SERIES,
    SR,
    STUDY,
    arrived,
    completed,
    deleted,
    document,
    item,
    key_images,
    rejection,
    reported,
    selected,
    stamp,
)
from tests.unit.pipeline.site import PARTITIONS, Site, facts, letters, resources

OTHER = next(f"1.{n}" for n in range(2, 99) if home_of(f"1.{n}", PARTITIONS) != home_of(STUDY, PARTITIONS))
"""A study of another partition."""
THIRD = next(f"3.{n}" for n in range(2, 99) if home_of(f"3.{n}", PARTITIONS) != home_of(STUDY, PARTITIONS))
MOVED = "2.7"


def changed(prior: Scope, present: Scope, at_s: int = 5) -> UidChanged:
    return UidChanged(prior, present, stamp(at_s, event_id=f"{prior}{present}"))


TO_OTHER = changed(Scope(STUDY), Scope(OTHER))
SERIES_TO_OTHER = changed(Scope(STUDY, SERIES), Scope(OTHER, MOVED))


def as_sent(event: UidChanged) -> bytes:
    at_s = (event.stamp.occurred_at_us - DAY_US) // 1_000_000
    said = {
        "event": "uid.changed",
        "event_id": "c",
        "source": "PACS_A",
        "occurred_at": f"2026-01-02T08:00:{at_s:02}Z",
    }
    said |= {f"prior_{name}": uid for name, uid in event.prior._asdict().items()}
    return json.dumps(said | event.present._asdict()).encode()


def played(events: Iterable[Any], wait_s: float = 400) -> Site:
    """One step an event, and time enough for every clock between them."""
    site = Site()
    for each in events:
        tell(site, each)
        site.wait(wait_s)
    site.wait(400)
    return site


def tell(site: Site, event: Any) -> None:
    if isinstance(event, UidChanged):
        site.feed(site.record(as_sent(event)))
    else:
        site.tell(event)


def latest(site: Site) -> dict[str, dict[str, Any]]:
    found = {(o.key or b"").decode(): o for o in site.outputs if o.topic is OutputTopic.FHIR}
    return {reference_id: resource(o) for reference_id, o in found.items() if o.value is not None}


def resource(output: OutputRecord) -> dict[str, Any]:
    return resources([output])[0]


def listed(site: Site) -> list[tuple[str, str, str, list[str]]]:
    """(code, study, series, SOP UIDs) of all that is available, sorted."""
    return sorted(
        (r["code"]["coding"][0]["code"], r["studyUid"], r["seriesUid"], [i["uid"] for i in r["instance"]])
        for r in latest(site).values()
        if r["status"] == "available"
    )


def withdrawn(site: Site) -> list[tuple[str, str, str, list[str]]]:
    """(reason, study, series, SOP UIDs), sorted."""
    return sorted(
        (r["meta"]["tag"][0]["code"], r["studyUid"], r["seriesUid"], [i["uid"] for i in r["instance"]])
        for r in latest(site).values()
        if r["status"] != "available"
    )


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_images_move_with_their_study_to_another_partition(order: tuple[int, ...]) -> None:
    events = (arrived(), TO_OTHER, arrived("3.2", study=OTHER))
    site = played(events[n] for n in order)
    assert listed(site) == [("113015", OTHER, SERIES, ["3.1", "3.2"])]
    assert withdrawn(site) == [("superseded", STUDY, SERIES, ["3.1"])]
    assert sum(site.member.dispositions.values()) == site.member.consumed
    tell(site, TO_OTHER)
    assert [o for o in site.wait(400) if o.topic is OutputTopic.FHIR] == []


def test_a_stale_copy_under_the_old_name_is_no_second_selection() -> None:
    """PS3.5 9: the UID is never another thing's; files keep their headers (IHE PIR)."""
    site = played(
        [TO_OTHER, arrived("3.1", at_s=1), arrived("3.1", at_s=9, source="B"), arrived("3.2", at_s=9)]
    )
    assert listed(site) == [("113015", OTHER, SERIES, ["3.1", "3.2"])]


def test_a_split_takes_a_series_and_its_documents_items_along() -> None:
    made = document(key_images(item(), item("3.9", series="2.2"), item("3.1", series="", study="")))
    events = [arrived(), arrived("3.9", series="2.2"), reported(made), SERIES_TO_OTHER]
    expected = [
        ("113000", STUDY, "2.2", ["3.9"]),
        ("113000", OTHER, MOVED, ["3.1"]),
        ("113015", STUDY, "2.2", ["3.9"]),
        ("113015", OTHER, MOVED, ["3.1"]),
    ]
    for order in permutations(events):
        site = played(order)
        assert listed(site) == sorted(expected)
    assert withdrawn(played(events)) == [("superseded", STUDY, SERIES, ["3.1"])] * 2


def test_a_coerced_image_keeps_its_place_in_selections_and_regions() -> None:
    coerced = changed(Scope(STUDY, SERIES, "3.1"), Scope(STUDY, SERIES, "3.7"))
    events = [arrived(), reported(document(key_images(item()))), selected(item()), coerced]
    for order in permutations(events):
        site = played(order)
        assert [each[3] for each in listed(site)] == [["3.7"]] * 3


def test_a_moved_document_speaks_from_its_new_place() -> None:
    """Its rejection may name either path; what it refers to in other studies stays one reference."""
    made = document(key_images(item(), item("3.5", study=THIRD)))
    document_moved = changed(Scope(STUDY, "2.9"), Scope(OTHER, "2.9"))
    site = played([arrived(), arrived("3.5", study=THIRD), reported(made), document_moved])
    before = listed(site)
    assert [each[1] for each in before if each[0] == "113000"] == sorted([STUDY, THIRD])
    tell(site, reported(rejection("113037", (OTHER, "2.9", "5.1")), at_s=9))
    site.wait(400)
    assert [each[0] for each in listed(site)] == ["113015"] * 2
    assert {each[0] for each in withdrawn(site)} == {"iocm-113037"}


def test_what_the_archive_deletes_under_the_old_name_is_no_longer_the_image() -> None:
    events = [arrived(at_s=1), SERIES_TO_OTHER, deleted(at_s=9)]
    for order in permutations(events):
        assert listed(played(order)) == [("113015", OTHER, MOVED, ["3.1"])]
    gone = [arrived(at_s=1), SERIES_TO_OTHER, deleted(at_s=3)]
    for order in permutations(gone):
        assert listed(played(order)) == []
    for order in permutations([*gone, deleted(at_s=9)]):
        assert listed(played(order)) == []


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_change_back_undoes_the_one_before(order: tuple[int, ...]) -> None:
    back = changed(Scope(OTHER), Scope(STUDY), 7)
    events = (arrived(), TO_OTHER, back, arrived("3.2", at_s=8, study=OTHER))
    assert listed(played(events[n] for n in order)) == [("113015", STUDY, SERIES, ["3.1", "3.2"])]


def test_what_moved_is_no_series_of_two_studies() -> None:
    """Nor is its SOP UID one of two series."""
    same_home = next(
        f"4.{n}" for n in range(99) if home_of(f"4.{n}", PARTITIONS) == home_of(STUDY, PARTITIONS)
    )
    site = played([arrived(), changed(Scope(STUDY), Scope(same_home)), arrived(study=same_home)])
    assert [fact["warnings"] for fact in facts(site.outputs)] == [[]] * 3


def test_changes_are_followed_from_partition_to_partition() -> None:
    onward = changed(Scope(OTHER, MOVED), Scope(THIRD, "2.8"), 2)
    events = [arrived(), SERIES_TO_OTHER, onward, reported(document(key_images(item())))]
    for order in permutations(events):
        assert listed(played(order)) == [("113000", THIRD, "2.8", ["3.1"]), ("113015", THIRD, "2.8", ["3.1"])]


def test_the_study_s_own_patient_holds_over_the_one_of_what_moved_in() -> None:
    """A misfiled series: its headers still name the wrong patient."""
    stray = arrived("3.1", at_s=9, header=SeriesHeader("CT", 7, patient_id="WRONG"))
    own = arrived("3.2", at_s=1, study=OTHER, series="2.2", header=SeriesHeader("CT", 2, patient_id="RIGHT"))
    for order in permutations([stray, own, SERIES_TO_OTHER]):
        found = [r for r in latest(played(order)).values() if r["studyUid"] == OTHER]
        assert {r["subject"]["identifier"]["value"] for r in found} == {"RIGHT"}
        assert sorted(r["seriesNumber"] for r in found) == [2, 7]


def test_late_images_of_a_moved_series_are_published_at_their_pace() -> None:
    site = played([SERIES_TO_OTHER, arrived()])
    site.outputs.clear()
    for n in range(2, 8):
        tell(site, arrived(f"3.{n}"))
        site.wait(1)
    assert site.outputs == []
    site.wait(10)
    [found] = [r for r in resources(site.outputs) if r["studyUid"] == OTHER]
    assert [i["uid"] for i in found["instance"]] == [f"3.{n}" for n in range(1, 8)]
    assert found["meta"]["versionId"] == "2"


def test_late_images_of_a_moved_study_wait_though_more_are_announced() -> None:
    same = changed(Scope(STUDY, SERIES), Scope(STUDY, "2.9"))
    site = played([arrived(), same])
    site.wait(400)
    tell(site, arrived("3.2"))
    before = len(site.outputs)
    tell(site, SeriesCompleted(STUDY, SERIES, stamp(9), 3))
    assert site.outputs[before:] == []
    site.wait(400)
    assert listed(site) == [("113015", STUDY, "2.9", ["3.1", "3.2"])]


def test_what_a_moved_document_cannot_place_is_given_up_once() -> None:
    lost = reported(document(key_images(item("3.9", study="", series=""))))
    site = played([lost, changed(Scope(STUDY, "2.9"), Scope(OTHER, "2.9"))], wait_s=1)
    assert letters(site.outputs) == []
    for _ in range(3):
        site.wait(86_400)
        site.member.restart()
    assert len(letters(site.outputs)) == 1
    tell(site, arrived("3.9", study=OTHER))
    site.wait(400)
    assert ("113000", OTHER, SERIES, ["3.9"]) in listed(site)


def erased(path: tuple[str, str, str], at_s: int = 9) -> InstanceErased:
    return InstanceErased(*path, stamp(at_s, removal=True))


@pytest.mark.parametrize("name", [(STUDY, SERIES, "3.1"), (OTHER, MOVED, "3.1")], ids=["old", "new"])
def test_an_erasure_takes_out_what_was_said_under_every_name(name: tuple[str, str, str]) -> None:
    """Whichever was known first, the erasure or the change; nothing names the instance any more."""
    made = document(key_images(item(), item(study=OTHER, series=MOVED)), study=THIRD)
    again = arrived(study=OTHER, series=MOVED, at_s=2)
    *said, change, gone = [arrived(), again, reported(made), selected(item()), SERIES_TO_OTHER, erased(name)]
    for order in ([*said, change, gone], [*said, gone, change], [gone, *said, change], [change, gone, *said]):
        site = played(order, wait_s=20)
        assert latest(site) == {}
        entries = [(k, v) for store in site.member.stores for k, v in store.scan("")]
        assert [key for key, value in entries if "3.1" in key or b"3.1" in value] == []


def test_what_comes_after_the_erasure_is_published_again() -> None:
    site = played([arrived(), SERIES_TO_OTHER, erased((OTHER, MOVED, "3.1")), arrived(at_s=20)])
    assert listed(site) == [("113015", OTHER, MOVED, ["3.1"])]
    [found] = (
        latest(site).values()
        if len(latest(site)) == 1
        else [r for r in latest(site).values() if r["status"] == "available"]
    )
    assert found["meta"]["versionId"] == "3"


def test_an_erased_document_s_parts_go_from_every_study() -> None:
    made = document(key_images(item(study=THIRD, series="2.2")))
    document_moved = changed(Scope(STUDY, "2.9"), Scope(OTHER, "2.9"))
    events = [arrived(study=THIRD, series="2.2"), reported(made), document_moved]
    for name in (STUDY, OTHER):
        site = played([*events, erased((name, "2.9", "5.1"))])
        assert listed(site) == [("113015", THIRD, "2.2", ["3.1"])]
        keys = [key for store in site.member.stores for key, _ in store.scan("")]
        assert [key for key in keys if key.endswith("|5.1")] == []


def test_a_document_s_path_of_now_is_no_second_copy_of_it() -> None:
    """The archive sends it again under its new path: one document, and one reference."""
    made = document(key_images(item(study=OTHER)))
    again = made._replace(path=DocumentPath(OTHER, "2.9", "5.1"), content_digest=b"otherwise")
    events = [
        arrived(study=OTHER),
        reported(made),
        changed(Scope(STUDY), Scope(OTHER)),
        reported(again, at_s=8),
    ]
    for order in permutations(events):
        assert [e for e in listed(played(order)) if e[0] == "113000"] == [("113000", OTHER, SERIES, ["3.1"])]


@pytest.mark.parametrize("first", [True, False])
def test_a_name_that_an_image_only_passed_by_on_its_way_is_one_to_find_it_by(first: bool) -> None:
    """Without evidence a document's own study is searched, also for what lay there and went on."""
    on_the_way = changed(Scope(STUDY, SERIES, "3.1"), Scope(STUDY, MOVED, "3.9"), at_s=6)
    away = changed(Scope(STUDY, MOVED), Scope(OTHER, MOVED))
    named = reported(document(key_images(item("3.9", study="", series=""))))
    changes = [on_the_way, away]
    site = played([arrived(), *(changes if first else []), named, *([] if first else changes)])
    assert ("113000", OTHER, MOVED, ["3.9"]) in listed(site)
    assert [place[:3] for place in listed(site) if place[1] == STUDY] == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("replaced", [False, True])
def test_nobody_is_sent_to_what_was_erased_under_an_old_name(order: tuple[int, ...], replaced: bool) -> None:
    """Whether the study of the document heard of the erasure before it or after."""
    state = DocumentPath(STUDY, "2.9", "5.5")
    seen_with = Focus(FocusKind.PRESENTATION_STATE, "|".join(state))
    group = key_images(item("3.9", study=OTHER, series=MOVED))._replace(focus=(seen_with,))
    made = document(group, study=OTHER)._replace(predecessors=(state,) if replaced else ())
    events = [reported(made, 2), erased(state, 3), changed(Scope(STUDY, "2.9"), Scope(OTHER, MOVED))]
    site = played([arrived("3.9", study=OTHER, series=MOVED), *(events[n] for n in order)])
    (key_image,) = [each for each in latest(site).values() if each["code"]["coding"][0]["code"] != "113015"]
    assert (key_image["status"], key_image.get("focus")) == ("available", None)


def test_an_item_without_evidence_goes_with_what_was_erased_under_an_old_name() -> None:
    """Though the image came again, after its erasure, and lies in the document's own study now."""
    named = document(key_images(item("3.1", study="", series="")), study=OTHER)
    gone = erased(DocumentPath(STUDY, SERIES, "3.1"), 5)
    events = [reported(named, 1), arrived("3.1", at_s=7), gone, SERIES_TO_OTHER]
    for order in permutations(events):
        assert listed(played(order)) == [("113015", OTHER, MOVED, ["3.1"])]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_region_in_space_follows_its_report_and_its_image(order: tuple[int, ...]) -> None:
    """It was on an image of the study that both left."""
    own = item("5.1", series="2.9", sop_class=SR)._replace(regions_3d=(Region("point", (1, 2, 3)),))
    frame = Focus(FocusKind.FRAME_OF_REFERENCE, "4.1")
    region = ReportedGroup(
        GroupKind.REGION, "1.5", OF_INTEREST, (own,), focus=(frame,), frame_of_reference_uid="4.1"
    )
    events = (
        arrived("3.1", instance=InstanceHeader(CT, 1, frame_of_reference_uid="4.1")),
        reported(document(region, sop_class=SR)),
        changed(Scope(STUDY), Scope(OTHER)),
    )
    site = Site(Policy(space_regions="image"))
    for at in order:
        tell(site, events[at])
        site.wait(400)
    found = {r["studyUid"] + r["seriesUid"] for r in latest(site).values() if r["status"] == "available"}
    assert found == {f"{OTHER}2.1"}


def test_what_a_study_told_another_is_no_document_that_came_from_there() -> None:
    """Erased here, it would live on in what comes back."""
    own, other = StudyState("1.2"), StudyState("1.1")
    part = document(key_images(item("3.1")), study="1.2")
    fold(other, FragmentReported("1.1", part, stamp(1), 0), ORIGIN)
    move = changed(Scope("1.1"), Scope("1.2"))
    routes = Routes(
        lambda study: [move] if study == "1.1" else [], lambda study: ["1.1"] if study == "1.2" else []
    )
    assert seen(own, [other], routes).documents == {}


def test_completeness_outlives_an_erasure_that_emptied_the_series_something_came_into() -> None:
    """It was told of the name, not of the image that is gone."""
    events = [
        changed(Scope(STUDY, MOVED), Scope(STUDY, SERIES)),
        completed(5),
        erased((STUDY, SERIES, "3.1")),
        arrived("3.2", series=MOVED),
    ]
    for order in permutations(events):
        site = Site(Policy(series_instances="omit_when_complete"))
        for each in order:
            tell(site, each)
            site.wait(400)
        (whole,) = [r for r in latest(site).values() if r["status"] == "available"]
        assert (whole["seriesUid"], "instance" in whole) == (SERIES, False)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_of_what_two_headers_say_alike_the_later_stamp_holds(order: tuple[int, ...]) -> None:
    """They differ in the patient alone, whom the study says itself."""
    events = (
        arrived("3.1", 1, header=SeriesHeader("CT", 1, patient_id="P1")),
        arrived("3.1", 3, header=SeriesHeader("CT", 1, patient_id="P2")),
        arrived("3.1", 2, study=OTHER, header=SeriesHeader("MR", 1, patient_id="P3")),
        changed(Scope(STUDY, SERIES), Scope(OTHER, SERIES)),
    )
    site = played(events[at] for at in order)
    found = [r for r in latest(site).values() if r["status"] == "available"]
    assert [r["category"][0]["coding"][0]["code"] for r in found] == ["CT"]


def test_a_command_without_evidence_goes_with_an_erasure_in_the_study_where_things_went() -> None:
    """In whichever series it was there, and whether the erasure came before the change."""
    events = (
        arrived("3.3", 1, series="2.5"),
        reported(rejection("113038", ("", "", "3.3")), 3),
        changed(Scope(STUDY, SERIES), Scope(OTHER, MOVED)),
        erased(DocumentPath(OTHER, SERIES, "3.3")),
    )
    found = {
        tuple(sorted(r["seriesUid"] for r in latest(played(order)).values() if r["status"] == "available"))
        for order in permutations(events)
    }
    assert found == {("2.5",)}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_erased_document_leaves_where_its_images_came_from_another_study(order: tuple[int, ...]) -> None:
    """Its home tells the study that they were in, and nothing of that one was erased."""
    named = document(key_images(item("3.1", study=OTHER), item("3.2", study=THIRD)))
    events = (
        reported(named),
        changed(Scope(THIRD, SERIES), Scope(OTHER, MOVED)),
        InstanceErased(STUDY, "2.9", "5.1", stamp(9, removal=True)),
    )
    site = played(events[at] for at in order)
    assert [r for r in latest(site).values() if r["status"] == "available"] == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("study", [STUDY, OTHER])
def test_a_document_is_erased_by_the_name_that_it_was_given(study: str, order: tuple[int, ...]) -> None:
    events = (
        reported(document(key_images(item("3.1")), sop="5.3")),
        changed(Scope(STUDY, "2.9", "5.3"), Scope(study, "2.9", "5.1")),
        InstanceErased(study, "2.9", "5.1", stamp(9, removal=True)),
    )
    site = played(events[at] for at in order)
    assert [r for r in latest(site).values() if r["status"] == "available"] == []


@pytest.mark.parametrize("evidence", [True, False])
def test_an_erased_image_leaves_what_a_document_of_another_name_made(evidence: bool) -> None:
    """The document was given another UID in its own series; what it made has that one."""
    place = {} if evidence else {"study": "", "series": ""}
    named = reported(document(key_images(item("3.1", **place)), sop="5.2"), 1)
    renamed = changed(Scope(STUDY, "2.9", "5.2"), Scope(STUDY, "2.9", "5.1"))
    events = [arrived("3.1"), named, renamed, erased(DocumentPath(STUDY, SERIES, "3.1"), 5)]
    for order in permutations(events):
        site = played(order)
        assert listed(site) == []
        assert latest(site) == {}, "each line that began has ended"


def test_of_studies_that_no_change_concerns_few_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "STUDIES_REMEMBERED", 8)
    site = played([TO_OTHER])
    remembered = [home.moves._known_priors for home in site.member.pipeline._homes.values()]
    for number in range(100):
        tell(site, arrived(study=f"1.9.{number}"))
    assert max(map(len, remembered)) <= 9
    tell(site, arrived())
    site.wait(400)
    assert ("113015", OTHER, SERIES, ["3.1"]) in listed(site)
