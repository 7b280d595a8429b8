"""A published reference, of any release, back to what it points at: for those who want to look at it.

Rules of this file: only where the images are and what of them is meant; who, when and why stay unread. R5's
and R6's ImagingSelection and R4's Basic differ in lists, names and depth, so an element may be one value or a
list, and what is not known is passed over. Faults name the element, never a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from processors.core.events import Region, SubsetKind
from processors.core.reference import ReferencedInstance
from processors.core.vocabulary import SEGMENTATIONS, STRUCTURE_SETS, STRUCTURED_REPORTS
from processors.errors import UsageError
from processors.fhir import r6

_OID = "urn:oid:"
_CARRIED = "/extension-ImagingSelection"
"""What the urls of R4's cross-version extensions have in them (MAPPING 1.5)."""
_PATH = "/sr-content-item-path"
_FARTHEST = 1e9
"""No image or patient reaches so far, in pixels or mm; arithmetic with more would overflow."""
_MATRIX = "/total-pixel-matrix-region"
"""Regions of a whole slide, an extension each; its parts are named as those of imageRegion2D."""


class PublishedReference(NamedTuple):
    id: str
    status: str
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str
    document_uid: str
    """Source document, or the series, as the secondary identifier says."""
    content_item_path: str
    focus: tuple[str, ...]
    """Reference ids."""
    instances: tuple[ReferencedInstance, ...]
    """Empty: the whole series, or only regions."""
    regions_3d: tuple[Region, ...]
    """Of no instance (R6)."""


def read_reference(content: Any) -> PublishedReference:
    """Of parsed JSON. Raises UsageError if it is no ImagingSelection, or an element is not as FHIR has it."""
    if not isinstance(content, Mapping) or content.get("resourceType") not in ("ImagingSelection", "Basic"):
        raise UsageError("the reference is no FHIR ImagingSelection (R5, R6) or Basic (R4)")
    selection = _selection_of(content) if content["resourceType"] == "Basic" else content
    instances = tuple(_instance(each) for each in _objects(selection, "instance"))
    path = next((each.pop() for each in map(_path_of, _objects(selection, "instance")) if each), "")
    paths = [each for each in _objects(content, "extension") if _text(each, "url").endswith(_PATH)]
    return PublishedReference(
        id=_text(content, "id"),
        status=_text(selection, "status"),
        study_instance_uid=_text(selection, "studyUid"),
        series_instance_uid=_text(selection, "seriesUid"),
        frame_of_reference_uid=_text(selection, "frameOfReferenceUid"),
        document_uid=next(filter(None, map(_document_uid, _objects(content, "identifier"))), ""),
        content_item_path=_text(paths[0], "valueString") if paths else path,
        focus=tuple(_text(each, "reference").rpartition("/")[2] for each in _objects(selection, "focus")),
        instances=instances,
        regions_3d=_regions(selection, "imageRegion3D"),
    )


def _selection_of(basic: Mapping[str, Any]) -> dict[str, Any]:
    """The R5 resource that R4's Basic carries, flat or nested; its elements all as lists."""
    selection: dict[str, Any] = {}
    for element in ("extension", "modifierExtension"):
        for extension in _objects(basic, element):
            _, carried, name = _text(extension, "url").partition(_CARRIED)
            if name:
                selection.setdefault(name.removeprefix("."), []).append(_carried(extension))
            elif carried:
                selection |= _carried(extension)
    return selection


def _carried(extension: Mapping[str, Any]) -> Any:
    children: dict[str, Any] = {}
    for child in _objects(extension, "extension"):
        children.setdefault(_text(child, "url"), []).append(_carried(child))
    if children:
        return children
    return next((value for name, value in extension.items() if name.startswith("value")), None)


def _instance(content: Mapping[str, Any]) -> ReferencedInstance:
    sop_class = content.get("sopClass")
    first = sop_class[0] if isinstance(sop_class, list) and sop_class else sop_class
    coded = _text(first, "code") if isinstance(first, Mapping) else _text(content, "sopClass")
    sop_class_uid = coded.removeprefix(_OID)
    kind, subset = SubsetKind.NONE, _texts(content, "subset")
    if subset:
        kind = _kind_of(sop_class_uid)
    for said, element in r6.NUMBERED.items():  # in R5 the SOP Class decides (MAPPING 1.2)
        numbers = _texts(content, element)
        kind, subset = (said, numbers) if numbers else (kind, subset)
    number = _texts(content, "number")
    if not _text(content, "uid"):
        raise UsageError("the reference has an instance without uid")
    return ReferencedInstance(
        _text(content, "uid"),
        sop_class_uid,
        int(number[0]) if number and number[0].isdecimal() else None,
        kind,
        subset,
        _regions(content, "imageRegion2D"),
        _regions(content, "imageRegion3D"),
        matrix_regions=_matrix_regions(content),
    )


def _kind_of(sop_class_uid: str) -> SubsetKind:
    if sop_class_uid in SEGMENTATIONS:
        return SubsetKind.SEGMENTS
    if sop_class_uid in STRUCTURE_SETS:
        return SubsetKind.ROIS
    return SubsetKind.CONTENT_ITEMS if sop_class_uid in STRUCTURED_REPORTS else SubsetKind.FRAMES


def _path_of(instance: Mapping[str, Any]) -> list[str]:
    """R6 says a content item by its position: 1, 5, 1 for 1.5.1."""
    ordinals = _texts(instance, "referencedContentItemIdentifier")
    return [".".join(ordinals)] if ordinals else []


def _document_uid(identifier: Mapping[str, Any]) -> str:
    value = _text(identifier, "value")
    secondary = identifier.get("use") == "secondary" and "type" not in identifier
    return value.removeprefix(_OID) if secondary and value.startswith(_OID) else ""


def _regions(content: Mapping[str, Any], element: str) -> tuple[Region, ...]:
    return tuple(_region(region, element) for region in _objects(content, element))


def _region(region: Mapping[str, Any], element: str) -> Region:
    coordinates = _values(region, "coordinate")
    if not all(type(each) in (int, float) and abs(each) <= _FARTHEST for each in coordinates):
        raise UsageError(f"the reference's {element}.coordinate is not a list of numbers")
    return Region(_text(region, "regionType"), tuple(coordinates))


def _matrix_regions(instance: Mapping[str, Any]) -> tuple[Region, ...]:
    """Of the instance's extensions; R4's are carried under their urls."""
    said = [_carried(e) for e in _objects(instance, "extension") if _text(e, "url").endswith(_MATRIX)]
    said += [each for url in instance if url.endswith(_MATRIX) for each in _values(instance, url)]
    return tuple(_region(each, "total-pixel-matrix-region") for each in said if isinstance(each, Mapping))


def _objects(content: Mapping[str, Any], element: str) -> list[Mapping[str, Any]]:
    found = _values(content, element)
    if not all(isinstance(each, Mapping) for each in found):
        raise UsageError(f"the reference's {element} is not made of objects")
    return found


def _texts(content: Mapping[str, Any], element: str) -> tuple[str, ...]:
    found = _values(content, element)
    if not all(type(each) in (str, int) for each in found):
        raise UsageError(f"the reference's {element} is not made of texts or whole numbers")
    return tuple(map(str, found))


def _text(content: Mapping[str, Any], element: str) -> str:
    return next(iter(_texts(content, element)), "")


def _values(content: Mapping[str, Any], element: str) -> list[Any]:
    value = content.get(element)
    return value if isinstance(value, list) else [] if value is None else [value]
