"""No marked value leaves by logs, metrics, headers, refusals or facts, wherever it stood."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from processors import telemetry
from processors.avro.facts import decode_fact
from processors.pipeline.building import pipeline_of
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputRecord, OutputTopic, Record
from processors.settings import load
from tests.builders.goldens import ENVIRONMENT, arrivals
from tests.builders.images import ct
from tests.builders.marked import MARK, Marked, records

NOW_MS = 1_767_348_000_000


def spoken(output: OutputRecord, marked: Marked) -> Iterator[tuple[str, str]]:
    """What an output says beside its value, and a fact with it: (what, text)."""
    own = (
        output.headers[len(marked.headers) :] if output.topic is OutputTopic.DEAD_LETTERS else output.headers
    )
    for name, value in own:
        if not (marked.is_code and name == "modality"):
            yield f"header {name}", value.decode("latin-1")
    if output.topic is OutputTopic.ANALYTICS and not marked.is_code:
        yield "fact", json.dumps(decode_fact(output.value or b""), ensure_ascii=False)


def test_nothing_of_a_patient_leaves_but_in_values(caplog: pytest.LogCaptureFixture) -> None:
    every = list(records())
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    log = io.StringIO()
    telemetry.configure("json", "debug", log)
    settings = load(None, ENVIRONMENT)
    images = arrivals([ct(1), ct(2), ct(7, "2.999.1.3", 3)])
    context = [Record("dicom-instances", 0, n, NOW_MS, None, each.value) for n, each in enumerate(images)]
    pipeline = pipeline_of(settings, 1)
    found: dict[str, str] = {}
    topics: set[OutputTopic] = set()
    for number, marked in enumerate(every, len(context)):
        member = MemoryMember(lambda: pipeline, 1, settings.topics.intake)
        record = Record("dicom-reports", 0, number, NOW_MS, None, marked.value, marked.headers)
        outputs = member.feed([*context, record], NOW_MS) + member.run_out(NOW_MS)
        telemetry.step_committed(member.dispositions, member.events)
        topics |= {output.topic for output in outputs}
        for output in outputs:
            for what, text in spoken(output, marked):
                if MARK.lower() in text.lower():
                    found[f"{what} of {marked.name}"] = text
    assert found == {}
    assert topics >= {OutputTopic.FHIR, OutputTopic.ANALYTICS, OutputTopic.DEAD_LETTERS}
    metrics = telemetry.exposition()[1].decode()
    assert MARK.lower() not in (log.getvalue() + caplog.text + metrics).lower()
