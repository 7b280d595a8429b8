"""Events in Avro carry the members of the JSON event."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from processors.avro.events import decode_event, encode_event
from processors.errors import DeadLetterCode, Refused

LEAST = {
    "event": "instance.arrived",
    "event_id": "7",
    "source": "CT1",
    "occurred_at": "2025-01-01T10:00:00+01:00",
}


def test_what_is_not_said_is_absent() -> None:
    assert decode_event(encode_event(LEAST | {"modality": None})) == LEAST


def test_a_document_is_bytes_in_avro_and_base64_in_json() -> None:
    document = bytes(range(256))
    for sent in (document, base64.b64encode(document).decode()):
        assert decode_event(encode_event(LEAST | {"document": sent}))["document"] == document


def test_a_dataset_is_json_text_in_avro() -> None:
    dataset = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "Ü^é"}]}}
    assert decode_event(encode_event(LEAST | {"dataset": dataset}))["dataset"] == dataset


def test_unknown_members_are_left_out() -> None:
    assert decode_event(
        encode_event(LEAST | {"colour": "red", "selection": {"selection_id": "1", "x": 2}})
    ) == (LEAST | {"selection": {"selection_id": "1"}})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event_id": None}, "event_id"),
        ({"source": 5}, "source"),
        ({"instance_number": "Doe^Jane"}, "instance_number"),
        ({"instance_number": 1.5}, "instance_number"),
        ({"series_number": 2**63}, "series_number"),
        ({"document": "no base64!"}, "document"),
        ({"selection": {"selection_id": None}}, "selection"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        encode_event(LEAST | change)
    assert (refused.value.code, refused.value.tag) == (DeadLetterCode.UNDECODABLE_RECORD, field)
    assert "Doe" not in refused.value.message


def test_a_dataset_that_is_no_json_is_refused() -> None:
    value = encode_event(LEAST | {"dataset": {}})
    with pytest.raises(Refused):
        decode_event(value.replace(b"{}", b"{x"))
