"""A day cut in two by an upgrade: what came before, what an earlier version had kept of it, what comes after.

Rules of this file: inputs only. `kept` was written by versions that are gone, so `before` stays as it is.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from processors.pipeline.records import StateEntry
from tests.builders.goldens import Message, event, g3, g7, rejection, successor_of_g7
from tests.builders.images import ct
from tests.builders.key_objects import PATIENT_SAFETY
from tests.integration.hospital import STUDIES, morning

_STATES = Path(__file__).parent.parent / "golden" / "state"
FORMATS = sorted(int(path.stem.removeprefix("format_")) for path in _STATES.glob("format_*"))
INTAKE_FORMATS = sorted(int(path.stem.removeprefix("intake_")) for path in _STATES.glob("intake_*"))

_SELECTION: dict[str, Any] = {
    "series_instance_uid": f"{STUDIES[1]}.1",
    "selection": {
        "selection_id": "s1",
        "text": "for the tumour board",
        "instances": [
            {"sop_instance_uid": f"{STUDIES[1]}.1.2", "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2"},
        ],
    },
}


def before() -> list[Message]:
    """Open and closed series, two documents, a selection, a deletion, an erasure, a merge, a move."""
    return [
        *morning(1, 3),
        *g3().records,
        *g7().records,
        event("selection.made", "10:10", STUDIES[1], **_SELECTION),
        _of("instance.deleted", STUDIES[0], 1, 2, "10:11"),
        _of("instance.erased", STUDIES[2], 1, 1, "10:12"),
        event("patient.merged", "10:13", STUDIES[3], patient_id="P9", prior_patient_id="P4"),
    ]


def kept(version: int) -> Iterator[StateEntry]:
    """The changelog of the one home after `before`, its second half a minute later, in this format."""
    for line in (_STATES / f"format_{version}.ndjson").read_text("utf-8").splitlines():
        row = json.loads(line)
        yield StateEntry(0, row["key"], base64.b64decode(row["value"]), row["due_at_ms"])


def forwarded(version: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the intake records that forward all of `before` and `after`, in this format."""
    for line in (_STATES / f"intake_{version}.ndjson").read_text("utf-8").splitlines():
        row = json.loads(line)
        yield (row["key"] or "").encode(), base64.b64decode(row["value"])


def after() -> list[Message]:
    """The rest of the series, a rejection, a successor, a withdrawal, a repetition of what is known."""
    return [
        *morning(2, 6),
        rejection("4", PATIENT_SAFETY, [ct(2)], "11:40"),
        successor_of_g7(),
        event("selection.withdrawn", "11:00", STUDIES[1], **_SELECTION),
        _of("instance.deleted", STUDIES[4], 2, 3, "11:01"),
        event("patient.unmerged", "11:02", STUDIES[3], patient_id="P9", prior_patient_id="P4"),
    ]


def _of(name: str, study: str, series: int, number: int, at: str) -> Message:
    uid = f"{study}.{series}"
    return event(name, at, study, series_instance_uid=uid, sop_instance_uid=f"{uid}.{number}")
