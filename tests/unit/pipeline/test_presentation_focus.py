"""The presentation state that an image is to be seen with becomes the focus, found by its evidence or by its
arrival (MAPPING 2), whatever came first and whatever became of the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import Any

import pytest
from pydicom.dataset import Dataset

from processors.core.corrections import AnyEvent, InstanceErased, Scope, UidChanged
from processors.core.events import Focus, FocusKind, GroupKind, InstanceHeader
from processors.core.identity import reference_id
from processors.pipeline.partitioning import home_of
from tests.builders.events import (
    OF_INTEREST,
    SERIES,
    STUDY,
    arrived,
    deleted,
    document,
    item,
    key_images,
    reported,
    stamp,
)
from tests.builders.images import ct, encoded
from tests.builders.key_objects import key_objects
from tests.builders.presentation_states import presentation_state
from tests.unit.dicom.report_items import image_item, report_of, scoord
from tests.unit.pipeline.site import REPORTS, Site, facts, resources
from tests.unit.pipeline.test_moves import latest, played

GSPS = "1.2.840.10008.5.1.4.1.1.11.1"
STATE = "2.999.1.400.1"
OTHER = next(f"1.{n}" for n in range(2, 99) if home_of(f"1.{n}", 4) != home_of(STUDY, 4))
"""A study of another partition."""


def focused(resources: Iterable[dict[str, Any]], code: str) -> list[list[str]]:
    """Ids that each available reference of this code points at."""
    return [
        [each["reference"].removeprefix("ImagingSelection/") for each in resource.get("focus", [])]
        for resource in resources
        if resource["code"]["coding"][0]["code"] == code and resource["status"] == "available"
    ]


# ---- whole objects ---------------------------------------------------------------------------------------


def seen_with_state(image: Dataset) -> Dataset:
    """The item's image is to be seen with the state (PS3.3 C.18.4), of which no evidence speaks."""
    state = Dataset()
    state.ReferencedSOPClassUID, state.ReferencedSOPInstanceUID = GSPS, STATE
    image.ReferencedSOPSequence[0].ReferencedSOPSequence = [state]
    return image


def selection() -> Dataset:
    made = key_objects("2.999.1.200.1", [ct(1)])
    seen_with_state(made.ContentSequence[-1])
    return made


def report() -> Dataset:
    plain, drawn_on = (seen_with_state(image_item(ct(1))) for _ in range(2))
    return report_of(plain, scoord("POINT", [1, 2], [drawn_on]))


OBJECTS = [encoded(each) for each in (ct(1), presentation_state([ct(1)]), selection(), report())]


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize("apart", [False, True])
def test_objects_in_any_order_give_the_same_focus(order: Sequence[int], apart: bool) -> None:
    site = Site()
    for at in order:
        site.feed(site.record(OBJECTS[at], topic=REPORTS, study="2.999.1"))
        site.wait(400 if apart else 0.001)
    site.wait(400)
    state = reference_id(f"pr|2.999.1|2.999.1.400|{STATE}")
    found = latest(site)
    assert state in found
    for code in ("113000", "126000", "111030"):  # the key images, the report's image, its region
        assert focused(found.values(), code) == [[state]]


def test_a_state_that_comes_later_costs_a_revision_at_the_pace_of_its_series() -> None:
    site = Site()
    image, state, selected, _ = OBJECTS
    for value in (image, selected):
        site.feed(site.record(value, topic=REPORTS, study="2.999.1"))
    site.wait(400)
    before = len(site.outputs)
    at_once = site.feed(site.record(state, topic=REPORTS, study="2.999.1"))
    assert focused(resources(at_once), "113000") == []
    site.wait(10)
    revised = [fact for fact in facts(site.outputs[before:]) if fact["kind"] == "key_images"]
    assert [(fact["revision"], fact["warnings"]) for fact in revised] == [(2, [])]


# ---- what becomes of the state ---------------------------------------------------------------------------

UNPLACED = Focus(FocusKind.PRESENTATION_STATE, "||4.9")
NOTE = reported(document(key_images(item())._replace(focus=(UNPLACED,))), 1)
THERE = reported(
    document(key_images(item(study=OTHER))._replace(focus=(UNPLACED,)), sop="5.3", study=OTHER), 1
)
FAR = reported(document(key_images(item(study=OTHER))._replace(focus=(UNPLACED,)), sop="5.2"), 1)


def state(series: str = "2.4", at_s: int = 2) -> AnyEvent:
    made = document(sop="4.9", sop_class=GSPS)
    shown = item("4.9", series=series, sop_class=GSPS)
    group = key_images(shown)._replace(kind=GroupKind.PRESENTATION, code=OF_INTEREST)
    path = made.path._replace(series_instance_uid=series)
    return reported(made._replace(path=path, instance=InstanceHeader(GSPS, 1), groups=(group,)), at_s)


def pr(series: str = "2.4", study: str = STUDY, sop: str = "4.9") -> str:
    return reference_id(f"pr|{study}|{series}|{sop}")


def erased(at_s: int) -> InstanceErased:
    return InstanceErased(STUDY, "2.4", "4.9", stamp(at_s, removal=True))


def moved(prior: Scope, present: Scope) -> UidChanged:
    return UidChanged(prior, present, stamp(5, event_id=f"{present}"))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([NOTE], [[]], id="it never comes"),
        pytest.param([NOTE, state()], [[pr()]], id="it comes"),
        pytest.param([NOTE, state(), state("2.5")], [[pr(), pr("2.5")]], id="in two series"),
        pytest.param([NOTE, state(), deleted("4.9", 3, series="2.4")], [[pr()]], id="and is deleted"),
        pytest.param([NOTE, state(), erased(5)], [[]], id="and is erased"),
        pytest.param([NOTE, state(at_s=7), erased(5)], [[]], id="and comes again, of which nobody spoke"),
        pytest.param([FAR, state()], [[pr()]], id="and is told to another study"),
        pytest.param([FAR, state(), erased(5)], [[]], id="and is erased, which is told, too"),
        pytest.param(
            [NOTE, state(), moved(Scope(STUDY, "2.4"), Scope(OTHER, "2.7"))],
            [[pr("2.7", OTHER)]],
            id="and its series is moved",
        ),
        pytest.param(
            [NOTE, state(), moved(Scope(STUDY, "2.4", "4.9"), Scope(STUDY, "2.4", "4.8"))],
            [[pr(sop="4.8")]],
            id="and gets another UID",
        ),
        pytest.param(
            [NOTE, state(), moved(Scope(STUDY), Scope(OTHER))], [[pr(study=OTHER)]], id="all is moved"
        ),
        pytest.param(
            [FAR, state(), moved(Scope(STUDY, "2.4"), Scope(OTHER, "2.7"))],
            [[pr("2.7", OTHER)]],
            id="it follows the image",
        ),
        pytest.param(
            [THERE, state(at_s=7), erased(5), moved(Scope(STUDY, "2.4"), Scope(OTHER, "2.7"))],
            [[]],
            id="and was erased under its old name",
        ),
    ],
)
def test_whatever_becomes_of_it(events: list[AnyEvent], expected: list[list[str]]) -> None:
    others = [arrived(), arrived(study=OTHER)]
    for order in permutations(events):
        found = latest(played([*others, *order])).values()
        key_images_alone = (r for r in found if r["seriesUid"] == SERIES)
        key_image_focus = [sorted(each) for each in focused(key_images_alone, "113000")]
        assert key_image_focus == [sorted(each) for each in expected]
