"""The golden examples in R4 and R6: exact resources, and what travels beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders import goldens, treeless_goldens
from tests.builders.goldens import Resource, rejection
from tests.builders.images import ct
from tests.builders.key_objects import QUALITY
from tests.golden.timeline import Timeline, content

EXAMPLES = goldens.GOLDENS | treeless_goldens.GOLDENS
RELEASE = "IMAGING_REFERENCE__FHIR__RELEASE"
VERSIONS = {"R4": "4.0.1", "R6": "6.0.0-snapshot1"}


def expected(release: str, name: str) -> list[Resource]:
    found: list[Resource] = json.loads(
        (Path(__file__).parent / release.lower() / f"{name}.json").read_text("utf-8")
    )
    return found


@pytest.mark.parametrize("release", VERSIONS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_last_versions_are_exactly_these(name: str, release: str) -> None:
    timeline = Timeline({RELEASE: release})
    for batch in EXAMPLES[name]().batches:
        timeline.send(batch)
    timeline.run_out()
    found = [content(timeline.references[each["id"]]) for each in expected(release, name)]
    assert found == expected(release, name)
    assert [each["id"] for each in found] == [each["id"] for each in EXAMPLES[name]().expected]
    assert timeline.dead_letters == []
    assert {headers["fhir_version"] for headers in timeline.headers} == {VERSIONS[release]}
    assert [headers["status"] for headers in timeline.headers] == [fact["status"] for fact in timeline.facts]


def test_what_r6_calls_inactive_is_in_error_elsewhere() -> None:
    statuses = {}
    for release in ("R4", "R5", "R6"):
        timeline = Timeline({RELEASE: release})
        timeline.send([*goldens.g1().records, rejection("5", QUALITY, [ct(1), ct(2), ct(3)], "12:00")])
        timeline.run_out()
        (statuses[release],) = {fact["status"] for fact in timeline.facts}
        (headers,) = timeline.headers
        assert headers["status"] == statuses[release]
    assert statuses == {"R4": "entered-in-error", "R5": "entered-in-error", "R6": "inactive"}


def test_another_release_is_another_revision_of_what_is_heard_of_again() -> None:
    """State is the same in every release; what was published before stays until its study changes."""
    timeline = Timeline()
    timeline.send(goldens.g1().records)
    timeline.restart({RELEASE: "R4"})
    assert timeline.run_out() == []
    (again,) = timeline.send([rejection("5", QUALITY, [ct(3)], "12:00")])
    assert (again["resourceType"], again["meta"]["versionId"]) == ("Basic", "2")
    assert [headers["fhir_version"] for headers in timeline.headers] == ["5.0.0", "4.0.1"]
