"""What all report objects have in common: path, headers, authors, requests, copies and predecessors.

Rules of this file: the frame of a Document; what it refers to is the business of the reader of its class.
"""

from __future__ import annotations

from processors.core.events import Accession, Document, DocumentPath
from processors.dicom.header import accession, header_parts
from processors.dicom.instants import instant_of
from processors.dicom.observers import document_performers
from processors.dicom.reading import Reading, ReadingPolicy
from processors.dicom.uids import uid
from processors.dicom.values import items

CONTENT = ("ContentDate", "ContentTime")


def document_frame(
    reading: Reading,
    path: DocumentPath,
    policy: ReadingPolicy,
    modality: str,
    issued: tuple[str, str] = CONTENT,
) -> Document:
    """A Document without groups and without warnings: its reader adds both with `_replace`.

    `modality` is the references' category (KO, SR …), `issued` the keywords of the date and time when the
    object's content was made (MAPPING 1.6). Raises Refused for an unusable SOP Class UID.
    """
    instance, header = header_parts(reading)
    copies = referenced_documents(reading, "IdenticalDocumentsSequence")
    return Document(
        path=path,
        sop_class_uid=instance.sop_class_uid,
        modality=modality,
        instance=instance,
        header=header,
        issued=instant_of(reading.dataset, *issued, reading, policy.site_zone),
        performers=document_performers(reading),
        accessions=_requests(reading),
        identical=tuple(sorted({copy.sop_instance_uid for copy in copies} - {path.sop_instance_uid})),
        predecessors=referenced_documents(reading, "PredecessorDocumentsSequence"),
    )


def referenced_documents(reading: Reading, keyword: str) -> tuple[DocumentPath, ...]:
    """Documents of a Hierarchical SOP Instance Reference Macro (PS3.3 C.17.2.1) at the root, each once."""
    found: dict[DocumentPath, None] = {}
    for study in items(reading.dataset, keyword, reading):
        study_uid = uid(study, "StudyInstanceUID", reading)
        for series in items(study, "ReferencedSeriesSequence", reading):
            series_uid = uid(series, "SeriesInstanceUID", reading)
            for reference in items(series, "ReferencedSOPSequence", reading):
                sop_uid = uid(reference, "ReferencedSOPInstanceUID", reading)
                if study_uid and series_uid and sop_uid:
                    found[DocumentPath(study_uid, series_uid, sop_uid)] = None
    return tuple(found)


def _requests(reading: Reading) -> tuple[Accession, ...]:
    """Accession numbers of Referenced Request Sequence (0040,A370), in order, unique."""
    requests = items(reading.dataset, "ReferencedRequestSequence", reading)
    return tuple(dict.fromkeys(a for request in requests if (a := accession(request, reading))))
