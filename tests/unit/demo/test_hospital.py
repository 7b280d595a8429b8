"""The synthetic hospital: the same seed gives the same day, and its events are what they are meant to be."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from processors.core.events import DocumentArrived, GroupKind
from processors.demo.hospital import Hospital
from processors.errors import Refused
from processors.pipeline.building import decoder_of
from processors.pipeline.decode import Ignored
from processors.pipeline.records import Record
from processors.settings import Settings


def decoded(seed: int) -> list[object]:
    """What the processor's reader makes of each record of a day: an event, or the code of a dead letter."""
    decoder = decoder_of(Settings())
    found: list[object] = []
    for act in Hospital(seed).day():
        for message in act.messages:
            record = Record(message.topic, 0, len(found), 0, message.key, message.value)
            try:
                found.append(decoder.decode(record, 0))
            except Refused as refused:
                found.append(str(refused.code))
    return found


def test_a_seed_repeats_itself_and_another_differs() -> None:
    days = [[act.messages for act in Hospital(seed).day()] for seed in (1, 1, 2)]
    assert days[0] == days[1]
    assert days[0] != days[2]


@pytest.mark.parametrize("seed", [1, 2026])
def test_only_what_is_meant_to_be_odd_is_odd(seed: int) -> None:
    events = decoded(seed)
    codes = Counter(event for event in events if isinstance(event, str))
    assert codes == {"undecodable_record": 1, "unknown_event": 1, "truncated_header": 1}
    assert sum(isinstance(event, Ignored) for event in events) == 1
    documents = [event.document for event in events if isinstance(event, DocumentArrived)]
    warned = Counter(warning for event in events for warning in getattr(event, "warnings", ()))
    assert warned == {"series_number_unusable": 2}
    assert [(document.problem, document.warnings) for document in documents] == [("", ())] * 5


def test_documents_say_what_the_story_says() -> None:
    documents = [event.document for event in decoded(1) if isinstance(event, DocumentArrived)]
    key_images, key_frames, report, *notes = documents
    assert len(key_images.groups[0].items) == 2
    assert key_frames.groups[0].items[0].subset == ("12", "13", "40")
    source, region = report.groups
    assert (source.kind, region.kind) == (GroupKind.SOURCE_ITEM, GroupKind.REGION)
    assert [(each.value, each.unit) for each in source.measurements] == [(22.5, "mm")]
    assert region.items[0].regions_2d[0].region_type == "polyline"
    assert [note.rejection and note.rejection.title for note in notes] == ["113001", "113037"]


def test_further_studies_do_not_end() -> None:
    acts = list(islice(Hospital(1).further(), 20))
    assert len({message.key for act in acts for message in act.messages}) > 10
