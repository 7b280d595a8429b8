"""Which volume of its series an image says it belongs to."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from processors.core.events import InstanceArrived, Stamp
from processors.dicom import ReadingPolicy, event_of_object
from tests.builders.images import ct, encoded, enhanced_ct

AXIAL = ["1", "0", "0", "0", "1", "0"]


def volume(dataset: Dataset, policy: ReadingPolicy | None = None) -> str:
    policy = policy or ReadingPolicy(volumes=True)
    event = event_of_object(encoded(dataset), Stamp(0, False, "CT1", "e1", b""), policy, dated=True)
    assert isinstance(event, InstanceArrived)
    return event.instance.volume


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, "||"),
        (
            {"ImageOrientationPatient": AXIAL, "AcquisitionNumber": 2, "TemporalPositionIdentifier": 1},
            r"1\0\0\0\1\0|2|1",
        ),
        ({"ImageOrientationPatient": ["0.9999987", "-0.0012", "0", "-0", "1", "-1e-7"]}, r"1\0\0\0\1\0||"),
        ({"ImageOrientationPatient": ["0.7071", "0", "-0.7071", "0", "1", "0"]}, r"0.71\0\-0.71\0\1\0||"),
        ({"ImageOrientationPatient": AXIAL[:5]}, "||"),
        ({"AcquisitionNumber": 0}, "|0|"),
        ({"AcquisitionNumber": -1}, "||"),
    ],
)
def test_what_is_said_of_it(said: dict[str, object], expected: str) -> None:
    image = ct(1)
    for keyword, value in said.items():
        setattr(image, keyword, value)
    assert volume(image) == expected


@pytest.mark.parametrize("junk", [rb"1\0\x\0\1\0 ", rb"1\0\0\0\nan ", rb"1\0\0\0\1e999"])
def test_a_direction_that_is_none(junk: bytes) -> None:
    image = ct(1)
    image.ImageOrientationPatient = AXIAL
    data = encoded(image).replace(rb"1\0\0\0\1\0 ", junk)
    event = event_of_object(data, Stamp(0, False, "", "", b""), ReadingPolicy(volumes=True), dated=True)
    assert isinstance(event, InstanceArrived)
    assert event.instance.volume == "||"


def test_the_direction_that_all_frames_share() -> None:
    image, shared, plane = enhanced_ct(), Dataset(), Dataset()
    plane.ImageOrientationPatient = AXIAL
    shared.PlaneOrientationSequence = [plane]
    image.SharedFunctionalGroupsSequence = [shared]
    assert volume(image) == r"1\0\0\0\1\0||"


def test_nothing_is_said_where_nobody_asks() -> None:
    image = ct(1)
    image.AcquisitionNumber = 2
    assert volume(image, ReadingPolicy()) == ""
