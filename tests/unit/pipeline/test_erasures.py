"""Erasure: out of every reference, the last of them by a null value; hashes stay, and revisions go on."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import pytest

from processors.avro.envelope import decode_state
from processors.core.corrections import AnyEvent, InstanceErased
from processors.core.events import (
    Focus,
    FocusKind,
    GroupKind,
    InstanceDeleted,
    InstanceHeader,
    Region,
    ReportedGroup,
    SeriesHeader,
)
from processors.core.policy import Policy
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import OutputRecord, OutputTopic
from tests.builders.events import (
    CT,
    OF_INTEREST,
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
from tests.unit.pipeline.site import Site, event, facts, headers_of, image, letters, resources

OTHER = next(f"1.{n}" for n in range(2, 99) if home_of(f"1.{n}", 4) != home_of(STUDY, 4))
"""A study of another partition."""


def erased(sop: str = "3.1", at_s: int = 5, *, series: str = SERIES, study: str = STUDY) -> InstanceErased:
    return InstanceErased(study, series, sop, stamp(at_s, removal=True))


def outcome(*events: AnyEvent) -> tuple[Site, dict[str, list[str]]]:
    """One step an event; what is available in the end: kind and study → SOP UIDs listed, of all such."""
    site = Site()
    for each in events:
        site.tell(each)
        site.wait(400)
    return site, listed(site)


def listed(site: Site) -> dict[str, list[str]]:
    latest: dict[bytes, OutputRecord] = {o.key or b"": o for o in site.outputs if o.topic is OutputTopic.FHIR}
    found: dict[str, list[str]] = {}
    for output in latest.values():
        for resource in resources([output]) if output.value is not None else []:
            if resource["status"] == "available":
                kind = f"{headers_of(output)['kind']} {resource['studyUid']}"
                found.setdefault(kind, []).extend(i["uid"] for i in resource["instance"])
    return found


def test_an_emptied_reference_is_a_null_value_with_its_own_headers_and_fact() -> None:
    site = Site(key=b"secret")
    site.send(image(1))
    (first, _) = site.wait(10)
    null, fact = site.send(event("instance.erased", 1, "11:00:00"))
    assert (null.key, null.value) == (first.key, None)
    before, after = headers_of(first), headers_of(null)
    assert after["ce_type"] == "imaging-reference.erased"
    assert after["ce_id"] == f"{before['ce_subject']}/2/e3b0c442"
    same = ("ce_subject", "kind", "modality", "study_uid", "series_uid", "fhir_version")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert (after["revision"], after["status"]) == ("2", "entered-in-error")
    (said,) = facts([fact])
    assert (said["withdrawal_reason"], said["instance_count"], said["removed"]) == ("erased", 0, 1)
    assert said["patient_pseudonym"] is None
    assert site.member.events["erased", "series", "CT", ""] == 1


def test_arrivals_before_are_ignored_and_later_ones_go_on_counting() -> None:
    site = Site()
    site.send(image(1))
    site.wait(10)
    site.send(event("instance.erased", 1, "11:00:00"))
    site.member.restart()
    site.send(image(1), image(1, "11:00:00"))
    assert site.member.dispositions["ignored", "erased"] == 2
    assert site.wait(400) == []
    site.send(image(1, "11:00:01"))
    (again, _) = site.wait(400)
    (resource,) = resources([again])
    assert (resource["meta"]["versionId"], headers_of(again)["ce_type"]) == ("3", "imaging-reference.revived")
    assert resource["issued"] == "2026-01-02T11:00:01+00:00"


DOCUMENT = reported(document(key_images(item("3.1"), item("3.2")), sop="5.1"), 1)
FAR = reported(document(key_images(item("3.1"), item("3.2")), sop="5.2", study=OTHER), 1)
ALONE = reported(document(key_images(item("3.1")), sop="5.3", study=OTHER), 1)
LATER = reported(document(key_images(item("3.1")), sop="5.4"), 7)
EXPECTED: list[tuple[str, list[AnyEvent], dict[str, list[str]]]] = [
    ("one image of two", [arrived("3.1"), arrived("3.2")], {"series 1.1": ["3.2"]}),
    ("the only image", [arrived("3.1")], {}),
    ("an image that comes again", [arrived("3.1"), arrived("3.1", 6)], {"series 1.1": ["3.1"]}),
    ("an image that comes again and goes", [arrived("3.1"), arrived("3.1", 6), deleted("3.1", 7)], {}),
    ("an item of a document", [arrived("3.1"), DOCUMENT], {"key_images 1.1": ["3.2"]}),
    ("an item in another partition", [arrived("3.1"), FAR], {"key_images 1.1": ["3.2"]}),
    ("the only item in another partition", [arrived("3.2"), ALONE], {"series 1.1": ["3.2"]}),
    ("a document that came later", [LATER], {"key_images 1.1": ["3.1"]}),
    ("an item of a selection", [selected(item("3.1"), item("3.2"))], {"selection 1.1": ["3.2"]}),
    ("the only item of a selection", [selected(item("3.1"))], {}),
    (
        "a rejection before it, and a new copy",
        [reported(rejection("113037", (STUDY, SERIES, "3.1")), 2), arrived("3.1", 6)],
        {"series 1.1": ["3.1"]},
    ),
    (
        "a rejection after it, and a new copy",
        [reported(rejection("113037", (STUDY, SERIES, "3.1")), 8), arrived("3.1", 6)],
        {},
    ),
]


@pytest.mark.parametrize(
    ("events", "expected"), [row[1:] for row in EXPECTED], ids=[row[0] for row in EXPECTED]
)
def test_what_is_left_in_any_order(events: list[AnyEvent], expected: dict[str, list[str]]) -> None:
    for order in permutations([*events, erased("3.1", 5)]):
        site, left = outcome(*order)
        assert left == expected
        assert sum(site.member.dispositions.values()) == site.member.consumed


@pytest.mark.parametrize("gone_first", [False, True])
def test_an_erased_document_takes_its_references_in_every_study_along(gone_first: bool) -> None:
    """Here and in the other study; its images stay."""
    made = document(key_images(item("3.1"), item("3.9", study=OTHER)), sop="5.1")
    gone = erased("5.1", series="2.9")
    told: list[AnyEvent] = [gone, reported(made)] if gone_first else [reported(made), gone]
    site, left = outcome(arrived("3.1"), arrived("3.9", study=OTHER), *told)
    assert left == {"series 1.1": ["3.1"], f"series {OTHER}": ["3.9"]}
    assert site.member.events["erased", "key_images", "KO", ""] == (0 if gone_first else 2)
    site.tell(reported(made, 9))
    assert listed(site) == left | {"key_images 1.1": ["3.1"], f"key_images {OTHER}": ["3.9"]}
    revisions = Counter(o.key for o in site.outputs if o.topic is OutputTopic.FHIR)
    assert set(revisions.values()) == ({1} if gone_first else {1, 3})


def test_an_erased_note_goes_on_rejecting() -> None:
    note = reported(rejection("113037", (STUDY, SERIES, "3.1"), sop="5.8"), 2)
    events: list[AnyEvent] = [arrived("3.1"), note, erased("5.8", series="2.9")]
    for order in permutations(events):
        assert outcome(*order)[1] == {}


def test_what_an_erased_image_alone_said_of_its_series_is_forgotten() -> None:
    """The number it said later holds no longer; the one said before does again."""
    said: list[AnyEvent] = [
        arrived("3.1", 3, header=SeriesHeader("CT", 7, patient_id="P7")),
        arrived("3.2", 2),
    ]
    for order in permutations([*said, erased("3.1", 5)]):
        site, _ = outcome(*order)
        latest = resources(o for o in site.outputs if o.value is not None)[-1]
        assert (latest["seriesNumber"], latest["subject"]["identifier"]["value"]) == (2, "P1")


def test_completeness_outlives_an_emptied_series() -> None:
    counted = arrived("3.1", 1, expected=2)
    site, _ = outcome(counted, completed(2), erased("3.1", 3), arrived("3.2", 4), arrived("3.3", 5))
    assert [fact["closed_by"] for fact in facts(site.outputs)][-1] == "counted"


def texts(site: Site) -> bytes:
    """Every key and value of the state; bodies are MessagePack, whose texts are plain."""
    rows = (row for store in site.member.stores for row in store.scan(""))
    return b" ".join(key.encode() + b" " + decode_state(value).body for key, value in rows)


@pytest.mark.parametrize("restart", [False, True])
def test_no_state_entry_names_what_was_erased(restart: bool) -> None:
    """Nor the series and study of which nothing else is left, nor another study's documents."""
    study, series, sop = "1.77.1", "2.77.2", "3.77.3"
    site = Site()
    note = document(key_images(item(sop, study=study, series=series)), sop="5.9", study=OTHER)
    picked = document(key_images(item(sop, study=study, series=series)), sop="5.77.5", study=study)
    for each in (arrived(sop, study=study, series=series), reported(note), reported(picked)):
        site.tell(each)
    site.wait(400)
    assert all(uid.encode() in texts(site) for uid in (study, series, sop))
    if restart:
        site.member.restart()
    site.tell(erased(sop, study=study, series=series))
    site.tell(erased("5.77.5", study=study, series="2.9"))
    site.wait(400)
    gone = (series.encode(), sop.encode(), b"5.77.5", study.encode() + b"|")
    assert [uid for uid in gone if uid in texts(site)] == []
    assert listed(site) == {}
    site.tell(
        arrived(sop, study=study, series=series), InstanceDeleted(study, series, sop, stamp(2, removal=True))
    )
    assert sop.encode() not in texts(site)
    assert site.member.dispositions["ignored", "erased"] == 2


