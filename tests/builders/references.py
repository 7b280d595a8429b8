"""ImagingReferences with as much and as little as there can be.

Rules of this file: values of `core`, made without any reader.
"""

from __future__ import annotations

from processors.core.events import Code, Concept, Performer, Region, SubsetKind
from processors.core.reference import (
    Identifier,
    ImagingReference,
    Kind,
    ReferencedInstance,
    WithdrawalReason,
)

DCM = "http://dicom.nema.org/resources/ontology/DCM"
US = "1.2.840.10008.5.1.4.1.1.3.1"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
ID = "7c0b0d7e-8f6f-5a57-9d7c-4d1f9f1f0a01"
LEAST = ImagingReference(
    id=ID,
    kind=Kind.SERIES,
    study_instance_uid="2.999.5",
    series_instance_uid="2.999.5.1",
    code=Concept(Code(DCM, "113015", "Series")),
    instances=(),
)
MOST = LEAST._replace(
    kind=Kind.REGION,
    code=Concept(Code(DCM, "111030", "Image Region"), "cyst"),
    instances=(
        ReferencedInstance(
            "2.999.5.1.1", "1.2.840.10008.5.1.4.1.1.9.1.1", waveform_channels=("1\\0", "2\\3")
        ),
        ReferencedInstance(
            "2.999.5.1.2",
            US,
            0,
            SubsetKind.FRAMES,
            ("3", "12"),
            (Region("circle", (10.0, -0.0, 1e-07, 95.3)), Region("point", (1, 2.5))),
        ),
        ReferencedInstance("2.999.5.1.3", regions_3d=(Region("point", (-1.5, 0, 2)),)),
        ReferencedInstance(
            "2.999.5.1.4",
            SEG,
            subset_kind=SubsetKind.SEGMENTS,
            subset=("2",),
            segmentation_frames=("7", "12"),
        ),
        ReferencedInstance("2.999.5.1.5", matrix_regions=(Region("point", (40000.5, 3.0)),)),
    ),
    withdrawn=WithdrawalReason.DELETED,
    document_uid="2.999.5.8.1",
    subject=Identifier("", "A7", "East Wing"),
    issued="2025-01-02T03:04:05Z",
    performers=(
        Performer("VRF", "Device", "Reader", "urn:dicom:uid", "urn:oid:2.999.6"),
        Performer("PRF", "Practitioner", "Ada Lo"),
    ),
    based_on=(Identifier("urn:oid:2.999.2", "R1"),),
    category=(Concept(Code(DCM, "SR", "Structured Report Document")), Concept(Code("", "Q1", "Quick look"))),
    series_number=0,
    frame_of_reference_uid="2.999.5.7",
    body_site=Concept(Code("http://snomed.info/sct", "10200004", "Liver structure"), "LIVER"),
    focus=("f1", "f2"),
    endpoints=("Endpoint/west",),
    description="left lobe",
    content_item_path="1.5.2",
)
