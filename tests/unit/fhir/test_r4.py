"""ImagingReference → R4 Basic: all that R5 says, where the cross-version packages put it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from processors.core.checks import check
from processors.core.events import Code, Concept
from processors.core.reference import ImagingReference, ReferencedInstance, WithdrawalReason
from processors.core.vocabulary import MODALITIES
from processors.fhir import r4, r5
from processors.fhir.r4_codes import known_to_r4
from processors.fhir.skeleton import validate
from tests.builders.references import DCM, ID, LEAST, MOST

PREFIX = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ImagingSelection"
REPEATED = {"performer", "basedOn", "category", "derivedFrom", "endpoint", "focus", "instance", "subset"} | {
    "imageRegion2D",
    "imageRegion3D",
    "coordinate",
}
TYPES = {
    "status": "Code",
    "issued": "Instant",
    "studyUid": "Id",
    "seriesUid": "Id",
    "seriesNumber": "UnsignedInt",
    "frameOfReferenceUid": "Id",
    "uid": "Id",
    "number": "UnsignedInt",
    "sopClass": "Coding",
    "subset": "String",
    "regionType": "Code",
    "coordinate": "Decimal",
    "actor": "Reference",
}
"""R5's type of an element where its values do not show it."""


def carried(extensions: list[dict[str, Any]]) -> dict[str, Any]:
    """Read back, in the words of the package: what the extensions say of an ImagingSelection."""
    said: dict[str, Any] = {}
    for extension in extensions:
        name = extension["url"].removeprefix(f"{PREFIX}.")
        if "/" in name:
            said.setdefault("extension", []).append(extension)
            continue
        ((member, value),) = [(k, v) for k, v in extension.items() if k != "url"]
        if member == "extension":
            value = carried(value)
        else:
            assert member == f"value{TYPES.get(name, member[5:])}"
        if name in REPEATED:
            said.setdefault(name, []).append(value)
        else:
            assert name not in said
            said[name] = value
    return said


def read_back(content: dict[str, Any]) -> dict[str, Any]:
    selection = carried([*content["extension"], *content.get("modifierExtension", ())])
    if "bodySite" in selection:
        (datatype,) = selection["bodySite"].pop("extension")
        assert datatype == {
            "url": "http://hl7.org/fhir/StructureDefinition/_datatype",
            "valueString": "CodeableReference",
        }
    for focus in selection.get("focus", ()):
        focus["reference"] = focus["reference"].replace("Basic/", "ImagingSelection/")
    return selection


def expected(reference: ImagingReference) -> dict[str, Any]:
    """What Basic has no own place for."""
    own = {"resourceType", "id", "meta", "identifier", "subject"}
    return {name: value for name, value in r5.render(reference).items() if name not in own}


@pytest.mark.parametrize("status_modifies", [False, True])
@pytest.mark.parametrize("reference", [LEAST, MOST], ids=["least", "most"])
def test_the_flat_package_carries_all_that_r5_says(
    reference: ImagingReference, status_modifies: bool
) -> None:
    content = r4.render(reference, status_modifies=status_modifies)
    assert read_back(json.loads(json.dumps(content))) == expected(reference)
    modifiers = [each["url"] for each in content.get("modifierExtension", ())]
    assert modifiers == ([f"{PREFIX}.status"] if status_modifies else [])
    assert content["meta"]["profile"] == [
        "http://hl7.org/fhir/5.0/StructureDefinition/profile-ImagingSelection"
    ]
    assert content["code"] == {
        "coding": [{"system": "http://hl7.org/fhir/fhir-types", "code": "ImagingSelection"}]
    }
    assert validate(content, whole=True) == []


@pytest.mark.parametrize("reference", [LEAST, MOST], ids=["least", "most"])
def test_the_nested_package_has_one_extension_and_the_code_itself(reference: ImagingReference) -> None:
    content = r4.render(reference, "0.0.1-snapshot-2", status_modifies=True)
    *own, nested = content["extension"]
    assert (nested["url"], own) == (PREFIX, r5.render(reference).get("extension", []))
    selection = read_back({"extension": [*own, *json.loads(json.dumps(nested["extension"]))]})
    assert selection | {"code": content["code"]} == expected(reference)
    assert "modifierExtension" not in content
    profile = "http://hl7.org/fhir/4.0/StructureDefinition/R5-ImagingSelection-for-R4"
    assert content["meta"]["profile"] == [profile]
    assert validate(content, whole=True) == []


