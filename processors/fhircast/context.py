"""What is open in a session, and what was shared in it: the answer to a GET of the context, or an open event.

Rules of this file: values only. A hub passes on what others sent, so an element that is not as FHIR has it is
passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from processors.core.identity import BASE

Json = dict[str, Any]

OWN = f"{BASE}/sink/fhircast"
"""`meta.source` of what the sink shares: the source does not take it for somebody's selection."""
DICOM_UID = "urn:dicom:uid"
_OID = "urn:oid:"
REPORT = "DiagnosticReport"
STUDY = "ImagingStudy"
SELECTION = "ImagingSelection"


class Context(NamedTuple):
    version: str
    """`context.versionId`, the one that an update must name."""
    report: str
    """Id of the DiagnosticReport; empty: none is open."""
    patient: str
    """Id of the Patient."""
    studies: dict[str, str]
    """Id of an ImagingStudy → Study Instance UID."""
    content: dict[str, Json] | None
    """`Type/id` → resource shared; None: the hub does not tell."""

    def has(self, study_instance_uid: str) -> bool:
        return study_instance_uid in self.studies.values()


NOTHING_OPEN = Context("", "", "", {}, None)


def context_of(said: Json, anchor: str) -> Context:
    """`said`: what has `context.versionId` and `context`; `anchor`: the type of its anchor context."""
    if anchor != REPORT:
        return NOTHING_OPEN
    found: dict[str, list[Json]] = {}
    for key, resource in keyed(said):
        found.setdefault(key, []).append(resource)
    content: dict[str, Json] | None = None
    if "content" in found:
        content = {path: each for each in resources_of(found["content"][0]) if (path := path_of(each))}
    studies = [each for key in ("study", "studies") for each in found.get(key, ())]
    return Context(
        version=text(said.get("context.versionId")),
        report=_id_in(found, "report"),
        patient=_id_in(found, "patient"),
        studies=studies_of(studies) | studies_of((content or {}).values()),
        content=content,
    )


def keyed(said: Json) -> Iterator[tuple[str, Json]]:
    """Key and resource of each entry of `context`; of a reference, `resourceType` and `id` are what it says.

    Both may be one or several under a key, as STU3 and IRA differ in.
    """
    for entry in objects(said.get("context")):
        key = text(entry.get("key"))
        for resource in objects(entry.get("resource")):
            yield key, resource
        for reference in objects(entry.get("reference")):
            path = text(reference.get("reference")).split("/")
            kind = path[-2] if len(path) > 1 else text(reference.get("type"))
            identifier = objects(reference.get("identifier"))
            yield key, {"resourceType": kind, "id": path[-1], "identifier": identifier}


def resources_of(bundle: Json) -> Iterator[Json]:
    for entry in objects(bundle.get("entry")):
        yield from objects(entry.get("resource"))


def studies_of(resources: Iterable[Json]) -> dict[str, str]:
    """As in Context; what is no study, or not one of DICOM's, is passed over."""
    return {
        text(each.get("id")) or uid: uid
        for each in resources
        if each.get("resourceType") == STUDY and (uid := study_uid_of(each))
    }


def path_of(resource: Json) -> str:
    """`Type/id`; empty without either."""
    kind, own = text(resource.get("resourceType")), text(resource.get("id"))
    return f"{kind}/{own}" if kind and own else ""


def is_own(resource: Json) -> bool:
    """Whether the sink shared it."""
    return any(each.get("source") == OWN for each in objects(resource.get("meta")))


def study_uid_of(study: Json) -> str:
    """Of an ImagingStudy, or of a logical reference to one."""
    for identifier in objects(study.get("identifier")):
        if identifier.get("system") == DICOM_UID:
            return dicom_uid(identifier.get("value"))
    return ""


def series_of(selection: Json, studies: dict[str, str]) -> tuple[str, str]:
    """Study and Series Instance UID of an ImagingSelection, empty where not said: `studyUid`, or the study
    that it is derived from, which may be one of the context.
    """
    study = dicom_uid(selection.get("studyUid"))
    for source in objects(selection.get("derivedFrom")):
        study = (
            study or study_uid_of(source) or studies.get(text(source.get("reference")).rpartition("/")[2], "")
        )
    return study, dicom_uid(selection.get("seriesUid"))


def dicom_uid(value: Any) -> str:
    """Some write urn:oid: where FHIR has a plain id."""
    return text(value).removeprefix(_OID)


def objects(value: Any) -> list[Json]:
    """One or several, as JSON has it."""
    found = value if isinstance(value, list) else [value]
    return [each for each in found if isinstance(each, dict)]


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _id_in(found: dict[str, list[Json]], key: str) -> str:
    return text(found[key][0].get("id")) if key in found else ""
