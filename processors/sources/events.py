"""What a source sends: values of the input topics, as CONTRACT 3 has them.

Rules of this file: JSON and nothing else is made here; an image goes without its pixel data, a document
whole. What cannot be read goes as it is, for the processor to put aside with its code.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from processors.core.events import DocumentArrived, Stamp
from processors.dicom import ReadingPolicy, event_of_object, without_pixel_data
from processors.errors import Refused
from processors.pipeline.records import Headers
from processors.stream.input_producer import DICOM, INPUT_BYTES, NO_HEADERS

_POLICY = ReadingPolicy()
_ENVELOPE_BYTES = 1024
_DOCUMENT_BYTES = (INPUT_BYTES - _ENVELOPE_BYTES) // 4 * 3
"""What base64 makes a record of at most 15 MiB of."""


class Outgoing(NamedTuple):
    value: bytes
    headers: Headers


def event_of(name: str, event_id: str, source: str, occurred_at: datetime, **members: object) -> Outgoing:
    """An event of the contract; members that are None or empty are left out. `occurred_at` has a zone."""
    said: Mapping[str, object] = {
        "event": name,
        "event_id": event_id,
        "source": source,
        "occurred_at": occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        **{key: value for key, value in members.items() if value not in (None, "")},
    }
    return Outgoing(json.dumps(said, separators=(",", ":")).encode(), NO_HEADERS)


def arrival_of(
    data: bytes, source: str, occurred_at: datetime, expected: int | None = None
) -> Outgoing | None:
    """The arrival of one DICOM object; None if no record can hold it. Its id is the SHA-256 of what is sent.

    A document beyond a record's size goes without its pixel data; an image whose header alone is beyond it,
    as its typed fields.
    """
    try:
        header, is_document = without_pixel_data(data, _POLICY)
    except Refused:
        if len(data) > INPUT_BYTES:
            return None
        return Outgoing(data, [*DICOM, ("source", source.encode())])
    name = "report.arrived" if is_document else "instance.arrived"
    for document in (data, header) if is_document else (header,):
        if len(document) <= _DOCUMENT_BYTES:
            text = base64.b64encode(document).decode("ascii")
            return event_of(
                name,
                hashlib.sha256(document).hexdigest(),
                source,
                occurred_at,
                number_of_series_related_instances=expected,
                document=text,
            )
    return _typed(data, hashlib.sha256(header).hexdigest(), source, occurred_at, expected)


def _typed(
    data: bytes, digest: str, source: str, occurred_at: datetime, expected: int | None
) -> Outgoing | None:
    """What the typed fields can say of an image."""
    try:
        arrived = event_of_object(data, Stamp(0, False, "", "", b""), _POLICY, dated=True)
    except Refused:
        return None
    if isinstance(arrived, DocumentArrived):
        return None
    instance, header, accession = arrived.instance, arrived.header, arrived.header.accession
    return event_of(
        "instance.arrived",
        digest,
        source,
        occurred_at,
        study_instance_uid=arrived.study_instance_uid,
        series_instance_uid=arrived.series_instance_uid,
        sop_instance_uid=arrived.sop_instance_uid,
        sop_class_uid=instance.sop_class_uid,
        instance_number=instance.number,
        number_of_frames=instance.frames,
        frame_of_reference_uid=instance.frame_of_reference_uid,
        modality=header.modality,
        series_number=header.series_number,
        body_part_examined=header.body_part_examined,
        laterality=header.laterality,
        patient_id=header.patient_id,
        issuer_of_patient_id=header.issuer_of_patient_id,
        accession_number=accession.value if accession else None,
        issuer_of_accession_number=accession.issuer if accession else None,
        number_of_series_related_instances=expected,
    )
