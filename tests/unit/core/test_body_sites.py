"""Body Part Examined and anatomic codes as body sites."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.sr._concepts_dict import concepts

from processors.core.body_parts import BODY_PARTS
from processors.core.body_sites import body_site, coded_site
from processors.core.events import Code, Concept, SeriesHeader
from processors.core.vocabulary import DCM, MODALITIES, SNOMED_CT, is_report, modality_display

CHEST = Code(SNOMED_CT, "43799004", "Thoracic cavity structure")
UPPER_URINARY_TRACT = Code(SNOMED_CT, "431491007", "Structure of upper urinary tract proper")
LUNG = Code(SNOMED_CT, "39607008", "Lung")


MEANINGS: Any = concepts
"""pydicom's concept dictionary: scheme → keyword → code → meaning and context groups."""


def header(part: str = "", laterality: str = "", region: Code | None = None) -> SeriesHeader:
    return SeriesHeader(body_part_examined=part, laterality=laterality, anatomic_region=region)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (header(), None),
        (header("CHEST"), Concept(CHEST, "CHEST")),
        (header("chest", "L"), Concept(CHEST, "chest, Left")),
        (header("CHEST", "U"), Concept(CHEST, "CHEST")),
        (header("LEFT BIG THING"), Concept(None, "LEFT BIG THING")),
        (header("CHEST", "R", LUNG), Concept(LUNG._replace(display="Lung structure"), "Lung, Right")),
        (header("Left Hip"), Concept(None, "Left Hip")),
        (header("hip"), Concept(Code(SNOMED_CT, "24136001", "Hip joint structure"), "hip")),
        (header("upr Urinary Tract"), Concept(UPPER_URINARY_TRACT, "upr Urinary Tract")),
        (header("TOE"), Concept(Code(SNOMED_CT, "1", "Mine"), "TOE")),
    ],
)
def test_body_sites(said: SeriesHeader, expected: Concept | None) -> None:
    assert body_site(said, {"TOE": ("1", "Mine")}) == expected


def test_a_code_of_another_system_keeps_its_own_name() -> None:
    assert coded_site(Code(DCM, "39607008", "Thing"), "Left") == Concept(
        Code(DCM, "39607008", "Thing"), "Thing, Left"
    )
    assert coded_site(CHEST) == Concept(CHEST)


def test_every_code_of_the_table_is_one_of_dicoms() -> None:
    names: dict[str, set[str]] = {}
    for entries in MEANINGS["SCT"].values():
        for code, (meaning, _) in entries.items():
            names.setdefault(code, set()).add(meaning.removesuffix(" (body structure)"))
    assert all(display in names[code] for code, display in BODY_PARTS.values())


def test_vocabulary_agrees_with_dicoms_dictionary() -> None:
    meanings = {
        (code, meaning) for entries in MEANINGS["DCM"].values() for code, (meaning, _) in entries.items()
    }
    assert MODALITIES.items() <= meanings
    assert (modality_display("CT"), modality_display("XX")) == ("Computed Tomography", "")
    assert is_report("1.2.840.10008.5.1.4.1.1.88.59")
    assert not is_report("1.2.840.10008.5.1.4.1.1.2")
