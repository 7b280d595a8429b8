"""Segmentations, presentation states and structure sets through the whole topology: exact resources."""

from __future__ import annotations

from itertools import permutations

import pytest

from processors.core.vocabulary import PARAMETRIC_MAP
from tests.builders.goldens import Resource, arrival, event, reported
from tests.builders.images import ct, image
from tests.builders.segmentations import bare_segmentation, derived, reference, referenced_series, segment
from tests.builders.structure_sets import golden_structure_set
from tests.builders.treeless_goldens import GOLDENS, g10, g11, g12
from tests.golden.timeline import Timeline, content, uids

SERIES_2 = "daff3679-6ab1-5d23-a29d-7f3dfdc7b0a1"


def of_kind(timeline: Timeline, *kinds: str) -> list[Resource]:
    """References whose latest fact is of one of these kinds."""
    found = {fact["reference_id"]: fact["kind"] for fact in timeline.facts}
    return [r for i, r in timeline.references.items() if found[i] in kinds]


@pytest.mark.parametrize("document_first", [False, True], ids=["after its images", "before its images"])
@pytest.mark.parametrize("name", GOLDENS)
def test_the_last_versions_are_exactly_those_of_the_example(name: str, document_first: bool) -> None:
    golden = GOLDENS[name]()
    timeline = Timeline()
    for batch in golden.batches[::-1] if document_first else golden.batches:
        timeline.send(batch)
        timeline.run_out()
    assert [content(timeline.references[each["id"]]) for each in golden.expected] == golden.expected
    assert timeline.dead_letters == []
    assert timeline.dispositions == {("applied", ""): len(golden.records)}
    assert timeline.send(golden.records) == timeline.run_out() == [], "a replay says nothing new"


def test_g10_one_reference_a_segment_and_its_source_images_beside() -> None:
    timeline = Timeline()
    timeline.send(g10().records)
    assert [r["instance"][0]["subset"] for r in of_kind(timeline, "segment")] == [["1"], ["2"]]
    (sources,) = of_kind(timeline, "plain")
    assert (sources["seriesUid"], uids(sources)) == (
        "2.999.1.2",
        ["2.999.1.2.1", "2.999.1.2.2", "2.999.1.2.3"],
    )
    assert sources["code"]["coding"][0]["code"] == "121233"


def test_g11_four_references_and_what_is_on_the_screen_counted() -> None:
    timeline = Timeline()
    published = timeline.send(g11().records)
    assert [content(r) for r in published] == g11().expected
    assert {tuple(f["warnings"]) for f in timeline.facts} == {("region_dropped",)}
    assert [f["region_count"] for f in timeline.facts] == [0, 0, 0, 2]


def test_g12_the_first_triplet_ends_the_polygon() -> None:
    timeline = Timeline()
    (reference,) = timeline.send(g12().records)
    (instance,) = reference["instance"]
    (region,) = instance["imageRegion3D"]
    assert len(region["coordinate"]) == 12
    assert region["coordinate"][:3] == region["coordinate"][-3:] == [-12.5, 0, 30.25]


def test_e8_holes_cannot_be_said() -> None:
    timeline = Timeline()
    (reference,) = timeline.send([reported(golden_structure_set("CLOSEDPLANAR_XOR"), "11:51")])
    (expected,) = g12().expected
    (instance,) = expected["instance"]
    del instance["imageRegion3D"]
    assert content(reference) == expected
    assert timeline.facts[0]["warnings"] == ["region_dropped"]


def test_a_site_may_want_no_contours() -> None:
    timeline = Timeline({"IMAGING_REFERENCE__REPORTS__MAX_CONTOURS": "0"})
    (reference,) = timeline.send(g12().records)
    (instance,) = reference["instance"]
    assert (instance["subset"], "imageRegion3D" in instance) == (["3"], False)


def test_a_parametric_map_is_listed_in_its_series_and_refers_to_its_sources() -> None:
    """Deleting it withdraws both; its series closes by the clock as any other does."""
    pixels = image(
        *("2.999.1.8", "2.999.1.8.1"), series_number=8, number=1, sop_class=PARAMETRIC_MAP, modality="MR"
    )
    pixels.ReferencedSeriesSequence = [referenced_series([ct(1), ct(2)])]
    pixels.SourceImageSequence = [reference(ct(2))]
    timeline = Timeline()
    (sources,) = timeline.send([arrival(ct(2), "10:01"), reported(pixels, "10:05")])
    assert (sources["seriesUid"], uids(sources)) == ("2.999.1.2", ["2.999.1.2.2"])
    assert sources["identifier"][1]["value"] == "urn:oid:2.999.1.8.1"
    timeline.run_out()
    listed = sorted((r["seriesUid"], *uids(r)) for r in of_kind(timeline, "series"))
    assert listed == [("2.999.1.2", "2.999.1.2.2"), ("2.999.1.8", "2.999.1.8.1")]
    gone = event("instance.deleted", "11:10", series_instance_uid="2.999.1.8", sop_instance_uid="2.999.1.8.1")
    timeline.send([gone])
    timeline.run_out()
    withdrawn = [r["id"] for r in timeline.references.values() if r["status"] != "available"]
    assert len(withdrawn) == 2
    assert sources["id"] in withdrawn


def test_a_segment_points_at_the_series_its_sources_turn_out_to_lie_in() -> None:
    """The header knows the series of A and B; the frames name B and C, and C is known by its arrival."""
    a, b, c = ct(1), ct(2), ct(7, "2.999.1.3", 3)
    frames = [derived(reference(b)), derived(reference(c))]
    document = reported(bare_segmentation([segment(1)], [referenced_series([a, b])], frames), "11:41")
    messages = [document, arrival(b, "10:01"), arrival(c, "10:02")]
    ends = []
    timeline = Timeline()
    for order in permutations(messages):
        timeline = Timeline()
        for message in order:
            timeline.send([message])
        timeline.run_out()
        ends.append({i: content(r) for i, r in timeline.references.items()})
    assert ends == ends[:1] * 6
    (found,) = of_kind(timeline, "segment")
    series = [r["id"] for r in of_kind(timeline, "series")]
    assert [f["reference"].removeprefix("ImagingSelection/") for f in found["focus"]] == [
        SERIES_2,
        *(i for i in series if i != SERIES_2),
    ]
    assert sorted(uids(r)[0] for r in of_kind(timeline, "plain")) == ["2.999.1.2.2", "2.999.1.3.7"]
    assert any("reference_sources_disagree" in fact["warnings"] for fact in timeline.facts)
