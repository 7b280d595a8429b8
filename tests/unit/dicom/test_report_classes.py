"""Every class with a content tree is read alike: references where it makes any, else an empty document."""

from __future__ import annotations

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset

from processors.core.events import DocumentArrived, DocumentPath, Stamp
from processors.core.vocabulary import KEY_OBJECT_SELECTION, STRUCTURED_REPORTS
from processors.dicom import ReadingPolicy, event_of_object
from processors.errors import WarningCode
from tests.builders.images import ct, encoded
from tests.unit.dicom.report_items import coded, image_item, item, report_of

TRIAL_DETAIL = "1.2.840.10008.5.1.4.1.1.88.3"
SPECTACLES_AND_MACULAR_GRID = {"1.2.840.10008.5.1.4.1.1.78.6", "1.2.840.10008.5.1.4.1.1.79.1"}


def arrived(document: Dataset) -> DocumentArrived:
    stamp = Stamp(0, False, "PACS", "1", b"")
    event = event_of_object(encoded(document), stamp, ReadingPolicy(), dated=True)
    assert isinstance(event, DocumentArrived)
    return event


def test_no_class_is_forgotten() -> None:
    listed = {uid for uid in UID_dictionary if uid.startswith("1.2.840.10008.5.1.4.1.1.88.")}
    assert listed - {KEY_OBJECT_SELECTION} | SPECTACLES_AND_MACULAR_GRID == STRUCTURED_REPORTS


@pytest.mark.parametrize("sop_class", sorted(STRUCTURED_REPORTS))
def test_references_are_read_and_their_absence_is_no_error(sop_class: str) -> None:
    referring = report_of(item("CONTAINER", ("121070", "DCM", "Findings"), [image_item(ct(1))]))
    silent = report_of(item("TEXT", ("121071", "DCM", "Finding")))
    referring.SOPClassUID = silent.SOPClassUID = sop_class
    (group,) = arrived(referring).document.groups
    assert group.items[0][:3] == DocumentPath("2.999.1", "2.999.1.2", "2.999.1.2.1")
    document = arrived(silent).document
    assert (document.groups, document.problem, document.warnings) == ((), "", ())


def test_a_trial_class_keeps_its_content_in_findings_without_value_types() -> None:
    picture = Dataset()
    picture.ConceptNameCodeSequence = [coded("121080", "DCM", "Best illustration of finding")]
    picture.ReferencedImageSequence = image_item(ct(1)).ReferencedSOPSequence
    picture.ObservationUID = "2.999.1.88.1"
    remark = Dataset()
    remark.TextValue = "GOOD"
    findings = Dataset()
    findings.ContentSequence = [remark, picture]
    document = report_of()
    document.SOPClassUID = TRIAL_DETAIL
    document.FindingsSequenceTrial = [findings]
    for modern in ("ContentSequence", "ConceptNameCodeSequence", "ValueType"):
        delattr(document, modern)
    (group,) = arrived(document).document.groups
    assert (group.suffix, group.items[0].sop_instance_uid) == ("1.1.2", "2.999.1.2.1")
    picture.CoordinatesSetGeometricTypeTrial, picture.PixelCoordinatesSetTrial = "POINT", [7, 9]
    marked = arrived(document).document
    assert (marked.groups, marked.warnings) == ((group,), (WarningCode.REGION_DROPPED,))
    findings.ContentSequence = [remark]
    assert arrived(document).document.groups == ()
