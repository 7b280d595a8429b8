"""Volumes of a series on their way out: beside the series, revision by revision, to the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from processors.core.corrections import InstanceErased
from processors.core.events import InstanceArrived, InstanceHeader
from processors.core.identity import NAMESPACE
from processors.core.policy import Policy
from processors.pipeline.inspection import Rows, reference_known
from processors.pipeline.ports import StateStore
from processors.pipeline.records import OutputRecord, OutputTopic
from tests.builders.events import CT, SERIES, STUDY, arrived, deleted, stamp
from tests.unit.pipeline.site import Site, facts, headers_of, resources

Told = list[tuple[str, str, list[str]]]
"""Kind of the event, kind of the reference, images."""


def image(number: int, acquisition: int, at_s: int = 1) -> InstanceArrived:
    return arrived(f"3.{number}", at_s, instance=InstanceHeader(CT, number, volume=f"|{acquisition}|"))


def erased(number: int, at_s: int = 9) -> InstanceErased:
    return InstanceErased(STUDY, SERIES, f"3.{number}", stamp(at_s, removal=True))


def said(outputs: list[OutputRecord]) -> Told:
    return sorted(_said(outputs))


def _said(outputs: list[OutputRecord]) -> Iterator[tuple[str, str, list[str]]]:
    for output in outputs:
        if output.topic is OutputTopic.FHIR:
            headers = headers_of(output)
            listed = [] if output.value is None else resources([output])[0]["instance"]
            event = headers["ce_type"].removeprefix("imaging-reference.")
            yield event, headers["kind"], [each["uid"] for each in listed]


def site_of(*events: object) -> Site:
    """The events are published."""
    site = Site(Policy(volumes_by=("acquisition",)))
    site.tell(*events)
    site.wait(400)
    site.member.restart()
    return site


def closed(site: Site, *events: object) -> Told:
    return said([*site.tell(*events), *site.wait(400)])


def test_they_come_with_their_series_and_are_revised_with_it() -> None:
    site = site_of(image(1, 1), image(2, 2))
    whole = ["3.1", "3.2"]
    assert said(site.outputs) == [
        ("published", "plain", ["3.1"]),
        ("published", "plain", ["3.2"]),
        ("published", "series", whole),
    ]
    assert closed(site, image(3, 2)) == [
        ("revised", "plain", ["3.2", "3.3"]),
        ("revised", "series", ["3.1", "3.2", "3.3"]),
    ]
    assert closed(site, image(3, 2, 2)) == [], "again, and nothing new"
    (fact,) = [each for each in facts(site.outputs) if each["kind"] == "plain" and each["revision"] == 2]
    assert (fact["added"], fact["removed"], fact["instance_count"], fact["closed_by"]) == (1, 0, 2, None)


def test_a_second_volume_makes_the_first_one_a_reference() -> None:
    site = site_of(image(1, 1))
    assert said(site.outputs) == [("published", "series", ["3.1"])]
    assert ("published", "plain", ["3.1"]) in closed(site, image(2, 2))


def test_one_that_is_deleted_is_withdrawn_and_comes_back() -> None:
    site = site_of(image(1, 1), image(2, 2))
    assert closed(site, deleted("3.2", 5)) == [
        ("revised", "series", ["3.1"]),
        ("withdrawn", "plain", ["3.2"]),
    ]
    assert ("revived", "plain", ["3.2"]) in closed(site, image(2, 2, 6))


def test_one_that_is_erased_is_a_null_value_and_the_other_is_none_any_more() -> None:
    site = site_of(image(1, 1), image(2, 2))
    assert closed(site, erased(2)) == [
        ("erased", "plain", []),
        ("revised", "series", ["3.1"]),
        ("withdrawn", "plain", ["3.1"]),
    ]
    site.member.restart()
    assert closed(site, erased(1)) == [("erased", "plain", []), ("erased", "series", [])]
    assert closed(site, image(1, 1, 10), image(2, 2, 10)) == [
        ("revived", "plain", ["3.1"]),
        ("revived", "plain", ["3.2"]),
        ("revived", "series", ["3.1", "3.2"]),
    ]


@dataclass
class Entries:
    """A home, as `stream.inspection` reads it."""

    store: StateStore
    home: int = 0

    def scan(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        return self.store.scan(prefix)

    def keys(self, pattern: str, containing: bytes = b"") -> Iterator[str]:
        return (k for k, v in self.store.scan("") if fnmatchcase(k, pattern) and containing in v)


def test_a_person_who_asks_for_one_is_told_of_its_series() -> None:
    site = site_of(image(1, 1), image(2, 2))
    homes: list[Rows] = [Entries(store) for store in site.member.stores]
    for output in site.outputs:
        if output.topic is OutputTopic.FHIR:
            (known,) = reference_known(homes, (output.key or b"").decode(), NAMESPACE)
            assert (known["kind"], known["revision"]) == (headers_of(output)["kind"], 1)
            assert known["series"]["series_instance_uid"] == SERIES
