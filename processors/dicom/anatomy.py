"""Where in the body a segment or a region of interest lies, as its description codes it.

Rules of this file: anatomy codes of one item of a segment or ROI description (PS3.3 C.8.20.4, C.8.8.8); that
of a whole series is in `header`.
"""

from __future__ import annotations

from processors.core.body_sites import coded_site
from processors.core.events import Concept
from processors.core.vocabulary import SNOMED_CT
from processors.dicom.codes import code, first_code
from processors.dicom.data_set import DataSet
from processors.dicom.reading import Reading
from processors.dicom.values import items

_ANATOMICAL_STRUCTURES = ((SNOMED_CT, "123037004"), (SNOMED_CT, "91723000"))
"""What PS3.16 CID 7150 and CID 9580 call an anatomical structure."""


def body_site_of(
    item: DataSet, structure: str, reading: Reading, *, anatomical: bool = False
) -> Concept | None:
    """Anatomic Region (0008,2218), else what the code sequence `structure` says if its category (0062,0003)
    is an anatomical structure or it is `anatomical` anyway; modifiers, such as the side, as text.
    """
    site = _modified(item, "AnatomicRegionSequence", "AnatomicRegionModifierSequence", reading)
    if site is None and (anatomical or _is_anatomical(item, reading)):
        site = _modified(item, structure, "SegmentedPropertyTypeModifierCodeSequence", reading)
    return site


def _is_anatomical(item: DataSet, reading: Reading) -> bool:
    quiet = reading.quiet()  # the category is never published
    category = first_code(item, "SegmentedPropertyCategoryCodeSequence", quiet)
    return bool(category and category.coding and category.coding[:2] in _ANATOMICAL_STRUCTURES)


def _modified(item: DataSet, keyword: str, modifiers: str, reading: Reading) -> Concept | None:
    """The first code that says anything, with the meanings of its modifiers."""
    for entry in items(item, keyword, reading):
        site = code(entry, reading)
        if site == Concept():
            continue
        quiet = reading.quiet()  # only their words are published
        said = [code(modifier, quiet) for modifier in items(entry, modifiers, quiet)]
        words = ", ".join(filter(None, (c.coding.display if c.coding else c.text for c in said)))
        if site.coding:
            return coded_site(site.coding, words)
        return Concept(None, ", ".join(filter(None, (site.text, words))))
    return None
