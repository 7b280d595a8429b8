"""What content items inherit from those above: their observation, its site, whether they are selected.

Rules of this file: concept names of PS3.16 and what they mean for the items below; no references.
"""

from __future__ import annotations

from typing import NamedTuple

from processors.core.body_sites import coded_site
from processors.core.events import Concept, Measurement
from processors.core.vocabulary import DCM, SNOMED_CT
from processors.dicom.cad import NOT_FOR_PRESENTATION, PRESENTATION_OPTIONAL, is_account, rendering_intent
from processors.dicom.codes import first_code, is_code
from processors.dicom.content_tree import ContentItem, ContentTree
from processors.dicom.reading import Reading
from processors.dicom.values import decimal, items

MEASUREMENT_GROUP = "125007"
IMAGE_LIBRARIES = ("111028", "126200")
"""Image Library, Image Library Group: an inventory, no selection."""

_FINDING_SITE = "363698007"
_LATERALITY = "272741003"
_UCUM = "http://unitsofmeasure.org"


class Context(NamedTuple):
    """Of one content item; None where nothing above says it."""

    source: ContentItem | None = None
    """The nearest NUM, CODE or measurement group above it (MAPPING 2.3)."""
    body_site: Concept | None = None
    """Finding Site of the nearest item above it that has one."""
    unselected: bool = False
    """In an image library, in an account of algorithms, or not for presentation."""
    category: tuple[Concept, ...] = ()
    """Rendering intent, where a reader may leave the item out."""


def contexts(tree: ContentTree, reading: Reading) -> dict[str, Context]:
    """Context of every item by its path; one pass, since a parent comes before its children."""
    found = {tree.root.path: Context()}
    for item in tree.by_path.values():
        context = found[item.path]
        if not item.children:
            continue
        below = _below(item, context, reading)
        found.update((child.path, below) for child in item.children)
    return found


def _below(item: ContentItem, context: Context, reading: Reading) -> Context:
    """Context of the item's children. What may or ought to be left out takes all below it along (PS3.4
    O.2.2.1).
    """
    intent = rendering_intent(item, reading)
    optional = (intent,) if intent and is_code(intent, DCM, PRESENTATION_OPTIONAL) else ()
    return Context(
        source=item if is_observation(item) else context.source,
        body_site=finding_site(item, reading) or context.body_site,
        unselected=(
            context.unselected
            or _is_library(item)
            or is_account(item)
            or is_code(intent, DCM, NOT_FOR_PRESENTATION)
        ),
        category=context.category or optional,
    )


def is_observation(item: ContentItem) -> bool:
    return item.value_type in ("NUM", "CODE") or is_code(item.name, DCM, MEASUREMENT_GROUP)


def finding_site(item: ContentItem, reading: Reading) -> Concept | None:
    """Finding Site (363698007 SCT) of the item itself, with its laterality as text: `Lung, Left`."""
    for child in item.children:
        if not is_code(child.name, SNOMED_CT, _FINDING_SITE):
            continue
        site = first_code(child.dataset, "ConceptCodeSequence", reading)
        if site is None:
            continue
        side = next((c for c in child.children if is_code(c.name, SNOMED_CT, _LATERALITY)), None)
        laterality = first_code(side.dataset, "ConceptCodeSequence", reading) if side else None
        words = _words(laterality) if laterality else ""
        if site.coding:
            return coded_site(site.coding, words)
        return Concept(text=", ".join(filter(None, (site.text, words))))
    return None


def measurements(item: ContentItem, reading: Reading) -> tuple[Measurement, ...]:
    """The NUM itself, or the NUMs directly in a group or below a CODE (PS3.3 C.18.1)."""
    numbers = [item] if item.value_type == "NUM" else [c for c in item.children if c.value_type == "NUM"]
    return tuple(m for number in numbers if (m := _measurement(number, reading)))


def _measurement(item: ContentItem, reading: Reading) -> Measurement | None:
    for measured in items(item.dataset, "MeasuredValueSequence", reading):
        value = decimal(measured, "NumericValue", reading)
        unit = first_code(measured, "MeasurementUnitsCodeSequence", reading.quiet())
        coding = unit.coding if unit else None
        if value is not None:
            ucum = coding.code if coding and coding.system == _UCUM else ""
            return Measurement(item.name.coding, value, ucum)
    return None


def _is_library(item: ContentItem) -> bool:
    name = item.name.coding
    return name is not None and name.system == DCM and name.code in IMAGE_LIBRARIES


def _words(concept: Concept) -> str:
    return concept.text or (concept.coding.display or concept.coding.code if concept.coding else "")
