"""Data sets in the DICOM JSON model (PS3.18 F), written out: what the hospital's reports travel as.

Rules of this file: attributes by keyword, as few as the demonstration's objects need; plain dictionaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

DataSet = dict[str, dict[str, Any]]

_ATTRIBUTES = {
    keyword: (tag, vr)
    for tag, vr, keyword in (
        line.split()
        for line in """
        00080016 UI SOPClassUID
        00080018 UI SOPInstanceUID
        00080020 DA StudyDate
        00080023 DA ContentDate
        00080030 TM StudyTime
        00080033 TM ContentTime
        00080050 SH AccessionNumber
        00080060 CS Modality
        00080100 SH CodeValue
        00080102 SH CodingSchemeDesignator
        00080104 LO CodeMeaning
        00080105 CS MappingResource
        00080201 SH TimezoneOffsetFromUTC
        00081115 SQ ReferencedSeriesSequence
        00081150 UI ReferencedSOPClassUID
        00081155 UI ReferencedSOPInstanceUID
        00081160 IS ReferencedFrameNumber
        00081199 SQ ReferencedSOPSequence
        00100010 PN PatientName
        00100020 LO PatientID
        0020000D UI StudyInstanceUID
        0020000E UI SeriesInstanceUID
        00200011 IS SeriesNumber
        00200013 IS InstanceNumber
        004008EA SQ MeasurementUnitsCodeSequence
        0040A010 CS RelationshipType
        0040A040 CS ValueType
        0040A043 SQ ConceptNameCodeSequence
        0040A050 CS ContinuityOfContent
        0040A123 PN PersonName
        0040A124 UI UID
        0040A160 UT TextValue
        0040A168 SQ ConceptCodeSequence
        0040A171 UI ObservationUID
        0040A300 SQ MeasuredValueSequence
        0040A30A DS NumericValue
        0040A375 SQ CurrentRequestedProcedureEvidenceSequence
        0040A491 CS CompletionFlag
        0040A493 CS VerificationFlag
        0040A504 SQ ContentTemplateSequence
        0040A730 SQ ContentSequence
        0040DB00 CS TemplateIdentifier
        00700022 FL GraphicData
        00700023 CS GraphicType
        """.strip().splitlines()
    )
}


def data_set(**attributes: Any) -> DataSet:
    """Keyword → value, several values as a list; empty ones are left out. Ordered by tag (PS3.18 F.2)."""
    elements: DataSet = {}
    for keyword, value in attributes.items():
        tag, vr = _ATTRIBUTES[keyword]
        values = list(value) if isinstance(value, list | tuple) else [value]
        if values and value != "":
            elements[tag] = {"vr": vr, "Value": [{"Alphabetic": v} for v in values] if vr == "PN" else values}
    return dict(sorted(elements.items()))


def code(value: str, scheme: str, meaning: str) -> list[DataSet]:
    """A code sequence of one item (PS3.3 8.8)."""
    return [data_set(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)]


def sop_reference(sop_class_uid: str, sop_instance_uid: str, frames: Sequence[int] = ()) -> DataSet:
    """SOP Instance Reference Macro (PS3.3 10.8), with the frames that are meant."""
    return data_set(
        ReferencedSOPClassUID=sop_class_uid,
        ReferencedSOPInstanceUID=sop_instance_uid,
        ReferencedFrameNumber=list(frames),
    )
