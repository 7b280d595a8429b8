from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from processors.dicom import ReadingPolicy
from processors.errors import DeadLetterCode, Refused
from processors.pipeline.decode import Decoder, Ignored
from processors.pipeline.records import Record
from processors.sources import events
from processors.sources.events import Outgoing, arrival_of, event_of
from tests.builders.images import ct, encoded, enhanced_ct
from tests.builders.key_objects import golden_g3

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


def with_pixels(size: int) -> bytes:
    dataset = ct(1)
    dataset.BitsAllocated = 8
    dataset.PixelData = b"PX" * (size // 2)
    return encoded(dataset)


def decoded(outgoing: Outgoing | None) -> Any:
    assert outgoing is not None
    event = Decoder(ReadingPolicy()).decode(Record("", 0, 0, 1, None, *outgoing), 1)
    assert not isinstance(event, Ignored)
    return event


def test_an_image_goes_without_its_pixel_data() -> None:
    outgoing = arrival_of(with_pixels(100_000), "CT1", AT, expected=7)
    assert outgoing is not None
    assert len(outgoing.value) < 2_000
    event = decoded(outgoing)
    assert (event.sop_instance_uid, event.expected, event.dated) == ("2.999.1.2.1", 7, True)
    assert (event.stamp.source, event.stamp.occurred_at_us) == ("CT1", int(AT.timestamp()) * 10**6 + 678901)
    assert arrival_of(with_pixels(100_000), "CT1", AT, expected=7) == outgoing


def test_a_document_goes_whole() -> None:
    data = golden_g3()
    outgoing = arrival_of(data, "WS", AT)
    assert outgoing is not None
    event = json.loads(outgoing.value)
    assert event["event"] == "report.arrived"
    assert base64.b64decode(event["document"]) == data


def test_what_does_not_fit_a_record_goes_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    image = encoded(enhanced_ct())
    whole = decoded(arrival_of(image, "CT1", AT))
    monkeypatch.setattr(events, "_DOCUMENT_BYTES", 10)
    typed = decoded(arrival_of(image, "CT1", AT))
    assert typed.instance == whole.instance
    assert typed.header._replace(performers=()) == whole.header._replace(performers=())
    assert (typed.study_instance_uid, typed.sop_instance_uid) == ("2.999.1", "2.999.1.4.1")
    assert arrival_of(golden_g3(), "WS", AT) is None
    monkeypatch.setattr(events, "INPUT_BYTES", 10)
    assert arrival_of(b"x" * 11, "WS", AT) is None


def test_what_cannot_be_read_is_the_processor_s_to_refuse() -> None:
    with pytest.raises(Refused) as refused:
        decoded(arrival_of(b"no DICOM", "CT1", AT))
    assert refused.value.code is DeadLetterCode.NOT_DICOM


def test_members_that_say_nothing_are_left_out() -> None:
    assert json.loads(event_of("study.updated", "1", "RIS", AT, patient_id="", modality=None).value) == {
        "event": "study.updated",
        "event_id": "1",
        "source": "RIS",
        "occurred_at": "2026-01-02T03:04:05.678901Z",
    }
