"""The golden examples through the whole topology: exact resources, and what each example asks beside them."""

from __future__ import annotations

import pytest

from tests.builders.goldens import (
    GOLDENS,
    Resource,
    arrival,
    copy_of_g3,
    g1,
    g2,
    g3,
    g4,
    g5,
    g6,
    g7,
    g8,
    g9,
    rejection,
)
from tests.builders.images import ct
from tests.builders.key_objects import QUALITY
from tests.golden.timeline import Timeline, content, uids

SERIES_2 = "daff3679-6ab1-5d23-a29d-7f3dfdc7b0a1"
SERIES_3 = "fa0a197c-00f5-5429-b4cd-8d7bb8bed08b"
QUIET_S = 10


def of_document(timeline: Timeline, document_uid: str) -> list[Resource]:
    """References whose secondary identifier is this document."""
    value = f"urn:oid:{document_uid}"
    return [r for r in timeline.references.values() if r["identifier"][1]["value"] == value]


@pytest.mark.parametrize("waiting", [False, True], ids=["at once", "after every clock"])
@pytest.mark.parametrize("name", GOLDENS)
def test_the_last_versions_are_exactly_those_of_the_example(name: str, waiting: bool) -> None:
    golden = GOLDENS[name]()
    timeline = Timeline()
    for batch in golden.batches:
        timeline.send(batch)
        if waiting:
            timeline.run_out()
    timeline.run_out()
    assert [content(timeline.references[each["id"]]) for each in golden.expected] == golden.expected
    assert timeline.dead_letters == []
    assert sum(timeline.dispositions.values()) == timeline.member.consumed == len(golden.records)
    versions = [(r["id"], int(r["meta"]["versionId"]), r["status"]) for r in timeline.published]
    assert versions == [(f["reference_id"], f["revision"], f["status"]) for f in timeline.facts]
    assert timeline.send(golden.records) == timeline.run_out() == [], "a replay says nothing new"


def test_g1_a_complete_series_waits_for_no_clock() -> None:
    timeline = Timeline()
    (published,) = timeline.send(g1().records)
    assert published["issued"] == "2026-01-02T10:03:00+01:00", "of the last instance, not of the completion"
    assert published["meta"] == {"versionId": "1", "lastUpdated": "2026-01-02T12:00:00.001Z"}
    assert timeline.wait(24 * 3600) == []
    (fact,) = timeline.facts
    assert (fact["closed_by"], fact["expected_instances"], fact["instance_count"]) == ("counted", 3, 3)


def test_g1_omits_the_list_where_the_site_wants_so_and_completeness_is_known() -> None:
    golden = g1()
    omitting = Timeline({"IMAGING_REFERENCE__FHIR__SERIES_INSTANCES": "omit_when_complete"})
    (published,) = omitting.send(golden.records)
    (expected,) = golden.expected
    del expected["instance"]
    assert content(published) == expected


def test_g2_lists_the_series_as_long_as_nobody_says_that_it_is_complete() -> None:
    golden = g2()
    omitting = Timeline({"IMAGING_REFERENCE__FHIR__SERIES_INSTANCES": "omit_when_complete"})
    omitting.send(golden.records)
    assert [content(r) for r in omitting.run_out()] == golden.expected


def test_g2_is_published_exactly_twice() -> None:
    first_batch, late_batch = g2().batches
    timeline = Timeline()
    assert timeline.send(first_batch) == timeline.wait(QUIET_S - 1) == []
    (first,) = timeline.wait(1)
    assert (first["id"], first["issued"]) == (SERIES_2, "2026-01-02T10:02:00+01:00")
    assert uids(first) == ["2.999.1.2.1", "2.999.1.2.3"]
    assert timeline.send(late_batch) == timeline.wait(QUIET_S - 1) == []
    (second,) = timeline.wait(1)
    assert [content(second)] == g2().expected
    assert timeline.wait(3600) == []
    assert [(f["revision"], f["added"], f["closed_by"]) for f in timeline.facts] == [
        (1, 2, "quiet"),
        (2, 1, "quiet"),
    ]


@pytest.mark.parametrize("batch_size", [1, 5])
def test_g2_a_backlog_closes_the_series_as_if_it_had_been_read_at_the_time(batch_size: int) -> None:
    records = g2().records
    timeline = Timeline()
    for start in range(0, len(records), batch_size):
        timeline.replay(records[start : start + batch_size])
    timeline.wait(0)
    assert [[uid[-1] for uid in uids(r)] for r in timeline.published] == [["3"], ["1", "3"], ["1", "2", "3"]]


def test_g3_two_siblings_share_the_document_as_identifier() -> None:
    golden = g3()
    timeline = Timeline()
    timeline.send(golden.records)
    references = of_document(timeline, "2.999.1.200.1")
    assert [content(r) for r in references] == golden.expected
    assert {f["kind"] for f in timeline.facts} == {"key_images"}, (
        "published at once, before its images' series"
    )


