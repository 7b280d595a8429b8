"""What a hub tells → events: the same for the same, and what was missed at the next look."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from processors import telemetry
from processors.fhircast.context import OWN, Context
from processors.sources.fhircast.changes import Changes, Shared
from processors.sources.fhircast.memory import Memory
from processors.sources.ledger import Ledger

Json = dict[str, Any]
T1, T2 = "2026-03-01T09:00:00.500Z", "2026-03-01T09:05:00Z"


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(Memory(Ledger(tmp_path, "fhircast")), "READING")


def resource(id_: str = "a", series: str = "2.999.1.2", **more: Any) -> Json:
    own = {"studyUid": "2.999.1", "seriesUid": series, "code": {"text": "nodule"}}
    return {"resourceType": "ImagingSelection", "id": id_, **own, **more}


def put(content: Json, method: str = "PUT") -> Json:
    return {"request": {"method": method}, "resource": content}


def delete(full_url: str, **more: str) -> Json:
    return {"fullUrl": full_url, "request": {"method": "DELETE", **more}}


def update(*entries: Json, at: str = T1, event_id: str = "e1", report: str = "r1") -> Json:
    context = [
        {"key": "report", "reference": {"reference": f"DiagnosticReport/{report}"}},
        {"key": "updates", "resource": {"resourceType": "Bundle", "entry": list(entries)}},
    ]
    return {"id": event_id, "timestamp": at, "event": {"context": context}}


def context(*resources: Json, report: str = "r1", version: str = "v9") -> Context:
    content = {f"{each['resourceType']}/{each['id']}": each for each in resources}
    return Context(version, report, "", {"s1": "2.999.1"}, content)


def said(changes: Changes) -> list[Json]:
    return [json.loads(each.value) for each in changes.records]


def done(shared: Shared, changes: Changes) -> list[Json]:
    shared._memory.put(changes.remembered)
    return said(changes)


def brief(events: list[Json]) -> list[tuple[str, str, str]]:
    return [
        (each["event"], each["series_instance_uid"], each["selection"]["selection_id"]) for each in events
    ]


def ignored(rule: str) -> float:
    labels = {"source": "fhircast", "rule": rule}
    name = "imaging_reference_source_ignored_records_total"
    return telemetry.REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_shared_resource_is_a_selection_at_the_event_s_time(shared: Shared) -> None:
    (event,) = done(shared, shared.of_update(update(put(resource())), context()))
    assert event["event"] == "selection.made"
    assert (event["event_id"], event["source"]) == ("e1/0/0", "READING")
    assert event["occurred_at"] == "2026-03-01T09:00:00.500000Z"
    assert event["selection"] == {"selection_id": "a", "code": {}, "text": "nodule"} or event[
        "selection"
    ] == {
        "selection_id": "a",
        "text": "nodule",
    }


def test_the_same_again_is_the_same_bytes_and_once_remembered_nothing(shared: Shared) -> None:
    told = update(put(resource()), put(resource("b"), "POST"), delete("urn:uuid:none"))
    first = shared.of_update(told, context())
    assert shared.of_update(told, context()).records == first.records
    done(shared, first)
    again = shared.of_update({**told, "id": "e2"}, context())
    assert again.records == []
    assert brief(done(shared, shared.of_update(update(put(resource("a", "2.999.1.9"))), context())))[1:] == [
        ("selection.made", "2.999.1.9", "a")
    ]


@pytest.mark.parametrize(
    "entry",
    [
        delete("urn:uuid:a"),
        delete("ImagingSelection/a"),
        delete("https://x/fhir/ImagingSelection/a"),
        delete("urn:x", url="ImagingSelection/a"),
        put(resource(status="entered-in-error")),
    ],
)
def test_what_is_removed_is_withdrawn(shared: Shared, entry: Json) -> None:
    done(shared, shared.of_update(update(put(resource())), context()))
    events = done(shared, shared.of_update(update(entry, at=T2, event_id="e2"), context()))
    assert brief(events) == [("selection.withdrawn", "2.999.1.2", "a")]
    assert events[0]["event_id"] == "e2/0/withdrawn/0"
    assert done(shared, shared.of_update(update(delete("urn:uuid:a"), event_id="e3"), context())) == []


def test_one_that_points_elsewhere_leaves_where_it_pointed(shared: Shared) -> None:
    done(shared, shared.of_update(update(put(resource())), context()))
    moved = update(put(resource(series="2.999.1.3")), at=T2, event_id="e2")
    assert brief(done(shared, shared.of_update(moved, context()))) == [
        ("selection.withdrawn", "2.999.1.2", "a"),
        ("selection.made", "2.999.1.3", "a"),
    ]


def test_our_own_and_other_resources_are_passed_over(shared: Shared) -> None:
    before = ignored("own"), ignored("other_resource")
    own = resource(meta={"source": OWN})
    told = update(put(own), put({"resourceType": "Observation", "id": "o"}), delete("Observation/o"))
    assert shared.of_update(told, context()).records == []
    assert (ignored("own") - before[0], ignored("other_resource") - before[1]) == (1, 2)


def test_a_study_of_the_same_update_says_whose_a_selection_is(shared: Shared) -> None:
    identifier = [{"system": "urn:dicom:uid", "value": "urn:oid:2.999.8"}]
    study = {"resourceType": "ImagingStudy", "id": "s8", "identifier": identifier}
    selected = resource(derivedFrom=[{"reference": "ImagingStudy/s8"}])
    del selected["studyUid"]
    (event,) = said(shared.of_update(update(put(selected), put(study)), context()))
    assert event["study_instance_uid"] == "2.999.8"


def test_a_selection_by_value_counts_and_one_by_reference_is_in_focus_only(shared: Shared) -> None:
    told: Json = {"id": "e1", "timestamp": T1, "event": {"context": []}}
    report = {"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": "r1"}}
    told["event"]["context"] = [
        report,
        {"key": "select", "resource": [resource(), {"resourceType": "Observation"}]},
    ]
    assert not shared.misses({"event": {"context": [report]}})
    assert shared.misses(told)
    assert brief(done(shared, shared.of_select(told, context()))) == [("selection.made", "2.999.1.2", "a")]
    told["event"]["context"][1] = {"key": "select", "reference": [{"reference": "ImagingSelection/a"}]}
    assert shared.of_select(told, context()).records == []
    assert not shared.misses(told)
    told["event"]["context"][1] = {"key": "select", "reference": {"reference": "ImagingSelection/b"}}
    assert shared.misses(told)


def test_the_content_brings_what_was_missed_and_nothing_twice(shared: Shared) -> None:
    done(
        shared,
        shared.of_update(update(put(resource("a")), put(resource("b")), put(resource("c"))), context()),
    )
    now = context(resource("a"), resource("b", series="2.999.1.9"), resource("d"))
    events = done(shared, shared.of_content(now))
    assert brief(events) == [
        ("selection.withdrawn", "2.999.1.2", "b"),
        ("selection.made", "2.999.1.9", "b"),
        ("selection.made", "2.999.1.2", "d"),
        ("selection.withdrawn", "2.999.1.2", "c"),
    ]
    assert done(shared, shared.of_content(now)) == []


def test_an_empty_content_withdraws_nothing(shared: Shared) -> None:
    """The report may have been closed and opened again."""
    done(shared, shared.of_update(update(put(resource("a"))), context()))
    assert shared.of_content(context()).records == []
    assert shared.of_content(context(resource("x"), report="r2")).records != []
    assert brief(said(shared.of_content(context(resource("x"), report="r2")))) == [
        ("selection.made", "2.999.1.2", "x")
    ]
    assert shared.of_content(Context("v", "r1", "", {}, None)).records == []


def test_the_first_look_is_now_and_stays_so(shared: Shared) -> None:
    first = shared.of_content(context(resource()))
    (event,) = said(first)
    assert abs(datetime.fromisoformat(event["occurred_at"]) - datetime.now(UTC)).total_seconds() < 60
    done(shared, first)
    assert shared.of_content(context(resource())).records == []


def test_what_the_hub_tells_later_is_later(shared: Shared) -> None:
    """Whatever the clocks of those who shared it say; the hub made them share one after the other."""
    times = [T2, T1, T1, T1]
    entries = [put(resource()), put(resource(code={"text": "cyst"})), delete("urn:uuid:a"), put(resource())]
    told = [
        update(each, at=at, event_id=f"e{n}") for n, (each, at) in enumerate(zip(entries, times, strict=True))
    ]
    events = [event for each in told for event in done(shared, shared.of_update(each, context()))]
    assert [each["occurred_at"] for each in events] == [
        "2026-03-01T09:05:00Z",
        "2026-03-01T09:05:00.000001Z",
        "2026-03-01T09:05:00.000002Z",
        "2026-03-01T09:05:00.000003Z",
    ]
    assert events[2]["event"] == "selection.withdrawn"


def test_one_that_no_record_can_hold_is_left_out(shared: Shared) -> None:
    huge = resource("b", instance=[{"uid": "2.999"}], code={"text": "x" * 15 * 1024 * 1024})
    events = done(shared, shared.of_update(update(put(huge), put(resource())), context()))
    assert brief(events) == [("selection.made", "2.999.1.2", "a")]


def test_a_time_without_offset_is_utc_and_none_is_now(shared: Shared) -> None:
    (event,) = said(shared.of_update(update(put(resource()), at="2018-01-08T01:37:05.14"), context()))
    assert event["occurred_at"] == "2018-01-08T01:37:05.140000Z"
    (event,) = said(shared.of_update(update(put(resource()), at="yesterday"), context()))
    assert abs(datetime.fromisoformat(event["occurred_at"]) - datetime.now(UTC)).total_seconds() < 60


@pytest.mark.parametrize(
    "broken",
    [
        [{"key": "updates", "resource": {"entry": ["x", {}, {"request": "PUT"}, {"resource": []}]}}],
        [{"key": "updates"}, {"key": 7}, "x"],
        {"key": "updates", "resource": {"entry": {"resource": {"resourceType": "ImagingSelection"}}}},
        None,
    ],
)
def test_an_update_that_is_none_is_no_selection(shared: Shared, broken: object) -> None:
    told = {"id": "e1", "timestamp": 5, "event": {"context": broken}}
    assert shared.of_update(told, context()).records == []
    assert shared.of_select(told, context()).records == []
