"""A series and its volumes, where a site tells them apart."""

from __future__ import annotations

import uuid

import pytest

from processors.core.events import InstanceArrived, InstanceHeader, InstancesRejected
from processors.core.identity import NAMESPACE
from processors.core.policy import Policy
from processors.core.reference import ImagingReference, Kind
from processors.core.references import context_of
from processors.core.series import Published
from processors.core.volumes import ASPECTS, of_volumes
from tests.builders.events import CT, KOS, SERIES, STUDY, arrived, deleted, stamp, study_of

AXIAL, SAGITTAL = r"1\0\0\0\1\0", r"0\1\0\0\0\-1"
SOME = Published(1, b"")


def image(number: int, volume: str, at_s: int = 1, sop_class: str = CT) -> InstanceArrived:
    header = InstanceHeader(sop_class, number, frame_of_reference_uid=f"4.{number}", volume=volume)
    return arrived(f"3.{number}", at_s, instance=header)


def volumes(*events: object, by: tuple[str, ...] = ASPECTS, published: str = "") -> list[ImagingReference]:
    study, policy = study_of(*events), Policy(volumes_by=by)
    series = study.series[SERIES]
    series.volumes = {published: SOME} if published else {}
    return [view.reference for view in of_volumes(study, series, context_of(study, policy), policy).views]


def members(references: list[ImagingReference]) -> list[list[str]]:
    return sorted([i.sop_instance_uid for i in reference.instances] for reference in references)


def id_of(*parts: str) -> str:
    return str(uuid.uuid5(NAMESPACE, "|".join(["volume", STUDY, SERIES, *parts])))


DYNAMIC = (
    image(1, f"{AXIAL}|1|1"),
    image(2, f"{AXIAL}|1|1"),
    image(3, f"{AXIAL}|1|2"),
    image(4, f"{SAGITTAL}|2|2"),
)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (ASPECTS, [["3.1", "3.2"], ["3.3"], ["3.4"]]),
        (("orientation",), [["3.1", "3.2", "3.3"], ["3.4"]]),
        (("temporal_position",), [["3.1", "3.2"], ["3.3", "3.4"]]),
        (("acquisition", "temporal_position"), [["3.1", "3.2"], ["3.3"], ["3.4"]]),
        ((), []),
    ],
)
def test_they_are_told_apart_by_what_the_site_says(by: tuple[str, ...], expected: list[list[str]]) -> None:
    assert members(volumes(*DYNAMIC, by=by)) == expected
    assert members(volumes(*DYNAMIC[::-1], by=by)) == expected


def test_what_such_a_reference_says() -> None:
    at_last = volumes(*DYNAMIC[2:], by=("orientation",))
    found = {each.id: each for each in at_last}
    one = found[id_of(SAGITTAL, "", "")]
    assert found.keys() == {one.id, id_of(AXIAL, "", "")}
    assert (one.kind, one.study_instance_uid, one.series_instance_uid) == (Kind.PLAIN, STUDY, SERIES)
    assert one.code.coding is not None
    assert (one.code.coding.code, one.code.text) == ("113015", "One volume of several")
    assert one.focus == (str(uuid.uuid5(NAMESPACE, f"series|{STUDY}|{SERIES}")),)
    assert (one.frame_of_reference_uid, one.modality, one.withdrawn) == ("4.4", "CT", None)


def test_a_series_of_one_volume_is_only_a_series() -> None:
    assert volumes(image(1, "|1|"), image(2, "|1|"), image(3, "")) == []
    assert volumes(image(1, "|1|"), image(2, "|2|", sop_class=KOS)) == []


def test_images_that_say_nothing_of_it_are_in_none() -> None:
    assert members(volumes(image(1, "|1|"), image(2, "|2|"), image(3, ""))) == [["3.1"], ["3.2"]]
    assert members(volumes(image(1, "|1|"), image(2, "||"))) == [["3.1"], ["3.2"]]


def test_one_whose_images_are_gone_is_withdrawn_with_its_list() -> None:
    gone = [each for each in volumes(*DYNAMIC, deleted("3.3", 5)) if each.withdrawn]
    assert [(each.withdrawn, members([each])) for each in gone] == [("deleted", [["3.3"]])]
    note = InstancesRejected(STUDY, "113037", (("", "3.4"),), stamp(5))
    gone = [each for each in volumes(*DYNAMIC, note) if each.withdrawn]
    assert [(each.withdrawn, members([each])) for each in gone] == [("iocm-113037", [["3.4"]])]


def test_what_came_first_without_and_then_with_a_volume_has_it_and_is_no_conflict() -> None:
    study = study_of(image(1, "", 1), image(1, "|1|", 2), image(1, "", 3))
    assert study.series[SERIES].instances["3.1"].volume == "|1|"
    assert study.series[SERIES].warnings == set()


@pytest.mark.parametrize(
    ("events", "by", "left"),
    [
        ([image(1, "|1|")], ("acquisition",), [["3.1"]]),  # the other one was never heard of
        ([image(1, "|1|"), image(1, "|2|", 2)], ("acquisition",), [[]]),  # corrected
        (list(DYNAMIC), (), [[]]),  # no longer told apart
    ],
)
def test_a_published_one_that_is_none_any_more_is_superseded(
    events: list[object], by: tuple[str, ...], left: list[list[str]]
) -> None:
    found = volumes(*events, by=by, published=id_of("", "1", ""))
    assert [each.withdrawn for each in found] == ["superseded"]
    assert members(found) == left
