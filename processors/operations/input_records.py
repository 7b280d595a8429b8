"""The very input records of a reference, among those its facts' ranges span.

Rules of this file: reading the ranges and asking the processor's own decoder what each record is about. A
record that retention removed is no longer there; one that cannot be decoded is none of a reference.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from processors.core.events import DocumentArrived, SelectionMade, SelectionWithdrawn
from processors.core.study import canonical_uid_of
from processors.errors import Delayed, Refused, Unavailable
from processors.operations.facts import Revision
from processors.pipeline.building import decoder_of
from processors.pipeline.decode import Ignored
from processors.settings import Settings
from processors.stream.registries import registry_of
from processors.stream.scan import Scan, Span

Ranges = dict[tuple[str, int], Span]
"""(topic, partition) → first offset, and the one after the last."""


class InputRecord(NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    what: str
    """The event, in the words of the code: InstanceArrived, DocumentArrived, …"""


def ranges_of(revisions: Iterable[Revision]) -> Ranges:
    """What the input records of all these revisions span."""
    spans: Ranges = {}
    for _, fact in revisions:
        for each in fact["inputs"]:
            place = (each["topic"], each["partition"])
            first, end = spans.get(place, (each["first_offset"], 0))
            spans[place] = (min(first, each["first_offset"]), max(end, each["last_offset"] + 1))
    return dict(sorted(spans.items()))


def input_records(settings: Settings, revisions: list[Revision]) -> list[InputRecord]:
    """Those in the ranges that are about the reference's series, document or selection."""
    if not revisions:
        return []
    decoder, fact = decoder_of(settings, registry_of(settings)), revisions[-1].fact
    found = []
    with Scan(settings.kafka) as scan:
        spans = ranges_of(revisions)
        there = scan.extent({topic for topic, _ in spans if topic in scan.partitions})
        kept = {
            place: (max(first, there[place][0]), min(end, there[place][1]))
            for place, (first, end) in spans.items()
            if place in there
        }
        for record in scan.read(kept):
            try:
                event = decoder.decode(record, time.time_ns() // 1_000_000)
            except Refused:
                continue
            except Delayed as failed:
                raise Unavailable(str(failed)) from failed
            if not isinstance(event, Ignored) and _concerns(event, fact):
                what = type(event).__name__
                found.append(InputRecord(*record[:4], what))
    return sorted(found)


def _concerns(event: Any, fact: dict[str, Any]) -> bool:
    if isinstance(event, DocumentArrived):
        return bool(canonical_uid_of(event.document) == fact["source_document_uid"])
    if event.study_instance_uid != fact["study_instance_uid"] or fact["source_document_uid"]:
        return False
    series = getattr(event, "series_instance_uid", "")
    is_selection = isinstance(event, SelectionMade | SelectionWithdrawn)
    return bool(series == fact["series_instance_uid"]) and is_selection == (fact["kind"] == "selection")
