"""The header of any instance."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom.dataset import Dataset

from processors.core.events import Accession, Code, InstanceArrived, InstanceHeader, Performer, Stamp
from processors.core.vocabulary import SNOMED_CT
from processors.dicom import ReadingPolicy, event_of_object
from processors.errors import DeadLetterCode, Refused
from tests.builders.images import ct, encoded, enhanced_ct

STAMP = Stamp(0, False, "CT1", "e1", b"")


def arrived(dataset: Dataset) -> InstanceArrived:
    event = event_of_object(encoded(dataset), STAMP, ReadingPolicy(), dated=True, expected=3)
    assert isinstance(event, InstanceArrived)
    return event


def test_a_ct_image() -> None:
    event = arrived(ct(2))
    assert event[:4] == ("2.999.1", "2.999.1.2", "2.999.1.2.2", STAMP)
    assert event.instance == InstanceHeader("1.2.840.10008.5.1.4.1.1.2", 2, None, "2.999.1.9")
    assert event.header._replace(performers=()) == event.header
    assert (event.header.modality, event.header.series_number) == ("CT", 2)
    assert (event.header.body_part_examined, event.header.patient_id) == ("CHEST", "P1")
    assert event.header.issuer_of_patient_id == "2.999.8"
    assert event.header.accession == Accession("ACC1", "2.999.7")
    assert (event.dated, event.expected, event.warnings) == (True, 3, ())


def test_frames_and_anatomy_of_a_multi_frame_image() -> None:
    image, shared, anatomy, region = enhanced_ct(), Dataset(), Dataset(), Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "T-28000", "SRT", "Lung"
    anatomy.AnatomicRegionSequence, anatomy.FrameLaterality = [region], "L"
    shared.FrameAnatomySequence = [anatomy]
    image.SharedFunctionalGroupsSequence = [shared]
    event = arrived(image)
    assert event.instance.frames == 40
    assert event.header.anatomic_region == Code(SNOMED_CT, "39607008", "Lung")
    assert event.header.laterality == "L"
    image.ImageLaterality = "R"
    assert arrived(image).header.laterality == "R"


def test_who_made_the_series() -> None:
    image = ct(1)
    image.PerformingPhysicianName = "Curie^Marie"
    code, person = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "7", "99HR", "Marie Curie"
    code.CodingSchemeUID = "2.999.6"
    person.PersonIdentificationCodeSequence = [code]
    image.PerformingPhysicianIdentificationSequence = [person]
    image.OperatorsName = ["Meitner^Lise", "Meitner^Lise", ""]
    assert arrived(image).header.performers == (
        Performer("PRF", "Practitioner", "Marie Curie", "urn:oid:2.999.6", "7"),
        Performer("PRF", "Practitioner", "Lise Meitner"),
    )


def private(image: Dataset) -> None:
    image.SOPClassUID = "2.999.99"


def unusable_numbers(image: Dataset) -> None:
    image.SeriesNumber = image.InstanceNumber = -1


@pytest.mark.parametrize(
    ("change", "warnings"),
    [(private, ("private_sop_class",)), (unusable_numbers, ("series_number_unusable",))],
)
def test_what_is_odd_is_published_with_a_warning(
    change: Callable[[Dataset], None], warnings: tuple[str, ...]
) -> None:
    image = ct(1)
    change(image)
    event = arrived(image)
    assert event.warnings == warnings
    assert event.instance.sop_class_uid == image.SOPClassUID


@pytest.mark.parametrize("keep", [True, False])
def test_the_class_of_the_media_stands_in_for_an_absent_one(keep: bool) -> None:
    data = encoded(ct(1))
    at = data.index(b"\x08\x00\x16\x00UI")
    without = data[:at] + data[data.index(b"\x08\x00\x18\x00UI") :]
    if not keep:
        at = data.index(b"\x08\x00\x16\x00UI")
        with pytest.raises(Refused) as refused:
            event_of_object(without[at:], STAMP, ReadingPolicy(), dated=True)
        assert (refused.value.code, refused.value.tag) == (DeadLetterCode.MISSING_UID, "(0008,0016)")
        return
    event = event_of_object(without, STAMP, ReadingPolicy(), dated=True)
    assert isinstance(event, InstanceArrived)
    assert event.instance.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"
    assert event.warnings == ("media_class_mismatch",)


@pytest.mark.parametrize(
    ("keyword", "tag"),
    [
        ("StudyInstanceUID", "(0020,000D)"),
        ("SeriesInstanceUID", "(0020,000E)"),
        ("SOPInstanceUID", "(0008,0018)"),
    ],
)
def test_an_instance_without_identity_is_refused(keyword: str, tag: str) -> None:
    data = encoded(ct(1))
    value = getattr(ct(1), keyword).encode()
    at = data.rindex(b"UI" + bytes([len(value) + len(value) % 2, 0]) + value)
    data = (
        data[: at + 4]
        + data[at + 4 : at + 4 + len(value)].translate(None, value).ljust(len(value))
        + data[at + 4 + len(value) :]
    )
    with pytest.raises(Refused) as refused:
        event_of_object(data, STAMP, ReadingPolicy(), dated=True)
    assert (refused.value.code, refused.value.tag) == (DeadLetterCode.MISSING_UID, tag)
