"""Where in the body: Body Part Examined and anatomic codes as a FHIR body site.

Rules of this file: the two ways to a body site. A hospital's own table (`Policy`) wins over the shipped one,
`body_parts`; an unknown body part stays text: no code is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping

from processors.core.body_parts import BODY_PARTS
from processors.core.events import Code, Concept, SeriesHeader
from processors.core.vocabulary import SNOMED_CT

_DISPLAYS = dict(BODY_PARTS.values())
"""SNOMED CT code to its own name, where DICOM code meanings are shorter: "Lung" for "Lung structure"."""

_SIDES = {"L": "Left", "R": "Right", "B": "Both"}
"""Laterality (0020,0060), (0020,0062), (0020,9072); U, unpaired, says nothing."""


def body_site(header: SeriesHeader, body_parts: Mapping[str, tuple[str, str]]) -> Concept | None:
    """A series' body site: its anatomic region code, else Body Part Examined by `body_parts`, which wins, or
    the shipped table; laterality as text. None if the header says nothing. Keys are `defined_term`s.
    """
    side = _SIDES.get(header.laterality.upper(), "")
    if header.anatomic_region:
        return coded_site(header.anatomic_region, side)
    part = header.body_part_examined
    if not part:
        return None
    term = defined_term(part)
    code, display = body_parts.get(term) or BODY_PARTS.get(term, ("", ""))
    return Concept(Code(SNOMED_CT, code, display) if code else None, _words(part, side))


def coded_site(code: Code, laterality: str = "") -> Concept:
    """An anatomic code with SNOMED CT's own name as display; the sender's words and `laterality` as text."""
    display = _DISPLAYS.get(code.code, code.display) if code.system == SNOMED_CT else code.display
    text = _words(code.display, laterality)
    return Concept(code._replace(display=display), "" if text == display else text)


def defined_term(body_part_examined: str) -> str:
    """Defined terms are upper case without blanks; senders are not always."""
    return body_part_examined.upper().replace(" ", "")


def _words(site: str, laterality: str) -> str:
    return ", ".join(filter(None, (site, laterality)))
