"""A mutant of a seed and a number: the same today, tomorrow and in any process.

Rules of this file: which seed, which mutations, and in which of its forms the value arrives.
"""

from __future__ import annotations

import base64
import json
import sys
from random import Random
from typing import Any, NamedTuple

from processors.avro.events import encode_event
from processors.errors import Refused
from processors.pipeline.records import Headers
from tests.fuzz import byte_mutations, dicom_mutations, json_mutations, seeds
from tests.fuzz.dicom_tree import copy_of, written

_AVRO_HEADER = 10
_DEPTH = 50_000
"""Frames that making a mutant may take; reading it has to do with Python's default."""
_DICOM, _JSON = b"application/dicom", b"application/dicom+json"
_ENVELOPE = {
    "event": "report.arrived",
    "event_id": "e1",
    "source": "PACS_A",
    "occurred_at": "2026-01-02T11:00:00+01:00",
}


class Mutant(NamedTuple):
    kind: str
    """What it was made of, for people."""
    value: bytes
    headers: Headers | None


class Mutants:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._objects = seeds.generated()
        self._files = seeds.of_pydicom()
        self._events = seeds.events()
        self._models = seeds.models()

    def make(self, number: int) -> Mutant:
        chance = Random(f"{self._seed}/{number}")
        of = chance.choices((self._object, self._file, self._event, self._model), (10, 4, 4, 2))[0]
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(_DEPTH)
        try:
            return of(chance)
        finally:
            sys.setrecursionlimit(limit)

    def _object(self, chance: Random) -> Mutant:
        return self._of(chance.choice(self._objects), chance)

    def _file(self, chance: Random) -> Mutant:
        return self._of(chance.choice(self._files), chance)

    def _of(self, whole: seeds.Objects, chance: Random) -> Mutant:
        data, first = whole.data, 128
        if whole.tree is not None and chance.random() < 0.75:
            tree = copy_of(whole.tree)
            dicom_mutations.mutate(tree, chance)
            data, first = written(tree, dicom_mutations.form(chance)), 0
            if chance.random() < 0.25:
                data = byte_mutations.damaged(data, chance, first)
        else:
            data = byte_mutations.damaged(data, chance, min(first, len(data) // 2))
        return self._delivered(f"object: {whole.name}", data, chance)

    def _delivered(self, kind: str, data: bytes, chance: Random) -> Mutant:
        """Bare, or as the document of an event."""
        way = chance.random()
        if way < 0.7:
            return Mutant(kind, data, [("content-type", _DICOM)])
        if way < 0.8:
            return Mutant(kind, data, None)
        if way < 0.9:
            return Mutant(kind, encode_event(_ENVELOPE | {"document": data}), None)
        document = base64.b64encode(data).decode()
        return Mutant(kind, json.dumps(_ENVELOPE | {"document": document}).encode(), None)

    def _event(self, chance: Random) -> Mutant:
        event = chance.choice(self._events)
        value = json_mutations.mutated(event.value, chance) if chance.random() < 0.85 else event.value
        data = self._avro(value) if chance.random() < 0.3 else None
        if data is not None:
            if chance.random() < 0.7 or value is event.value:
                data = byte_mutations.damaged(data, chance, chance.choice((0, _AVRO_HEADER)))
            return Mutant(f"Avro event: {event.name}", data, None)
        data = json_mutations.text_of(value, chance)
        if chance.random() < 0.2 or value is event.value:
            data = byte_mutations.damaged(data, chance)
        return Mutant(f"event: {event.name}", data, None)

    def _avro(self, value: Any) -> bytes | None:
        try:
            return encode_event(value) if isinstance(value, dict) else None
        except (Refused, UnicodeEncodeError):  # a lone surrogate, which Avro's text has no place for
            return None

    def _model(self, chance: Random) -> Mutant:
        model = chance.choice(self._models)
        value = json_mutations.mutated(model.value, chance)
        kind = f"model: {model.name}"
        if chance.random() < 0.5:
            data = json_mutations.text_of(value if chance.random() < 0.9 else [value], chance)
            return Mutant(kind, data, [("content-type", _JSON)])
        return Mutant(kind, json_mutations.text_of(_ENVELOPE | {"dataset": value}, chance), None)
