"""One mutant decoded, or through the whole pipeline, and what is wrong with how that went.

Rules of this file: what must hold of any input whatever; the limits are kept by `processes`.
"""

from __future__ import annotations

import json
import time
import traceback
import warnings
from collections import Counter

from processors.errors import Refused
from processors.pipeline.building import decoder_of, pipeline_of
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputRecord, OutputTopic, Record
from processors.settings import load
from tests.builders.goldens import ENVIRONMENT, arrivals
from tests.builders.images import ct
from tests.fuzz.mutants import Mutant
from tests.peak import peak_kib

CPU_S = 2.0
MEMORY_BYTES = 512 * 1024 * 1024
"""Of the whole process, Python and the program included."""
NOW_MS = 1_767_348_000_000
"""2026-01-02T10:00:00Z."""
PATIENT = (b"Doe", b"Jane")


class Trial:
    def __init__(self) -> None:
        self._settings = load(None, ENVIRONMENT)
        self._decoder = decoder_of(self._settings)
        self._pipeline = pipeline_of(self._settings, 1)
        self._context = [
            Record("dicom-instances", 0, at, NOW_MS, None, message.value)
            for at, message in enumerate(arrivals([ct(1), ct(2), ct(7, "2.999.1.3", 3)]))
        ]
        self.dispositions: Counter[tuple[str, str]] = Counter()
        self.slowest_s = 0.0

    def finding(self, mutant: Mutant, whole: bool) -> str | None:
        """One or more lines that say what must not be; None if all is well. `whole`: through the pipeline,
        with the images it may refer to.
        """
        began = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a library's warning could quote a value
                problem = self._piped(mutant) if whole else self._decoded(mutant)
        except BaseException:  # noqa: BLE001  whatever leaves is what is looked for
            problem = traceback.format_exc()
        took_s = time.process_time() - began
        self.slowest_s = max(self.slowest_s, took_s)
        if problem is None and took_s > CPU_S:
            problem = f"took {took_s:.1f} s"
        if problem is None and peak_kib() * 1024 > MEMORY_BYTES:
            problem = "memory: the process grew beyond its limit"
        return problem

    def _decoded(self, mutant: Mutant) -> str | None:
        try:
            self._decoder.decode(
                Record("dicom-reports", 0, 0, NOW_MS, None, mutant.value, mutant.headers), NOW_MS
            )
            self.dispositions["decoded", ""] += 1
        except Refused as refused:
            self.dispositions["refused", refused.code] += 1
            if any(word in f"{refused.message} {refused.tag}".encode() for word in PATIENT):
                return "the refusal names the patient"
        return None

    def _piped(self, mutant: Mutant) -> str | None:
        member = MemoryMember(lambda: self._pipeline, 1, self._settings.topics.intake)
        record = Record("dicom-reports", 0, len(self._context), NOW_MS, b"k", mutant.value, mutant.headers)
        outputs = member.feed([*self._context, record], NOW_MS)
        outputs += member.run_out(NOW_MS)
        self.dispositions += member.dispositions
        if sum(member.dispositions.values()) != member.consumed:
            return f"{member.consumed} records, but {dict(member.dispositions)}"
        return next(filter(None, map(_problem, outputs)), None)


def _problem(output: OutputRecord) -> str | None:
    if output.topic is OutputTopic.DEAD_LETTERS:
        told = [value for name, value in output.headers if name.startswith("__")]
        if any(word in value for value in told for word in PATIENT):
            return "a dead letter's headers name the patient"
    elif output.topic is OutputTopic.FHIR and output.value is not None:
        json.loads(output.value)
    return None
