"""`assemble`: files through the same pipeline with ports in memory; the final references as NDJSON.

Rules of this file: feeding files and writing the three outputs; meaning is the pipeline's.
Files count as events in the order given, a later file happened later (CONTRACT 1).
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO

from processors.avro.facts import decode_fact
from processors.errors import DeadLetterCode, Refused
from processors.input_files import MEMBER_BYTES, Input
from processors.pipeline.building import pipeline_of
from processors.pipeline.dead_letters import of_record, told_by
from processors.pipeline.decode import split_event_file
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputRecord, OutputTopic, Record
from processors.settings import Settings

BATCH_BYTES = 64 * 1024 * 1024
"""Inputs folded in one step: more only holds more files in memory at once."""
EVENT_SUFFIXES = (".json", ".ndjson")
FILES = "files"
"""Topic name under which inputs appear in facts."""
_DICOM = [("content-type", b"application/dicom")]


@dataclass(slots=True)
class Summary:
    """What came of it, for the person: records and references by outcome."""

    inputs: int = 0
    references: int = 0
    facts: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    dispositions: Counter[tuple[str, str]] = field(default_factory=Counter)


class _Sink:
    """Keeps the latest version of each reference, and writes facts and dead letters as they come."""

    def __init__(self, names: list[str], analytics: IO[str] | None, dead_letters: IO[str] | None) -> None:
        self.latest: dict[str, bytes] = {}
        self.summary = Summary()
        self._names = names
        self._analytics = analytics
        self._dead_letters = dead_letters

    def take(self, outputs: list[OutputRecord]) -> None:
        for output in outputs:
            if output.topic is OutputTopic.FHIR:
                reference_id = (output.key or b"").decode()
                if output.value is None:  # erased
                    self.latest.pop(reference_id, None)
                else:
                    self.latest[reference_id] = output.value
            elif output.topic is OutputTopic.ANALYTICS:
                self.summary.facts += 1
                if self._analytics is not None:
                    fact = decode_fact(output.value or b"")
                    self._analytics.write(json.dumps(fact, ensure_ascii=False) + "\n")
            else:
                self._dead_letter(output)

    def _dead_letter(self, output: OutputRecord) -> None:
        told = told_by(output.headers)
        self.summary.dead_letters[told.code] += 1
        if self._dead_letters is not None:
            line = {
                "code": told.code,
                "input": self._names[told.offset] if told.offset >= 0 else "",
                "tag": told.tag,
                "message": told.message,
            }
            self._dead_letters.write(json.dumps(line, ensure_ascii=False) + "\n")


def assemble(
    inputs: Sequence[Input],
    settings: Settings,
    out: IO[str],
    analytics: IO[str] | None = None,
    dead_letters: IO[str] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Run all inputs through and write the final references to `out`, sorted by id.

    `progress` is told the bytes of each input when it was read. Raises UsageError if one cannot be read.
    """
    names: list[str] = []
    sink = _Sink(names, analytics, dead_letters)
    member = MemoryMember(lambda: pipeline_of(settings, 1, purges=False), 1, settings.topics.intake)
    start_ms = time.time_ns() // 1_000_000
    batch: list[Record] = []
    held = 0
    for each in inputs:
        if each.too_large:
            names.append(each.name)
            sink.take([_left_packed(len(names) - 1, start_ms)])
            member.dispositions["dead_lettered", DeadLetterCode.TOO_LARGE] += 1
        for value in () if each.too_large else _values(each):
            at_ms = start_ms + len(names)
            headers = None if each.name.endswith(EVENT_SUFFIXES) else _DICOM
            batch.append(Record(FILES, 0, len(names), at_ms, None, value, headers))
            names.append(each.name)
            held += len(value)
        progress(each.size)
        if held >= BATCH_BYTES:
            sink.take(member.feed(batch, start_ms + len(names)))
            batch, held = [], 0
    sink.take(member.feed(batch, start_ms + len(names)))
    sink.take(member.run_out(start_ms + len(names)))
    for reference_id in sorted(sink.latest):
        out.write(sink.latest[reference_id].decode() + "\n")
    sink.summary.inputs = len(names)
    sink.summary.references = len(sink.latest)
    sink.summary.dispositions = member.dispositions
    return sink.summary


def _left_packed(number: int, now_ms: int) -> OutputRecord:
    refused = Refused(DeadLetterCode.TOO_LARGE, f"more than {MEMBER_BYTES >> 20} MiB in a zip")
    return of_record(Record(FILES, 0, number, now_ms, None, None, None), refused, "decode", now_ms)


def _values(each: Input) -> list[bytes]:
    data = each.read()
    return split_event_file(data) if each.name.endswith(EVENT_SUFFIXES) else [data]
