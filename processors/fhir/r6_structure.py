"""The structure of R6's ImagingSelection as in 6.0.0-snapshot1, which fhir.resources does not have yet.

Rules of this file: R5's model with what R6 changes (MAPPING 1.4), and those of R6's invariants isl-1 to
isl-11 whose meaning is sure; both are for `fhir.skeleton` and `fhir.releases`. fhir.resources is imported
late, since it takes half a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from processors.fhir.datatypes import Content

SUBSETS = frozenset(
    {
        "frameNumber",
        "referencedContentItemIdentifier",
        "segmentNumber",
        "regionOfInterest",
        "waveFormChannel",
    }
)
"""What a string of R5's `subset` became."""


def model() -> Any:
    """A pydantic model. R5's elements that R6 has elsewhere or not at all are refused."""
    from fhir.resources import fhirtypes, imagingselection  # noqa: PLC0415
    from pydantic import Field, create_model  # noqa: PLC0415

    marks: Any = {"element_property": True}

    def element(kind: Any) -> Any:
        return (kind | None, Field(default=None, json_schema_extra=marks))

    gone: Any = (None, Field(default=None, json_schema_extra=marks))
    instance: Any = create_model(
        "ImagingSelectionInstance",
        __base__=imagingselection.ImagingSelectionInstance,
        sopClass=element(fhirtypes.OidType),
        subset=gone,
        imageRegion3D=gone,
        **{name: element(list[fhirtypes.PositiveIntType]) for name in SUBSETS},
    )
    performer: Any = create_model(
        "ImagingSelectionPerformer",
        __base__=imagingselection.ImagingSelectionPerformer,
        actor=(fhirtypes.ReferenceType, Field(json_schema_extra=marks)),
    )
    return create_model(
        "ImagingSelection",
        __base__=imagingselection.ImagingSelection,
        performer=element(list[performer]),
        derivedFrom=element(fhirtypes.ReferenceType),
        bodySite=element(list[fhirtypes.CodeableReferenceType]),
        instance=element(list[instance]),
        imageRegion3D=element(list[fhirtypes.ImagingSelectionInstanceImageRegion3DType]),
    )


def broken_invariants(content: Content) -> Iterator[str]:
    """`element: rule` of each, at most once an element; the lists are of R6's types."""
    series, space = content.get("seriesUid"), content.get("frameOfReferenceUid")
    instances = content.get("instance", ())
    if not series and not space:
        yield "seriesUid: required, or frameOfReferenceUid"
    if not series and ("seriesNumber" in content or instances):
        yield "seriesUid: required with seriesNumber and instance"
    if "imageRegion3D" in content and not space:
        yield "frameOfReferenceUid: required with imageRegion3D"
    if any(len(region["coordinate"]) % 3 for region in content.get("imageRegion3D", ())):
        yield "imageRegion3D: coordinates come in groups of 3"
    if any(len(region["coordinate"]) % 2 for each in instances for region in each.get("imageRegion2D", ())):
        yield "instance.imageRegion2D: coordinates come in groups of 2"
    if any(len(SUBSETS & each.keys()) > 1 for each in instances):
        yield "instance: one kind of subset"
    if any(len(each.get("waveFormChannel", ())) % 2 for each in instances):
        yield "instance.waveFormChannel: pairs of group and channel"
