"""References in a session: shared once with the report that has their study open, whatever goes wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processors.core.identity import NAMESPACE, reference_id, selection_key
from processors.errors import SettingsError, Unavailable
from processors.fhir.r5 import WITHDRAWAL_REASON
from processors.fhircast.context import OWN
from processors.pipeline.records import Record
from processors.settings.neighbours import Fhircast
from processors.sinks.fhircast_hub import SharedContent
from processors.sinks.resources import Wanted, newest
from tests.builders.fhircast_hub import TOPIC, Hub

Json = dict[str, Any]
STUDY, OTHER = "2.999.1", "2.999.7"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.open("r1", STUDY)
        yield hub


def content(number: int, reason: str = "", note: str = "", study: str = STUDY) -> Json:
    tag = {"tag": [{"system": WITHDRAWAL_REASON, "code": reason}]} if reason else {}
    derived = {"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{study}"}}
    return {
        "resourceType": "ImagingSelection",
        "id": f"i{number}",
        "meta": {"versionId": "3", "lastUpdated": "2026-01-01T00:00:00Z", **tag},
        "status": "entered-in-error" if reason else "available",
        "subject": {"type": "Patient", "identifier": {"value": "P1"}},
        "code": {"text": note or "Of Interest"},
        "studyUid": study,
        "derivedFrom": [derived],
    }


def record(id_: str, value: Json | None, kind: str = "key_images", study: str = STUDY) -> Record:
    data = None if value is None else json.dumps(value).encode()
    headers = [("kind", kind.encode()), ("study_uid", study.encode()), ("fhir_version", b"5.0.0")]
    return Record("fhir", 0, 0, 0, id_.encode(), data, headers)


def wanted(*numbers: int, **more: str) -> list[Wanted]:
    return newest(record(f"i{number}", content(number, **more)) for number in numbers)


def bring(hub: Hub, asked: list[Wanted], within_s: float = 60.0, **own: Any) -> SharedContent:
    settings = Fhircast(url=hub.url, topic=TOPIC, timeout_s=5.0, **own)
    sink = SharedContent(settings, NAMESPACE)
    sink.bring(asked, time.monotonic() + within_s)
    return sink


def updates(hub: Hub) -> list[Json]:
    return [each for each in hub.requests if each["event"]["hub.event"] == "DiagnosticReport-update"]


def entries(hub: Hub) -> list[tuple[str, str]]:
    """Method and url of each entry that was asked for, refused or not."""
    found = []
    for asked in updates(hub):
        (bundle,) = [each["resource"] for each in asked["event"]["context"] if each["key"] == "updates"]
        found += [(each["request"]["method"], each["request"]["url"]) for each in bundle["entry"]]
    return found


def test_shared_changed_left_alone_and_removed(hub: Hub) -> None:
    assert +bring(hub, wanted(1, 2, 3)).told == {"written": 3}
    assert +bring(hub, wanted(1, 2, 3)).told == {"unchanged": 3}
    changed = [
        *wanted(1, note="new"),
        *wanted(2, reason="deleted"),
        *newest([record("i3", None)]),
        *wanted(4),
    ]
    assert +bring(hub, changed).told == {"written": 2, "deleted": 2}
    assert +bring(hub, changed).told == {"unchanged": 4}
    assert list(hub.content) == ["ImagingSelection/i1", "ImagingSelection/i4"]
    assert hub.content["ImagingSelection/i1"]["code"] == {"text": "new"}
    assert len(updates(hub)) == 2


def test_an_update_is_as_stu3_has_it(hub: Hub) -> None:
    version = hub.version
    bring(hub, [*wanted(1)])
    (asked,) = updates(hub)
    assert asked["event"]["hub.topic"] == TOPIC
    assert asked["event"]["context.versionId"] == version
    report, change = asked["event"]["context"]
    assert report == {"key": "report", "reference": {"reference": "DiagnosticReport/r1"}}
    (entry,) = change["resource"]["entry"]
    assert change["resource"]["type"] == "transaction"
    assert entry["fullUrl"] == "urn:uuid:i1"
    assert entry["request"] == {"method": "PUT", "url": "ImagingSelection/i1"}
    assert entry["resource"] == content(1) | {"meta": {"source": OWN}}


def test_another_study_or_kind_is_skipped(hub: Hub) -> None:
    asked = [*wanted(1), *newest([record("i2", content(2, study=OTHER), study=OTHER)])]
    asked += newest([record("i3", content(3), kind="series")])
    assert +bring(hub, asked).told == {"written": 1, "skipped": 2}
    assert +bring(hub, asked, kinds=("series",)).told == {"written": 1, "skipped": 2}
    assert list(hub.content) == ["ImagingSelection/i1", "ImagingSelection/i3"]
    hub.open("r2", OTHER)
    assert +bring(hub, asked).told == {"written": 1, "skipped": 2}
    hub.close()
    assert +bring(hub, asked).told == {"skipped": 3}
    assert +bring(hub, wanted(1)).told == {"skipped": 1}


def test_a_session_that_the_hub_does_not_know_has_nothing_open(hub: Hub) -> None:
    sink = SharedContent(Fhircast(url=hub.url, topic="another"), NAMESPACE)
    sink.bring(wanted(1), time.monotonic() + 60)
    assert +sink.told == {"skipped": 1}


@pytest.mark.parametrize("status", [400, 409, 412])
def test_what_others_shared_meanwhile_is_read_again(hub: Hub, status: int) -> None:
    """STU3 leaves the status of a stale version open, IRA says 400."""
    meddled: list[str] = []

    def meddle(_: Json) -> int:
        if meddled:
            return 0
        meddled.append(hub.version)
        observation = {"resourceType": "Observation", "id": "o1"}
        hub.share({"request": {"method": "PUT"}, "resource": observation})
        return status

    hub.refuse = meddle
    assert +bring(hub, wanted(1)).told == {"written": 1}
    assert list(hub.content) == ["Observation/o1", "ImagingSelection/i1"]
    versions = [each["event"]["context.versionId"] for each in updates(hub)]
    assert versions[0] == meddled[0] != versions[1]


def test_an_update_that_is_accepted_and_then_refused_is_not_lost(hub: Hub) -> None:
    """202 and a SyncError (2.10): the sink waits for what it shared to show, and asks again later."""
    hub.swallow = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("processors.sinks.fhircast_hub.TRIES", 4)
        with pytest.raises(Unavailable, match="does not make it"):
            bring(hub, wanted(1))
    assert hub.content == {}
    assert +bring(hub, wanted(1)).told == {"written": 1}
    assert list(hub.content) == ["ImagingSelection/i1"]


def test_one_that_is_refused_does_not_hold_up_the_others(hub: Hub) -> None:
    hub.refuse = lambda asked: 422 if "ImagingSelection/i4" in json.dumps(asked) else 0
    sink = bring(hub, wanted(1, 2, 3, 4, 5, 6))
    assert (sink.told["written"], sink.told["refused"], sink.refused) == (5, 1, [("i4", 422)])
    assert hub.content.keys() == {f"ImagingSelection/i{n}" for n in (1, 2, 3, 5, 6)}


def test_a_hub_that_always_says_stale_holds_up_nobody(hub: Hub) -> None:
    hub.refuse = lambda _: 409
    assert bring(hub, wanted(1)).refused == [("i1", 409)]


def test_a_hub_that_keeps_resources_otherwise_is_told_twice_at_most(hub: Hub) -> None:
    hub.keeps = lambda resource: resource | {"language": "en"}
    assert +bring(hub, wanted(1)).told == {"written": 1}
    assert len(updates(hub)) == 2


def test_a_hub_that_does_not_tell_its_content_is_believed(hub: Hub) -> None:
    hub.tells_content = False
    assert +bring(hub, [*wanted(1), *wanted(2, reason="deleted")]).told == {"written": 1, "deleted": 1}
    assert entries(hub) == [("PUT", "ImagingSelection/i1"), ("DELETE", "ImagingSelection/i2")]


def test_a_hub_that_is_busy_is_asked_again(hub: Hub) -> None:
    answers = iter([503, 429, 0])
    hub.refuse = lambda _: next(answers, 0)
    assert bring(hub, wanted(1)).told["written"] == 1
    assert len({each["id"] for each in updates(hub)}) == 1


def test_a_hub_that_lets_nobody_in_loses_nothing(hub: Hub, tmp_path: Path) -> None:
    hub.token = "secret"
    with pytest.raises(Unavailable, match=r"401: check the token of \[fhircast\]"):
        bring(hub, wanted(1))
    token = tmp_path / "token"
    token.write_text("secret\n")
    sink = SharedContent(Fhircast(url=hub.url, topic=TOPIC, token_file=str(token)), NAMESPACE)
    sink.bring(wanted(1), time.monotonic() + 60)
    hub.token = "renewed"
    token.write_text("renewed\n")
    sink.bring(wanted(2), time.monotonic() + 60)
    assert len(hub.content) == 2


def test_late_is_too_late(hub: Hub) -> None:
    with pytest.raises(Unavailable, match="took too long"):
        bring(hub, wanted(1), within_s=0.0)
    assert hub.content == {}


def test_a_hub_that_is_away_is_said_so(hub: Hub) -> None:
    hub.stop()
    try:
        with pytest.raises(Unavailable, match="does not answer"):
            bring(hub, wanted(1))
    finally:
        hub.start()


def test_what_another_application_shares_is_not_doubled(hub: Hub) -> None:
    """It came from this hub: a viewer's ImagingSelection, read by the source, published, and brought back."""
    theirs = {
        "resourceType": "ImagingSelection",
        "id": "viewer/1",
        "derivedFrom": [{"reference": "ImagingStudy/s0"}],
        "seriesUid": "2.999.1.2",
    }
    series = [{"uid": "2.999.7.1"}]
    identifier = [{"system": "urn:dicom:uid", "value": f"urn:oid:{OTHER}"}]
    prior = {"resourceType": "ImagingStudy", "id": "prior", "identifier": identifier, "series": series}
    for resource in (theirs, prior):
        hub.share({"request": {"method": "PUT"}, "resource": resource})
    keys = {
        selection_key(STUDY, "2.999.1.2", "fhircast", "viewer/1"): STUDY,
        selection_key(OTHER, "2.999.7.1", "fhircast", "prior"): OTHER,
    }
    asked = [(content(1, study=study) | {"id": reference_id(key)}, study) for key, study in keys.items()]
    records = [record(each["id"], each, "selection", study) for each, study in asked]
    assert +bring(hub, newest(records)).told == {"unchanged": 2}
    assert updates(hub) == []


