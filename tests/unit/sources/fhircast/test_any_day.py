"""Whatever is shared, missed, told twice or cut off: in the end the selections are what the hub holds."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.fhircast.context import Context
from processors.sources.fhircast.changes import Changes, Shared
from processors.sources.fhircast.memory import Memory
from processors.sources.ledger import Ledger

Json = dict[str, Any]


class Happening(NamedTuple):
    id: str
    series: str
    """Empty: it is removed."""
    text: str
    minute: int
    """Of the sharer's clock, which may be wrong."""
    fate: str
    """heard; told twice; cut: killed before what was published is remembered; missed, awhile or alone."""


happenings = st.lists(
    st.builds(
        Happening,
        st.sampled_from("abc"),
        st.sampled_from(["", "2.999.1.1", "2.999.1.2"]),
        st.sampled_from(["nodule", "cyst"]),
        st.integers(0, 59),
        st.sampled_from(["heard", "twice", "cut", "away", "gap"]),
    ),
    max_size=12,
)


class Day:
    """A hub's content, and what the broker has of it. One resource stays, so that no removal is in doubt."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder, "fhircast")
        self.shared = Shared(Memory(self.ledger), "fhircast")
        self.content = {"ImagingSelection/stays": resource("stays", "2.999.1.1", "nodule")}
        self.sent: list[Json] = []
        self.caught_up()

    def happens(self, number: int, what: Happening) -> None:
        path = f"ImagingSelection/{what.id}"
        if what.series:
            self.content[path] = resource(what.id, what.series, what.text)
            entry: Json = {"request": {"method": "PUT"}, "resource": self.content[path]}
        elif path in self.content:
            del self.content[path]
            entry = {"fullUrl": f"urn:uuid:{what.id}", "request": {"method": "DELETE", "url": path}}
        else:
            return
        updates = {"key": "updates", "resource": {"entry": [entry]}}
        report = {"key": "report", "reference": {"reference": "DiagnosticReport/r1"}}
        event = {"context": [report, updates]}
        at = f"2026-03-01T09:{what.minute:02}:00Z"
        message = {"id": f"e{number}", "timestamp": at, "event": event}
        if what.fate in ("away", "gap"):
            return
        for _ in range(2 if what.fate == "twice" else 1):
            changes = self.shared.of_update(message, self.context)
            self.broker_has(changes, remembered=what.fate != "cut")
        if what.fate == "cut":  # it starts anew: the context first, then what was not answered
            self.caught_up()
            self.broker_has(self.shared.of_update(message, self.context))

    def caught_up(self) -> None:
        self.broker_has(self.shared.of_content(self.context))

    def broker_has(self, changes: Changes, remembered: bool = True) -> None:
        self.sent += [json.loads(each.value) for each in changes.records]
        if remembered:
            self.shared._memory.put(changes.remembered)

    @property
    def context(self) -> Context:
        return Context("v", "r1", "", {}, dict(self.content))

    def selected(self) -> set[tuple[str, str, str]]:
        """Id, series and text of what stands: of a selection the latest word, a removal over an arrival."""
        last: dict[tuple[str, str], Json] = {}
        for event in self.sent:
            key = (event["selection"]["selection_id"], event["series_instance_uid"])
            last[key] = max(last.get(key, event), event, key=order)
        return {
            (*key, event["selection"]["text"])
            for key, event in last.items()
            if event["event"] == "selection.made"
        }


def order(event: Json) -> tuple[str, bool, str]:
    at = event["occurred_at"]
    return (
        at if "." in at else at.replace("Z", ".000000Z"),
        event["event"].endswith("drawn"),
        event["event_id"],
    )


def resource(id_: str, series: str, text: str) -> Json:
    own = {"studyUid": "2.999.1", "seriesUid": series, "code": {"text": text}}
    return {"resourceType": "ImagingSelection", "id": id_, **own}


@settings(max_examples=60, deadline=None)
@given(happenings)
def test_in_the_end_the_selections_are_what_the_hub_holds(all_day: list[Happening]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        day = Day(Path(folder))
        was_away = False
        for number, what in enumerate(all_day):
            if was_away and what.fate != "away":
                day.caught_up()  # back, before anything is heard
            was_away = what.fate == "away"
            day.happens(number, what)
            if what.fate not in ("away", "gap") and number and all_day[number - 1].fate == "gap":
                day.caught_up()  # its priorVersionId was not the one known
        day.caught_up()
        day.ledger.close()
    held = {(each["id"], each["seriesUid"], each["code"]["text"]) for each in day.content.values()}
    assert day.selected() == held
    assert all(set(event) >= {"event_id", "occurred_at", "source"} for event in day.sent)
