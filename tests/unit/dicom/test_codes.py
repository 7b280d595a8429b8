"""The Code Sequence Macro (PS3.3 8.8) to codes with a system."""

from __future__ import annotations

from itertools import permutations

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset

from processors.core.events import Code, Concept
from processors.core.vocabulary import DCM, SNOMED_CT
from processors.dicom.codes import code, first_code, is_code
from processors.dicom.coding_schemes import SYSTEMS
from processors.dicom.json_model import read_json
from tests.builders.readings import reading_of


def entry(**attributes: str) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


LONG = "CASE-LONG-CODE-00042"


@pytest.mark.parametrize(
    ("attributes", "expected", "warnings"),
    [
        (
            {"CodeValue": "113000", "CodingSchemeDesignator": "DCM", "CodeMeaning": "Of Interest"},
            Concept(Code(DCM, "113000", "Of Interest")),
            [],
        ),
        ({"CodeValue": "113000", "CodingSchemeDesignator": "DCM"}, Concept(Code(DCM, "113000")), []),
        (
            {"LongCodeValue": LONG, "CodingSchemeDesignator": "99CASE", "CodingSchemeUID": "2.999.5"},
            Concept(Code("urn:oid:2.999.5", LONG)),
            [],
        ),
        (
            {"LongCodeValue": LONG, "CodingSchemeDesignator": "99CASE", "CodeMeaning": "long"},
            Concept(None, "long"),
            ["code_unmapped"],
        ),
        (
            {"URNCodeValue": "urn:lex:us:x", "CodeMeaning": "law"},
            Concept(Code("urn:ietf:rfc:3986", "urn:lex:us:x", "law")),
            [],
        ),
        (
            {"CodeValue": "T-D1100", "CodingSchemeDesignator": "SRT", "CodeMeaning": "Head"},
            Concept(Code(SNOMED_CT, "69536005", "Head")),
            [],
        ),
        (
            {"CodeValue": "111729", "CodingSchemeDesignator": "SRT", "CodeMeaning": "no id"},
            Concept(None, "no id"),
            ["code_unmapped"],
        ),
        (
            {"CodeValue": "X6K6", "CodingSchemeDesignator": "IBSI", "CodeMeaning": "Mean"},
            Concept(Code("urn:oid:1.2.840.10008.2.16.13", "X6K6", "Mean")),
            [],
        ),
        ({"CodeValue": "ABC", "CodeMeaning": "bare"}, Concept(None, "bare"), ["code_without_scheme"]),
        ({"CodeMeaning": "words"}, Concept(None, "words"), []),
        ({}, Concept(), []),
    ],
)
def test_codes(attributes: dict[str, str], expected: Concept, warnings: list[str]) -> None:
    reading = reading_of(entry(**attributes))
    assert code(reading.dataset, reading) == expected
    assert reading.warnings == warnings


def test_schemes_agree_with_dicoms_registry() -> None:
    """Which knows those that DICOM itself gave a UID; one of them is registered under another designator."""
    registered = {
        uid: keyword for uid, (_, kind, _, _, keyword) in UID_dictionary.items() if kind == "Coding Scheme"
    }
    ours = {system.removeprefix("urn:oid:"): designator for designator, system in SYSTEMS.items()}
    differing = {uid for uid in registered.keys() & ours.keys() if registered[uid] != ours[uid]}
    assert differing == {"1.2.840.10008.2.16.12"}
    assert set(registered.values()) - {"MAYONRISBSASRG"} <= SYSTEMS.keys()


def test_a_private_scheme_is_named_by_the_objects_own_list() -> None:
    dataset = Dataset()
    dataset.CodingSchemeIdentificationSequence = [
        entry(CodingSchemeDesignator="99OTHER", CodingSchemeUID="2.999.4"),
        entry(CodingSchemeDesignator="99CASE", CodingSchemeUID="2.999.5"),
    ]
    dataset.ConceptNameCodeSequence = [entry(), entry(CodeValue="ABC", CodingSchemeDesignator="99CASE")]
    reading = reading_of(dataset)
    concept = first_code(reading.dataset, "ConceptNameCodeSequence", reading)
    assert is_code(concept, "urn:oid:2.999.5", "ABC")
    assert not is_code(concept, DCM, "ABC")


@pytest.mark.parametrize(
    "meaning", ["Length", "Länge", "a\\b", "x\x1b$B"], ids=["plain", "not ASCII", "several values", "escapes"]
)
def test_a_code_read_again_is_the_same_and_its_warnings_are_not_lost(meaning: str) -> None:
    """Also where it was read first for something that is never published."""
    said = {"CodingSchemeDesignator": "DCM", "CodeMeaning": meaning}
    entries = [reading_of(entry(CodeValue=value, **said)).dataset for value in ("112039", "112040", "112039")]
    reading = reading_of(Dataset())
    looked = reading.quiet()
    once = [code(each, reading_of(Dataset())) for each in entries]
    assert [code(each, looked) for each in entries] == [code(each, reading) for each in entries] == once
    assert reading.warnings == looked.warnings


def test_a_code_without_a_system_warns_each_time() -> None:
    sent = entry(CodeValue="X", CodingSchemeDesignator="99ME", CodeMeaning="mine")
    unmapped, reading = reading_of(sent).dataset, reading_of(Dataset())
    for _ in range(2):
        assert code(unmapped, reading.quiet()) == code(unmapped, reading) == Concept(None, "mine")
    assert reading.warnings == ["code_unmapped"] * 2


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_codes_that_look_alike_in_bytes_are_told_apart(order: tuple[int, ...]) -> None:
    """In JSON, values stand side by side without a header between them, in the order of the members."""

    def coded(*values: str) -> dict[str, object]:
        members = [
            (tag, {"vr": vr, "Value": [value]})
            for (tag, vr), value in zip(
                (("00080100", "SH"), ("00080102", "SH"), ("00080104", "LO")), values, strict=True
            )
        ]
        return dict(members[n] for n in order)

    said = [("1", "DCM", "x"), ("1D", "CM", "x"), ("1", "DCMx", "y"), ("1", "DCM", "y"), ("1", "LN", "x")]
    names = {f"0040A{n:03}": {"vr": "SQ", "Value": [coded(*values)]} for n, values in enumerate(said)}
    reading = read_json(names)
    sequences = [entry for entry in reading.dataset.elements.values() if isinstance(entry, list)]
    found = [code(item, reading) for (item,) in sequences + sequences]
    dcm, loinc = Code(DCM, "1", "x"), Code("http://loinc.org", "1", "x")
    alike = [Concept(dcm), Concept(None, "x"), Concept(None, "y"), Concept(dcm._replace(display="y"))]
    assert found == [*alike, Concept(loinc)] * 2
