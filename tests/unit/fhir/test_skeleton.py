"""What fhir.resources is asked, what it answers, and that a known form is not asked again."""

from __future__ import annotations

from typing import Any

import pytest

from processors.core.events import Code, Concept
from processors.core.reference import ImagingReference, Kind, ReferencedInstance
from processors.fhir import skeleton
from processors.fhir.r5 import render
from processors.fhir.skeleton import validate


def content(instances: int = 1) -> dict[str, Any]:
    return render(
        ImagingReference(
            id="r1",
            kind=Kind.SERIES,
            study_instance_uid="2.999.1",
            series_instance_uid="2.999.1.1",
            code=Concept(Code("urn:oid:2.999.9", "113015", "Series")),
            instances=tuple(ReferencedInstance(f"2.999.1.1.{n}", "1.2.3", n) for n in range(instances)),
        )
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": 5}, "status: string_type"),
        ({"studyUid": "2_999"}, "studyUid: string_pattern_mismatch"),
        ({"colour": "red"}, "colour: extra_forbidden"),
        ({"issued": "2025-01-02T03:04:05"}, "issued: value_error"),
        ({"identifier": [{"value": ""}]}, "identifier.value: string_pattern_mismatch"),
        ({"instance": [{"uid": "2.999", "number": "Doe^J"}]}, "instance.number: int_parsing"),
    ],
)
def test_problems_name_elements_and_no_values(change: dict[str, Any], problem: str) -> None:
    assert validate(content(), whole=True) == []
    assert validate(content() | change, whole=True) == [problem]


def test_a_series_is_judged_by_two_instances() -> None:
    long = content(3)
    del long["instance"][2]["uid"]
    long["instance"][2]["colour"] = 1
    assert validate(long, whole=False) == []
    assert validate(long, whole=True) == ["instance.colour: extra_forbidden"]
    assert len(long["instance"]) == 3, "the content itself is not cut"


def test_members_of_a_list_that_are_alike_are_one_form() -> None:
    parts = [{"url": "coordinate", "valueDecimal": n} for n in range(3)]
    forms: list[list[object]] = []
    for extension in (parts, parts[:1], [*parts, {"url": "coordinate", "valueDecimal": "x"}]):
        forms.append([])
        skeleton._trace({"extension": extension}, forms[-1])
    assert forms[0] == forms[1] != forms[2]


def test_a_known_form_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def problems(resource: dict[str, Any], _: str) -> list[str]:
        asked.append(resource["id"])
        return []

    monkeypatch.setattr(skeleton, "_verdicts", {})
    monkeypatch.setattr(skeleton, "_problems", problems)
    for resource_id in ("a", "b", "a_b"):
        validate(content() | {"id": resource_id}, whole=True)
    assert asked == ["a", "a_b"], "another value of the same form is known, one of another pattern is not"
    monkeypatch.setattr(skeleton, "FORMS_KEPT", 2)
    validate(content(0), whole=True)
    assert len(skeleton._verdicts) == 1


def test_of_items_of_one_form_one_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """An extension for each coordinate, as in R4, costs what one costs; a fault amid them is found."""
    long = content(3)
    long["instance"][1]["number"] = "one"
    assert validate(long, whole=True) == ["instance.number: int_parsing"]
    judged: list[dict[str, Any]] = []

    def problems(resource: dict[str, Any], _: str) -> list[str]:
        judged.append(resource)
        return []

    monkeypatch.setattr(skeleton, "_verdicts", {})
    monkeypatch.setattr(skeleton, "_problems", problems)
    validate(long, whole=True)
    validate(content(1000), whole=True)
    assert [len(each["instance"]) for each in judged] == [2, 1]
