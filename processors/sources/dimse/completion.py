"""What Modality Performed Procedure Steps and Instance Availability Notifications tell: a series is complete,
with so many instances.

Rules of this file: data sets to events of the contract; no network. A value that cannot be used is as if it
were not there, since a wrong count would close a series early.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from processors import telemetry
from processors.sources.events import Outgoing, event_of
from processors.sources.ledger import Ledger

ENDED = frozenset({"COMPLETED", "DISCONTINUED"})
"""Performed Procedure Step Status (0040,0252) after which nothing more is made (PS3.4 F.7.2)."""
AVAILABLE = frozenset({"ONLINE", "NEARLINE", "OFFLINE"})
"""Instance Availability (0008,0056), PS3.3 C.4.23.1.1; the fourth is UNAVAILABLE."""
STEPS_KEPT_S = 30 * 86_400.0


class UnknownStep(Exception):
    """An N-SET of a step that was never created here."""


class ProcedureSteps:
    """Steps that were begun: their studies, until the step ends. Nothing else of them is kept."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def begin(self, step_uid: str, created: Any) -> bool:
        """`created`: the attributes of the N-CREATE. False if there is such a step already."""
        key = f"step/{step_uid}"
        if self._ledger.get(key) is not None:
            return False
        scheduled = _items(created, "ScheduledStepAttributesSequence")
        studies = {_text(item, "StudyInstanceUID") for item in scheduled} - {""}
        self._ledger.put([(key, json.dumps(sorted(studies)))])
        return True

    def completed(self, step_uid: str, changed: Any, source: str, at: datetime) -> list[Outgoing]:
        """One event a series once the step has ended; `changed`: the attributes of the N-SET.

        A step of several studies does not say whose a series is, and completes none. Raises UnknownStep.
        """
        kept = self._ledger.get(f"step/{step_uid}")
        if kept is None:
            raise UnknownStep
        studies = json.loads(kept)
        events: list[Outgoing] = []
        if _text(changed, "PerformedProcedureStepStatus") not in ENDED:
            return events
        if len(studies) != 1:
            telemetry.source_left_out("dimse", "step_without_its_study", studies=len(studies))
            return events
        for series in _items(changed, "PerformedSeriesSequence"):
            made = _items(series, "ReferencedImageSequence")
            made += _items(series, "ReferencedNonImageCompositeSOPInstanceSequence")
            count = len({_text(item, "ReferencedSOPInstanceUID") for item in made} - {""})
            events += _completion(studies[0], _text(series, "SeriesInstanceUID"), count, step_uid, source, at)
        return events


def of_availability(notification: Any, source: str, at: datetime) -> list[Outgoing]:
    """An Instance Availability Notification (PS3.3 C.4.23), one event a series. What is unavailable is not
    counted: it will not arrive.
    """
    study = _text(notification, "StudyInstanceUID")
    events: list[Outgoing] = []
    for series in _items(notification, "ReferencedSeriesSequence"):
        made = {
            _text(item, "ReferencedSOPInstanceUID")
            for item in _items(series, "ReferencedSOPSequence")
            if _text(item, "InstanceAvailability") in AVAILABLE
        } - {""}
        said = hashlib.sha256("\\".join(sorted(made)).encode()).hexdigest()
        events += _completion(study, _text(series, "SeriesInstanceUID"), len(made), said, source, at)
    return events


def _completion(
    study: str, series: str, count: int, said_by: str, source: str, at: datetime
) -> Iterator[Outgoing]:
    if study and series and count:
        yield event_of(
            "series.completed",
            f"{said_by}/{series}",
            source,
            at,
            study_instance_uid=study,
            series_instance_uid=series,
            number_of_series_related_instances=count,
        )


def _items(dataset: Any, keyword: str) -> list[Any]:
    return list(getattr(dataset, keyword, None) or [])


def _text(dataset: Any, keyword: str) -> str:
    return str(getattr(dataset, keyword, None) or "").strip()