@pytest.mark.parametrize("copy_first", [False, True])
def test_g3_an_identical_document_adds_nothing(copy_first: bool) -> None:
    images, documents = g3().batches
    timeline = Timeline()
    timeline.send(images)
    one, other = (copy_of_g3(), *documents) if copy_first else (*documents, copy_of_g3())
    assert [content(r) for r in timeline.send([one])] == g3().expected
    assert timeline.send([other]) == []
    assert timeline.dispositions == {("applied", ""): 4}
    timeline.run_out()
    assert of_document(timeline, "2.999.1.200.9") == []


def test_g4_frames_are_merged_into_one_entry_of_one_resource() -> None:
    timeline = Timeline()
    timeline.send(g4().records)
    (reference,) = of_document(timeline, "2.999.1.200.2")
    (instance,) = reference["instance"]
    assert instance["subset"] == ["12", "13", "40"]
    assert "extension" not in reference
    assert "text" not in reference["code"]
    (fact,) = timeline.facts
    assert (fact["frame_count"], fact["instance_count"]) == (3, 1)


def test_g5_only_what_shows_the_rejected_image_is_published_again() -> None:
    images, documents, notes = g5().batches
    timeline = Timeline()
    timeline.send([*images, *documents])
    timeline.run_out()
    withdrawn = {r["id"]: r for r in timeline.send(notes)}
    (expected,) = g5().expected
    assert withdrawn.keys() == {expected["id"], SERIES_3}
    assert {r["status"] for r in withdrawn.values()} == {"entered-in-error"}
    assert {r["meta"]["versionId"] for r in withdrawn.values()} == {"2"}
    assert uids(withdrawn[SERIES_3]) == ["2.999.1.3.7"], "a withdrawn reference keeps its list"
    assert content(timeline.references[g3().expected[0]["id"]]) == g3().expected[0]
    assert of_document(timeline, "2.999.1.200.3") == [], "a note is a command"
    reasons = {f["reference_id"]: f["withdrawal_reason"] for f in timeline.facts[-2:]}
    assert reasons == dict.fromkeys(withdrawn, "iocm-113037")
    again = arrival(ct(7, "2.999.1.3", 3), "12:30")
    assert timeline.send([again]) == timeline.wait(3600) == []
    assert timeline.dispositions["ignored", "rejection_note"] == 1
    assert timeline.dispositions["ignored", "previously_rejected"] == 1


@pytest.mark.parametrize(("setting", "withdrawn"), [("hide", {"iocm-113001"}), ("keep", set())])
def test_g5_rejected_for_quality_as_the_site_wants(setting: str, withdrawn: set[str]) -> None:
    timeline = Timeline({"IMAGING_REFERENCE__REPORTS__QUALITY_REJECTION": setting})
    timeline.send([*g3().records, rejection("3", QUALITY, [ct(7, "2.999.1.3", 3)], "11:30")])
    timeline.run_out()
    assert {f["withdrawal_reason"] for f in timeline.facts} - {None} == withdrawn


@pytest.mark.parametrize("note_at", [0, 2, 4])
def test_g6_a_rejected_instance_never_appears_whenever_its_note_comes(note_at: int) -> None:
    (batch,) = g6().batches
    note, *arrivals = batch
    timeline = Timeline()
    timeline.send([*arrivals[:note_at], note, *arrivals[note_at:]])
    (published,) = timeline.run_out()
    assert [content(published)] == g6().expected
    assert "2.999.1.2.9" not in uids(published)


def test_g7_evidence_is_no_selection_and_tracking_no_identifier() -> None:
    timeline = Timeline()
    timeline.send(g7().records)
    references = of_document(timeline, "2.999.1.100.1")
    assert [content(r) for r in references] == g7().expected
    assert {uid for r in references for uid in uids(r)} == {"2.999.1.100.1", "2.999.1.2.2"}
    values = {i["value"] for r in timeline.references.values() for i in r["identifier"]}
    assert "urn:oid:2.999.1.77.1" not in values
    (item,) = [f for f in timeline.facts if f["kind"] == "source_item"]
    assert [(m["value"], m["unit"]) for m in item["measurements"]] == [(20.5, "mm")]


def test_g8_two_points_in_one_entry() -> None:
    timeline = Timeline()
    timeline.send(g8().records)
    source, region = of_document(timeline, "2.999.1.100.2")
    (instance,) = region["instance"]
    assert [r["regionType"] for r in instance["imageRegion2D"]] == ["point", "point"]
    assert instance["subset"] == ["5"]
    assert "subset" not in source["instance"][0]
    assert all("profile" not in r["meta"] and "frameOfReferenceUid" not in r for r in (source, region))


def test_g9_points_at_the_series_of_its_frame_of_reference_once_that_is_known() -> None:
    images, documents = g9().batches
    timeline = Timeline()
    source, region = timeline.send(documents)
    assert region["focus"] == [{"reference": f"ImagingSelection/{source['id']}"}]
    assert {tuple(f["warnings"]) for f in timeline.facts} == {("unresolved_frame_of_reference",)}
    assert timeline.send(images) == [], "an enrichment keeps the pace of the series"
    revised = {r["id"]: r for r in timeline.wait(QUIET_S)}
    assert revised.keys() == {SERIES_2, region["id"]}
    assert [content(timeline.references[each["id"]]) for each in g9().expected] == g9().expected
