"""Who survives: chains, later merges, ends of merges, issuers, and circles that someone drew."""

from __future__ import annotations

from itertools import permutations

import pytest

from processors.core.aliases import Link, Walk, link_of, walk
from processors.core.corrections import PatientId, PatientMerged, PatientUnmerged
from processors.core.policy import Identity, Policy
from processors.core.reference import Identifier
from tests.builders.events import stamp

SITE = Policy(identity=Identity(patient_id_system="urn:site", patient_id_systems={"PACS_B": "urn:b"}))
Event = PatientMerged | PatientUnmerged


def merged(prior: str, survivor: str, at_s: int = 1, source: str = "PACS_A") -> PatientMerged:
    """Patients are `id` or `id^issuer`."""
    return PatientMerged(_patient(prior), _patient(survivor), stamp(at_s, source))


def unmerged(prior: str, survivor: str, at_s: int, source: str = "PACS_A") -> PatientUnmerged:
    return PatientUnmerged(_patient(prior), _patient(survivor), stamp(at_s, source, removal=True))


def _patient(text: str) -> PatientId:
    value, _, issuer = text.partition("^")
    return PatientId(value, issuer)


def survivor(start: str, *events: Event, system: str = "urn:site") -> str:
    """`id` of the site's own system, else `id^system`."""
    links: dict[tuple[PatientId, PatientId, str], Link] = {}
    for event in events:
        link = link_of(event)
        links[link[:3]] = links.get(link[:3], link).joined(event)
    found = list(links.values())
    end = walk(
        Identifier(system, start), lambda value: [x for x in found if x.prior.value == value], SITE
    ).end
    return end.value if end.system == "urn:site" else f"{end.value}^{end.system}"


@pytest.mark.parametrize(
    ("events", "ends"),
    [
        ([], "A"),
        ([merged("A", "B")], "B"),
        ([merged("A", "B"), merged("B", "C", 2)], "C"),
        ([merged("B", "C"), merged("A", "B", 2)], "C"),
        ([merged("A", "B", 1), merged("A", "C", 2)], "C"),
        ([merged("A", "B", 1), unmerged("A", "B", 2)], "A"),
        ([merged("A", "B", 1), unmerged("A", "B", 2), merged("A", "B", 3)], "B"),
        ([merged("A", "B", 2), unmerged("A", "B", 2)], "A"),
        ([merged("A", "B", 1), merged("A", "C", 2), unmerged("A", "C", 3)], "B"),
        ([merged("A", "B", 1), unmerged("A", "", 2)], "A"),
        ([merged("A", "B", 3), unmerged("A", "", 2)], "B"),
        ([merged("A", "B", 1), unmerged("A", "C", 2)], "B"),
        ([merged("A", "A")], "A"),
        ([merged("A", "B", 1), merged("B", "A", 2)], "B"),
        ([merged("A", "B", 2), merged("B", "A", 1)], "A"),
        ([merged("A", "B", 1), merged("B", "C", 2), merged("C", "A", 3)], "C"),
        ([merged("A", "D", 1), merged("B", "A", 2), merged("A", "B", 3)], "D"),
        ([merged("A^urn:b", "B^urn:b")], "A"),
        ([merged("A^urn:site", "B^urn:b")], "B^urn:b"),
        ([merged("A", "B", 1, "PACS_B")], "A"),
    ],
)
def test_the_survivor_whatever_the_order(events: list[Event], ends: str) -> None:
    assert {survivor("A", *order) for order in permutations(events)} == {ends}


def test_an_id_without_issuer_is_of_its_source() -> None:
    assert survivor("A", merged("A", "B", 1, "PACS_B"), system="urn:b") == "B^urn:b"


def test_the_link_that_would_close_a_cycle_is_named() -> None:
    first, closing = (link_of(e).joined(e) for e in (merged("A", "B", 1), merged("B", "A", 2)))
    links = {"A": [first], "B": [closing]}
    for start in ("A", "B"):
        found = walk(Identifier("urn:site", start), lambda value: links.get(value, []), SITE)
        assert found == Walk(Identifier("urn:site", "B"), frozenset({closing}))
