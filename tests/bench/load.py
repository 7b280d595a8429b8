"""The events that are measured with: `instance.arrived` with the typed fields of an archive, some 600 bytes.

Rules of this file: what a load is, as values; Kafka is `site`'s.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Literal, NamedTuple

from processors.avro.events import encode_event

_ROOT = "1.2.840.113619.2.416.8254"
_KINDS = (
    ("CT", "1.2.840.10008.5.1.4.1.1.2", "CHEST", "Thorax Hr 1.0 B70f"),
    ("MR", "1.2.840.10008.5.1.4.1.1.4", "BRAIN", "t2_tse_tra_p2_320"),
    ("CT", "1.2.840.10008.5.1.4.1.1.2", "ABDOMEN", "Abdomen portalvenoes 3.0"),
    ("PT", "1.2.840.10008.5.1.4.1.1.128", "WHOLEBODY", "PET WB corrected"),
    ("US", "1.2.840.10008.5.1.4.1.1.6.1", "LIVER", "Oberbauch"),
)
SERIES_OF_A_STUDY = 3
EVENTS_A_SECOND = 1_000
"""At which they arrived, by their timestamps: an instance of each of 50 open series comes every 50 ms."""


class Load(NamedTuple):
    series: int
    instances: int
    """Of each series."""
    at_once: int = 50
    """Series that arrive at the same time, an instance of each in turn."""
    first: int = 0
    """Number of the first series: other numbers, other UIDs."""
    random_uids: bool = False
    """SOP Instance UIDs of 39 random digits (PS3.5 B.2) instead of counted ones: nothing to compress."""

    @property
    def events(self) -> int:
        return self.series * self.instances


Form = Literal["json", "avro", "by series"]
"""JSON or Avro keyed by study, or JSON keyed by series."""


def in_form(form: Form, study: str, value: bytes) -> tuple[str, bytes]:
    """(key, value)."""
    if form == "json":
        return study, value
    if form == "avro":
        return study, encode_event(json.loads(value))
    return json.loads(value)["series_instance_uid"], value


def formed(load: Load, form: Form) -> Iterator[tuple[str, bytes]]:
    """(key, value) in the order of arrival."""
    return (in_form(form, study, value) for _, study, value in numbered(load))


def events(load: Load) -> Iterator[tuple[str, bytes]]:
    """(StudyInstanceUID, value) in the order of arrival."""
    return ((study, value) for _, study, value in numbered(load))


def numbered(load: Load) -> Iterator[tuple[int, str, bytes]]:
    """(number of the series, StudyInstanceUID, value) in the order of arrival."""
    waiting = iter(range(load.first, load.first + load.series))
    arriving = deque((n, _series(n, load)) for n in islice(waiting, load.at_once))
    while arriving:
        number, series = arriving.popleft()
        event = next(series, None)
        if event is None:
            arriving.extend((n, _series(n, load)) for n in islice(waiting, 1))
        else:
            yield number, *event
            arriving.append((number, series))


def series_uid(number: int) -> str:
    patient = number // SERIES_OF_A_STUDY
    return f"{_ROOT}.{10**9 + patient}.202403{1 + patient % 28:02}1015.{number % SERIES_OF_A_STUDY + 1}"


def _sop_uid(series: str, instance: int, load: Load) -> str:
    if not load.random_uids:
        return f"{series}.{instance}"
    return f"2.25.{int.from_bytes(blake2b(f'{series}.{instance}'.encode(), digest_size=16).digest())}"


def _series(number: int, load: Load) -> Iterator[tuple[str, bytes]]:
    modality, sop_class, body_part, description = _KINDS[number % len(_KINDS)]
    patient = number // SERIES_OF_A_STUDY
    day = 1 + patient % 28
    series = series_uid(number)
    study = series.rpartition(".")[0]
    for instance in range(1, load.instances + 1):
        event = {
            "event": "instance.arrived",
            "event_id": f"{number:x}-{instance:x}-7c1e4b02",
            "source": "PACS_MAIN",
            "occurred_at": f"2024-03-{day:02}T10:15:{instance % 60:02}.{instance:06}+01:00",
            "study_instance_uid": study,
            "series_instance_uid": series,
            "sop_instance_uid": _sop_uid(series, instance, load),
            "sop_class_uid": sop_class,
            "instance_number": instance,
            "modality": modality,
            "series_number": number % SERIES_OF_A_STUDY + 1,
            "series_description": description,
            "body_part_examined": body_part,
            "frame_of_reference_uid": f"{study}.0",
            "patient_id": f"P{patient:08}",
            "accession_number": f"A{patient:09}",
        }
        yield study, json.dumps(event, separators=(",", ":")).encode()
