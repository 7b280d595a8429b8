"""Findings of computer-aided detection: what is selected, and what only tells how they came about."""

from __future__ import annotations

import pytest

from processors.core.events import Code, Concept, Region
from processors.core.vocabulary import DCM
from tests.builders.images import ct
from tests.unit.dicom.cad_reports import (
    CENTER,
    CHEST_CAD,
    COLON_CAD,
    NEVER,
    OPTIONAL,
    OUTLINE,
    REQUIRED,
    SQUARE,
    cad_report,
    finding,
    impression,
    mammography_report,
    performed,
)
from tests.unit.dicom.report_items import (
    Coded,
    by_key,
    by_reference,
    image_item,
    item,
    read,
    scoord,
    scoord3d,
)

POINT = (1.0, 2.0)


def test_a_finding_is_on_its_image_of_the_library_and_on_no_other() -> None:
    document = read(mammography_report())
    groups = by_key(document)
    assert {key: [i.sop_instance_uid for i in g.items] for key, g in groups.items()} == {
        "sr-item|1.2.1.2": ["2.999.1.100.9"],
        "sr-region|1.2.1.2.2": ["2.999.1.6.2"],
        "sr-region|1.2.1.2.3": ["2.999.1.6.2"],
    }
    center, outline = groups["sr-region|1.2.1.2.2"], groups["sr-region|1.2.1.2.3"]
    assert center.code == Concept(Code(DCM, CENTER[0], CENTER[2]))
    assert center.items[0].regions_2d == (Region("point", (100.5, 200.25)),)
    assert outline.code == Concept(Code(DCM, OUTLINE[0], OUTLINE[2]))
    assert outline.items[0].regions_2d == (Region("polyline", tuple(map(int, SQUARE))),)
    assert document.warnings == ()


def test_chest_findings_refer_by_value_or_into_a_library() -> None:
    library = item("CONTAINER", ("111028", "DCM", "Image Library"), [image_item(ct(1)), image_item(ct(2))])
    by_value = finding(scoord("POINT", POINT, [image_item(ct(1))], CENTER))
    into_library = finding(scoord("POINT", POINT, [by_reference(1, 1, 2)], CENTER))
    nodule = cad_report(CHEST_CAD, library, impression(by_value, into_library), images=[ct(1), ct(2)])
    found = {g.suffix: g.items[0].sop_instance_uid for g in read(nodule).groups if g.kind == "sr-region"}
    assert found == {"1.2.2.2": "2.999.1.2.1", "1.2.3.2": "2.999.1.2.2"}


def test_colon_findings_have_no_library() -> None:
    polyp = finding(scoord("POINT", POINT, [image_item(ct(3))], CENTER), scoord3d("POINT", (1, 2, 3)))
    document = read(cad_report(COLON_CAD, impression(polyp), performed(image_item(ct(1))), images=[ct(1)]))
    assert [key for key in by_key(document) if "region" in key] == ["sr-region|1.1.2.2", "sr-region|1.1.2.3"]
    assert len(document.groups) == 3


@pytest.mark.parametrize(
    ("outer", "inner", "categories"),
    [
        (REQUIRED, REQUIRED, [()]),
        (None, None, [()]),
        (REQUIRED, OPTIONAL, [(Concept(Code(DCM, OPTIONAL[0], OPTIONAL[2])),)]),
        (OPTIONAL, REQUIRED, [(Concept(Code(DCM, OPTIONAL[0], OPTIONAL[2])),)]),
        (REQUIRED, NEVER, []),
        (NEVER, REQUIRED, []),
    ],
)
def test_rendering_intent_holds_for_all_below(
    outer: Coded | None, inner: Coded | None, categories: list[tuple[Concept, ...]]
) -> None:
    mass = finding(scoord("POINT", POINT, [image_item(ct(1))], CENTER), intent=inner)
    document = read(cad_report(CHEST_CAD, impression(mass, intent=outer), images=[ct(1)]))
    assert [g.category for g in document.groups] == categories * 2, "of the finding and of its region"
    assert (document.problem, document.warnings) == ("", ())


def test_a_report_without_findings_is_empty() -> None:
    library = item("CONTAINER", ("111028", "DCM", "Image Library"), [image_item(ct(1))])
    document = read(cad_report(CHEST_CAD, library, performed(by_reference(1, 1, 1)), images=[ct(1)]))
    assert (document.groups, document.problem, document.warnings) == ((), "", ())
