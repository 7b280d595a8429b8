"""ImagingReference → R5 JSON: every element, in FHIR's order, and nothing empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from processors.core.checks import check
from processors.core.events import Code, Concept, Performer, Region
from processors.core.reference import ReferencedInstance, WithdrawalReason
from processors.fhir import r5
from processors.fhir.skeleton import validate
from tests.builders.references import DCM, ID, LEAST, MOST, SEG, US

DEFINITIONS = r5.EXTENSIONS


def study(uid: str) -> dict[str, Any]:
    type_ = {"coding": [{"system": DCM, "code": "110180", "display": "Study Instance UID"}]}
    identifier = {"type": type_, "system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}
    return {"type": "ImagingStudy", "identifier": identifier}


def function(code: str, display: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
    return {"coding": [{"system": system, "code": code, "display": display}]}


EXPECTED_MOST: dict[str, Any] = {
    "resourceType": "ImagingSelection",
    "id": ID,
    "meta": {
        "tag": [
            {
                "system": "https://imaging-reference.example/fhir/CodeSystem/withdrawal-reason",
                "code": "deleted",
            }
        ]
    },
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/artifact-description",
            "valueMarkdown": "left lobe",
        },
        {
            "url": "https://imaging-reference.example/fhir/StructureDefinition/sr-content-item-path",
            "valueString": "1.5.2",
        },
    ],
    "identifier": [
        {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{ID}"},
        {"use": "secondary", "system": "urn:dicom:uid", "value": "urn:oid:2.999.5.8.1"},
    ],
    "status": "entered-in-error",
    "subject": {"type": "Patient", "identifier": {"value": "A7", "assigner": {"display": "East Wing"}}},
    "issued": "2025-01-02T03:04:05Z",
    "performer": [
        {
            "function": function("VRF", "verifier"),
            "actor": {
                "type": "Device",
                "identifier": {"system": "urn:dicom:uid", "value": "urn:oid:2.999.6"},
                "display": "Reader",
            },
        },
        {
            "function": function("PRF", "performer"),
            "actor": {"type": "Practitioner", "display": "Ada Lo"},
        },
    ],
    "basedOn": [
        {
            "type": "ServiceRequest",
            "identifier": {
                "type": {
                    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]
                },
                "system": "urn:oid:2.999.2",
                "value": "R1",
            },
        }
    ],
    "category": [
        {"coding": [{"system": DCM, "code": "SR", "display": "Structured Report Document"}]},
        {"text": "Quick look"},
    ],
    "code": {"coding": [{"system": DCM, "code": "111030", "display": "Image Region"}], "text": "cyst"},
    "studyUid": "2.999.5",
    "derivedFrom": [study("2.999.5")],
    "endpoint": [{"reference": "Endpoint/west"}],
    "seriesUid": "2.999.5.1",
    "seriesNumber": 0,
    "frameOfReferenceUid": "2.999.5.7",
    "bodySite": {
        "concept": {
            "coding": [
                {"system": "http://snomed.info/sct", "code": "10200004", "display": "Liver structure"}
            ],
            "text": "LIVER",
        }
    },
    "focus": [{"reference": "ImagingSelection/f1"}, {"reference": "ImagingSelection/f2"}],
    "instance": [
        {
            "extension": [
                {
                    "url": f"{DEFINITIONS}/waveform-channel",
                    "valueString": pair,
                }
                for pair in ("1\\0", "2\\3")
            ],
            "uid": "2.999.5.1.1",
            "sopClass": {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.9.1.1"},
        },
        {
            "uid": "2.999.5.1.2",
            "number": 0,
            "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{US}"},
            "subset": ["3", "12"],
            "imageRegion2D": [
                {"regionType": "circle", "coordinate": [10, 0, 1e-07, 95.3]},
                {"regionType": "point", "coordinate": [1, 2.5]},
            ],
        },
        {
            "uid": "2.999.5.1.3",
            "imageRegion3D": [{"regionType": "point", "coordinate": [-1.5, 0, 2]}],
        },
        {
            "extension": [
                {"url": f"{DEFINITIONS}/segmentation-frame", "valuePositiveInt": frame} for frame in (7, 12)
            ],
            "uid": "2.999.5.1.4",
            "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{SEG}"},
            "subset": ["2"],
        },
        {
            "extension": [
                {
                    "url": f"{DEFINITIONS}/total-pixel-matrix-region",
                    "extension": [
                        {"url": "regionType", "valueCode": "point"},
                        {"url": "coordinate", "valueDecimal": 40000.5},
                        {"url": "coordinate", "valueDecimal": 3},
                    ],
                }
            ],
            "uid": "2.999.5.1.5",
        },
    ],
}


def test_every_element_in_order() -> None:
    assert check(MOST) == []
    content = r5.render(MOST)
    assert content == EXPECTED_MOST
    assert json.dumps(content) == json.dumps(EXPECTED_MOST), "order of members, or 10.0 for 10"
    assert validate(content, whole=True) == []


def test_what_is_not_known_is_left_out() -> None:
    assert r5.render(LEAST) == {
        "resourceType": "ImagingSelection",
        "id": ID,
        "identifier": [
            {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{ID}"},
            {"use": "secondary", "system": "urn:dicom:uid", "value": "urn:oid:2.999.5.1"},
        ],
        "status": "available",
        "code": {"coding": [{"system": DCM, "code": "113015", "display": "Series"}]},
        "studyUid": "2.999.5",
        "derivedFrom": [study("2.999.5")],
        "seriesUid": "2.999.5.1",
    }


def leaves(value: Any) -> Iterator[Any]:
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from leaves(child)


def test_nothing_empty_is_written() -> None:
    empty = LEAST._replace(
        code=Concept(Code(DCM, "113000", "")),
        category=(Concept(None, "KO"),),
        performers=(Performer("PRF", "Practitioner", "Ada"),),
        instances=(ReferencedInstance("1.2"),),
    )
    assert all(value not in ("", None, [], {}) for value in leaves(r5.render(empty)))


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (None, "available"),
        *[(reason, "entered-in-error") for reason in WithdrawalReason if reason != "iocm-113039"],
        (WithdrawalReason.RETENTION_EXPIRED, "unknown"),
    ],
)
def test_status_and_reason_go_together(reason: WithdrawalReason | None, status: str) -> None:
    content = r5.render(LEAST._replace(withdrawn=reason))
    tags = content.get("meta", {}).get("tag", [])
    assert (content["status"], [tag["code"] for tag in tags]) == (status, [reason] if reason else [])


def test_a_multipoint_is_a_point_each() -> None:
    region = Region("multipoint", (1, 2, 3.5, 4))
    (instance,) = r5.render(LEAST._replace(instances=(ReferencedInstance("1.2", regions_2d=(region,)),)))[
        "instance"
    ]
    assert instance["imageRegion2D"] == [
        {"regionType": "point", "coordinate": [1, 2]},
        {"regionType": "point", "coordinate": [3.5, 4]},
    ]


def test_uids_are_written_as_received() -> None:
    content = r5.render(LEAST._replace(study_instance_uid="2.999.05", series_instance_uid="2.999.007"))
    assert (content["studyUid"], content["seriesUid"]) == ("2.999.05", "2.999.007")
    assert content["identifier"][1]["value"] == "urn:oid:2.999.007"
    assert validate(content, whole=True) == []