@pytest.mark.parametrize("form", ["STU3", "IRA"])
def test_key_images_may_be_selected(hub: Hub, form: str) -> None:
    asked = [*wanted(1), *newest([record("i2", content(2), kind="region")]), *wanted(3, reason="deleted")]
    bring(hub, asked, form=form, select_key_images=True)
    told = hub.requests[-1]["event"]
    assert told["hub.event"] == "DiagnosticReport-select"
    (selected,) = [each for each in told["context"] if each["key"] == "select"]
    if form == "STU3":
        assert selected["reference"] == {"reference": "ImagingSelection/i1"}
    else:
        assert selected["resource"] == [{"resourceType": "ImagingSelection", "id": "i1"}]
    bring(hub, wanted(1), form=form)
    assert hub.requests[-1]["event"] is told


def test_the_form_of_ira(hub: Hub) -> None:
    bring(hub, wanted(1), form="IRA")
    assert +bring(hub, wanted(1), form="IRA").told == {"unchanged": 1}
    bring(hub, wanted(1, note="new"), form="IRA")
    assert entries(hub) == [("POST", "ImagingSelection/i1"), ("PUT", "ImagingSelection/i1")]
    shared = hub.content["ImagingSelection/i1"]
    assert shared["status"] == "unknown"
    assert shared["subject"]["reference"] == "Patient/p1"
    assert shared["derivedFrom"][0]["reference"] == "ImagingStudy/s0"
    report = updates(hub)[0]["event"]["context"][0]["resource"]
    assert (report["resourceType"], report["id"]) == ("DiagnosticReport", "r1")


def test_large_ones_go_apart(hub: Hub) -> None:
    bring(hub, wanted(*range(5)), batch_resources=2)
    assert [len(each["event"]["context"][1]["resource"]["entry"]) for each in updates(hub)] == [2, 2, 1]


@pytest.mark.parametrize("url", ["", "ftp://x/hub", "http://", "http://name:word@x/hub"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(SettingsError, match=r"fhircast\.url"):
        SharedContent(Fhircast(url=url, topic=TOPIC), NAMESPACE)


def test_settings_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"fhircast\.topic"):
        SharedContent(Fhircast(url="https://hub.example"), NAMESPACE)
    with pytest.raises(SettingsError, match="token_file"):
        SharedContent(
            Fhircast(url="https://hub.example", topic="t", token_file=str(tmp_path / "none")), NAMESPACE
        )