def test_what_a_reader_without_the_package_sees() -> None:
    assert check(MOST) == []
    content = r4.render(MOST)
    del content["extension"]
    assert list(content) == ["resourceType", "id", "meta", "identifier", "code", "subject", "created"]
    assert (content["resourceType"], content["id"], content["created"]) == ("Basic", ID, "2025-01-02")
    assert content["subject"] == {
        "type": "Patient",
        "identifier": {"value": "A7", "assigner": {"display": "East Wing"}},
    }
    assert [identifier["value"] for identifier in content["identifier"]] == [
        f"urn:uuid:{ID}",
        "urn:oid:2.999.5.8.1",
        "urn:oid:2.999.5",
    ]
    study_type = {"coding": [{"system": DCM, "code": "110180", "display": "Study Instance UID"}]}
    assert content["identifier"][2] == {
        "use": "secondary",
        "type": study_type,
        "system": "urn:dicom:uid",
        "value": "urn:oid:2.999.5",
    }
    (tag,) = content["meta"]["tag"]
    assert tag["code"] == "deleted"
    assert not {"subject", "created"} & r4.render(LEAST).keys()


@pytest.mark.parametrize("reason", WithdrawalReason)
def test_the_status_is_r5_s(reason: WithdrawalReason) -> None:
    reference = LEAST._replace(withdrawn=reason)
    assert carried(r4.render(reference)["extension"])["status"] == r5.status_of(reason)


@pytest.mark.parametrize("package", r4.PACKAGES)
def test_the_skeleton_has_two_instances_whatever_the_length(package: str) -> None:
    instances = tuple(ReferencedInstance(f"2.999.5.1.{n}", "1.2", n) for n in range(2000))
    content = r4.render(MOST._replace(instances=instances), package)
    size = len(json.dumps(content))
    assert r4.skeleton(content) == r4.render(MOST._replace(instances=instances[:2]), package)
    assert r4.skeleton(r4.render(LEAST, package)) == r4.render(LEAST, package)
    assert len(json.dumps(content)) == size, "the content itself is not cut"


SYSTEM_BESIDE = {
    "_system": {
        "extension": [
            {
                "url": "https://imaging-reference.example/fhir/StructureDefinition/coding-system",
                "valueUri": DCM,
            }
        ]
    }
}
REGION_IN_SPACE = {"code": "130488", "display": "Region in Space"}


@pytest.mark.parametrize("package", r4.PACKAGES)
def test_a_code_younger_than_r4_has_its_system_beside(package: str) -> None:
    """A validator that knows R4's copy of DICOM's codes alone would refuse the resource."""
    young = LEAST._replace(
        code=Concept(Code(DCM, *REGION_IN_SPACE.values()), "GTV"),
        category=(Concept(Code(DCM, "RWV")), Concept(Code(DCM, "RTSTRUCT")), Concept(None, "as said")),
        body_site=Concept(Code(DCM, "130000", "a site")),
    )
    content = r4.render(young, package)
    said = read_back({"extension": content["extension"]} if package == r4.PACKAGES[0] else nested(content))
    assert said["code"] == {"coding": [SYSTEM_BESIDE | REGION_IN_SPACE], "text": "GTV"}
    assert said["category"] == [
        {"coding": [SYSTEM_BESIDE | {"code": "RWV"}]},
        {"coding": [{"system": DCM, "code": "RTSTRUCT"}]},
        {"text": "as said"},
    ]
    assert said["bodySite"]["concept"]["coding"] == [SYSTEM_BESIDE | {"code": "130000", "display": "a site"}]
    assert validate(content, whole=True) == []
    plain = r4.render(young, package, plain_codes=True)
    assert "coding-system" not in json.dumps(plain)
    assert r5.render(young)["code"]["coding"] == [{"system": DCM} | REGION_IN_SPACE]


def nested(content: dict[str, Any]) -> dict[str, Any]:
    (carrier,) = content["extension"]
    return {"extension": [*carrier["extension"], {"url": "code", "valueCodeableConcept": content["code"]}]}


def test_what_r4_knows_of_dicoms_codes() -> None:
    """All of its copy: 3058 numbers and 98 names; of today's modalities not quite all."""
    known = known_to_r4()
    assert (len(known), len([code for code in known if code.isdigit()])) == (3156, 3058)
    assert {"109001", "126811", "XC"} <= known
    assert MODALITIES.keys() - known >= {"ANN", "DOC", "RWV"}
    assert {"CT", "MR", "SR", "KO", "PR", "SEG", "RTSTRUCT"} <= known