def test_a_batch_may_hold_an_image_and_its_erasure() -> None:
    site = Site()
    made = reported(document(key_images(item("3.1")), sop="5.1"))
    site.tell(arrived("3.1"), made, erased("3.1"), erased("5.1", series="2.9"), arrived("3.1", 9))
    site.wait(400)
    assert listed(site) == {"series 1.1": ["3.1"]}
    assert letters(site.outputs) == []


def in_frame(number: int) -> AnyEvent:
    header = InstanceHeader(CT, number, frame_of_reference_uid="4.1")
    return arrived(f"3.{number}", number, instance=header)


def test_a_region_in_space_leaves_the_image_that_it_hung_on() -> None:
    """`fhir.space_regions = "image"`: on the first image, then the next one, then the report again."""
    own = item("5.1", series="2.9", sop_class=SR)._replace(regions_3d=(Region("point", (1, 2, 3)),))
    focus = (Focus(FocusKind.FRAME_OF_REFERENCE, "4.1"),)
    region = ReportedGroup(
        GroupKind.REGION, "1.5.1", OF_INTEREST, (own,), focus=focus, frame_of_reference_uid="4.1"
    )
    site = Site(Policy(space_regions="image"))
    seen: list[list[str] | None] = []
    for each in (reported(document(region, sop_class=SR)), in_frame(1), in_frame(2), erased("3.1", 5)):
        site.tell(each)
        site.wait(400)
        seen.append(listed(site)["region 1.1"])
    site.tell(deleted("3.2", 6))
    site.wait(400)
    seen.append(listed(site).get("region 1.1"))
    site.tell(erased("3.2", 7))
    seen.append(listed(site)["region 1.1"])
    assert seen == [["5.1"], ["3.1"], ["3.1"], ["3.2"], None, ["5.1"]]
    values = {o.key: o.value for o in site.outputs if o.topic is OutputTopic.FHIR}
    assert list(values.values()).count(None) == 2, "of the region on an image, and of the series"
    assert not any(b'"3.2"' in (value or b"") for value in values.values())


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_a_presentation_state_that_was_erased_in_another_study_is_no_focus(order: tuple[int, ...]) -> None:
    """Its study is told of the report, since that names an image there."""
    focus = (Focus(FocusKind.PRESENTATION_STATE, f"{OTHER}|2.9|5.7"),)
    items = (item("3.1"), item("3.2", study=OTHER))
    region = ReportedGroup(GroupKind.REGION, "1.5", OF_INTEREST, items, focus=focus)
    events = reported(document(region, sop_class=SR)), erased("5.7", series="2.9", study=OTHER)
    site, _ = outcome(*(events[at] for at in order))
    latest = {resource["id"]: resource for resource in resources(site.outputs)}
    assert len(latest) == 2
    assert not any("focus" in resource for resource in latest.values())


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_selection_shows_again_what_was_rejected_by_a_command_that_was_erased(
    order: tuple[int, ...],
) -> None:
    """The command had no evidence: it may have meant the instance that is gone, in another series."""
    events = (
        selected(item("3.1"), item("3.2")),
        reported(rejection("113038", ("", "", "3.2"))),
        erased("3.2", series="2.5"),
    )
    site, _ = outcome(*(events[at] for at in order))
    latest = {resource["id"]: resource for resource in resources(site.outputs)}
    assert [[each["uid"] for each in r["instance"]] for r in latest.values()] == [["3.1", "3.2"]]
