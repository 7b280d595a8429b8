"""Which elements of two resources differ, told by paths alone."""

import json
from typing import Any

import pytest

from processors.operations.fingerprints import ORDER, Fingerprints, top_level

RESOURCE: dict[str, Any] = {
    "resourceType": "ImagingSelection",
    "id": "r1",
    "meta": {"versionId": "1", "lastUpdated": "2026-01-02T10:00:00Z"},
    "subject": {"identifier": {"system": "urn:oid:2.999.8", "value": "SECRET-77"}},
    "instance": [{"uid": "1", "subset": ["1", "2"]}, {"uid": "2", "subset": ["3"]}],
    "extension": [
        {"url": "http://x/StructureDefinition/extension-ImagingSelection.status", "valueCode": "a"}
    ],
}


def differing(**changes: Any) -> list[str]:
    prints = Fingerprints()
    one, other = (json.dumps(each).encode() for each in (RESOURCE, RESOURCE | changes))
    return prints.differing(prints.of(one), prints.of(other))


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({}, []),
        ({"meta": {"versionId": "7", "lastUpdated": "2027-01-02T10:00:00Z"}}, []),
        ({"meta": {"versionId": "7", "profile": ["p"]}}, ["meta.profile"]),
        ({"subject": {"identifier": {"value": "SECRET-77"}}}, ["subject.identifier.system"]),
        (
            {"subject": {"identifier": {"system": "urn:oid:2.999.8", "value": 77}}},
            ["subject.identifier.value"],
        ),
        ({"subject": None, "code": {}}, ["code", "subject.identifier.system", "subject.identifier.value"]),
        # The same values, but another of the instances has them.
        (
            {"instance": [{"uid": "1", "subset": ["1"]}, {"uid": "2", "subset": ["2", "3"]}]},
            ["instance.subset"],
        ),
        ({"instance": RESOURCE["instance"][::-1]}, ["instance.subset", "instance.uid"]),
        (
            {"extension": [{"url": "http://x/extension-ImagingSelection.status", "valueCode": "b"}]},
            ["extension(status).url", "extension(status).valueCode"],
        ),
    ],
)
def test_paths_under_which_not_the_same_is_said(changes: dict[str, Any], paths: list[str]) -> None:
    assert differing(**changes) == paths


def test_numbers_are_compared_as_they_are_written() -> None:
    prints = Fingerprints()
    assert prints.differing(prints.of(b'{"x":[1.50]}'), prints.of(b'{"x":[1.5]}')) == ["x"]


def test_another_order_of_elements_is_a_difference() -> None:
    prints = Fingerprints()
    assert prints.differing(prints.of(b'{"x":1,"y":2}'), prints.of(b'{"y":2,"x":1}')) == [ORDER]


def test_elements_are_told_once() -> None:
    assert top_level(["instance.subset", "instance.uid", "subject.identifier.value"]) == [
        "instance",
        "subject",
    ]


@pytest.mark.parametrize("text", [b"", b"[]", b"\xff", b'"x"'])
def test_what_is_no_resource_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|decode"):
        Fingerprints().of(text)
