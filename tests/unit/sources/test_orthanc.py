from __future__ import annotations

from processors.core.events import InstanceArrived, Stamp
from processors.dicom import ReadingPolicy, event_of_json
from processors.sources.orthanc import dicom_json

TAGS = {
    "0008,0016": {"Name": "SOPClassUID", "Type": "String", "Value": "1.2.840.10008.5.1.4.1.1.2"},
    "0008,0018": {"Name": "SOPInstanceUID", "Type": "String", "Value": "2.999.1.2.1"},
    "0008,0060": {"Name": "Modality", "Type": "String", "Value": "CT"},
    "0008,1111": {"Name": "Unknown", "Type": "TooLong", "Value": None},
    "0008,2218": {
        "Name": "AnatomicRegionSequence",
        "Type": "Sequence",
        "Value": [
            {
                "0008,0100": {"Name": "CodeValue", "Type": "String", "Value": "51185008"},
                "0008,0102": {"Name": "CodingSchemeDesignator", "Type": "String", "Value": "SCT"},
                "0008,0104": {"Name": "CodeMeaning", "Type": "String", "Value": "Thorax"},
            }
        ],
    },
    "0010,0010": {"Name": "PatientName", "Type": "String", "Value": "Müller^Jane"},
    "0010,0020": {"Name": "PatientID", "Type": "String", "Value": "P1"},
    "0020,000d": {"Name": "StudyInstanceUID", "Type": "String", "Value": "2.999.1"},
    "0020,000e": {"Name": "SeriesInstanceUID", "Type": "String", "Value": "2.999.1.2"},
    "0020,0013": {"Name": "InstanceNumber", "Type": "String", "Value": "7"},
    "0028,0008": {"Name": "NumberOfFrames", "Type": "String", "Value": ""},
    "0028,0010": {"Name": "Rows", "Type": "String", "Value": "512"},
}


def test_orthanc_s_tags_are_read_like_an_object_s() -> None:
    model = dicom_json(TAGS)
    assert "00081111" not in model
    event = event_of_json(model, Stamp(0, False, "", "", b""), ReadingPolicy(), dated=True)
    assert isinstance(event, InstanceArrived)
    assert (event.study_instance_uid, event.sop_instance_uid) == ("2.999.1", "2.999.1.2.1")
    assert (event.instance.number, event.instance.frames) == (7, None)
    assert event.header.anatomic_region is not None
    assert event.header.anatomic_region.code == "51185008"
    assert (event.header.modality, event.header.patient_id) == ("CT", "P1")
    assert event.warnings == ()
