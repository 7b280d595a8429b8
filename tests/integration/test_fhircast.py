"""A reporting session at both ends: what a viewer shares is a reference, what others publish is shared."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from processors.settings import printable
from processors.settings.neighbours import Fhircast
from processors.settings.sections import Completeness, Http
from tests.broker import free_port
from tests.builders.fhircast_hub import TOPIC, Hub
from tests.integration.site import Program, Site, until
from tests.integration.source_program import sent

Json = dict[str, Any]
STUDY, SERIES = "2.999.1", "2.999.1.2"
CT = "1.2.840.10008.5.1.4.1.1.2"
ARRIVED = {
    "event": "instance.arrived",
    "event_id": "1",
    "source": "CT1",
    "occurred_at": "2026-03-01T09:00:00Z",
    "study_instance_uid": STUDY,
    "series_instance_uid": SERIES,
    "sop_instance_uid": f"{SERIES}.1",
    "sop_class_uid": CT,
    "modality": "CT",
}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.open("r1", STUDY)
        yield hub


def is_brought(site: Site) -> bool:
    """The sink has read all references there are."""
    done = site.committed_by(f"{site.settings.kafka['group.id']}-sink-fhircast", "fhir")
    return all(each.offset < done[each.partition] for each in site.read("fhir"))


def program(site: Site, hub: Hub, *command: str) -> Program:
    own = Fhircast(url=hub.url, topic=TOPIC, timeout_s=5.0)
    kafka = {**site.settings.kafka, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    settings = msgspec.structs.replace(
        site.settings,
        fhircast=own,
        kafka=kafka,
        http=Http(port=free_port()),
        completeness=Completeness(quiet_s=0.5),
    )
    config = site.folder / f"{'-'.join(command)}.toml"
    config.write_text(printable(settings), "utf-8")
    return Program(
        site.folder / f"{'-'.join(command)}.log", ["-m", "processors", *command, "--config", str(config)]
    )


def selection(id_: str, text: str = "nodule") -> Json:
    instance = {"uid": f"{SERIES}.1", "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{CT}"}}
    return {
        "resourceType": "ImagingSelection",
        "id": id_,
        "status": "available",
        "code": {"text": text},
        "studyUid": STUDY,
        "seriesUid": SERIES,
        "instance": [instance],
        "subject": {"display": "Doe^Jane"},
    }


def put(id_: str, text: str = "nodule") -> Json:
    return {"request": {"method": "PUT", "url": f"ImagingSelection/{id_}"}, "resource": selection(id_, text)}


def delete(id_: str) -> Json:
    url = f"ImagingSelection/{id_}"
    return {"fullUrl": f"urn:uuid:{id_}", "request": {"method": "DELETE", "url": url}}


def selected(site: Site) -> list[tuple[str, str]]:
    """Name and selection id of each event on the topic."""
    return [(each["event"], each["selection"]["selection_id"]) for each in sent(site)]


def current(site: Site, kind: str) -> dict[str, Json]:
    """Text of the code → the newest revision of each reference of a kind in the session's study."""
    found = [
        json.loads(each.value)
        for each in site.read("fhir")
        if each.value
        and each.headers["kind"] == kind.encode()
        and each.headers["study_uid"] == STUDY.encode()
    ]
    return {
        each["code"].get("text", ""): each
        for each in sorted(found, key=lambda e: int(e["meta"]["versionId"]))
    }


def references(site: Site) -> set[bytes | None]:
    """Ids of those to selections."""
    return {each.key for each in site.read("fhir") if each.headers["kind"] == b"selection"}


def test_what_was_not_answered_is_told_again_and_counts_once(site: Site, hub: Hub) -> None:
    hub.deaf = True
    with program(site, hub, "source", "fhircast") as source:
        until(lambda: hub.connected, "subscribed", source)
        shared = hub.share(put("a"))
        until(lambda: selected(site) == [("selection.made", "a")], "published", source)
        source.kill()  # the hub never heard the answer
        hub.deaf = False
        source.start()
        until(lambda: (shared, 200) in hub.answers, "told again, and answered", source)
        source.signal(signal.SIGSTOP)
        hub.share(put("b"))
        source.kill()  # before it read what it was told
        until(lambda: not hub.connected, "missed", source)
        source.start()
        until(lambda: ("selection.made", "b") in selected(site), "caught up with", source)
        assert source.stop() == 0
        assert not source.said("Doe")
    assert set(selected(site)) == {("selection.made", "a"), ("selection.made", "b")}
    site.send("instances", [(None, json.dumps(ARRIVED).encode())])
    with program(site, hub, "run") as run:
        until(lambda: len(references(site)) >= 2, "references", run)
        until(lambda: current(site, "series") != {}, "all that there is to do", run)
        assert run.stop() == 0
    assert len(references(site)) == 2


def test_from_the_viewer_to_the_reference_and_back(site: Site, hub: Hub) -> None:
    found = {
        **ARRIVED,
        "event": "selection.made",
        "event_id": "2",
        "source": "AI",
        "selection": {
            "selection_id": "n1",
            "text": "by the AI",
            "instances": [{"sop_instance_uid": f"{SERIES}.1"}],
        },
    }
    other = {**found, "study_instance_uid": "2.999.7", "series_instance_uid": "2.999.7.1", "event_id": "3"}
    at_7 = {
        **ARRIVED,
        "study_instance_uid": "2.999.7",
        "series_instance_uid": "2.999.7.1",
        "sop_instance_uid": "2.999.7.1.1",
    }
    with (
        program(site, hub, "run") as run,
        program(site, hub, "source", "fhircast") as source,
        program(site, hub, "sink", "fhircast") as sink,
    ):
        until(lambda: hub.connected, "subscribed", source)
        hub.share(put("a"))
        # By study: a selection that is read before its image has a second revision, and is shared twice.
        said = [(str(each["study_instance_uid"]), each) for each in (ARRIVED, at_7, found, other)]
        site.send("instances", [(study.encode(), json.dumps(each).encode()) for study, each in said])
        until(lambda: set(current(site, "selection")) == {"nodule", "by the AI"}, "references", run)
        by_ai = f"ImagingSelection/{current(site, 'selection')['by the AI']['id']}"
        until(lambda: set(hub.content) == {"ImagingSelection/a", by_ai}, "shared, and nothing twice", sink)
        assert hub.content[by_ai]["code"]["text"] == "by the AI"

        sink.kill()
        hub.stop()
        withdrawn = {
            **found,
            "event": "selection.withdrawn",
            "event_id": "4",
            "occurred_at": "2026-03-01T09:30:00Z",
        }
        site.send("instances", [(None, json.dumps(withdrawn).encode())])
        sink.start()
        until(lambda: sink.said('"sink_unanswered"'), "the hub is missed", sink)
        hub.start()
        until(lambda: set(hub.content) == {"ImagingSelection/a"}, "removed", sink)
        until(lambda: hub.connected, "subscribed again", source)

        hub.share(put("a", "changed"))
        until(
            lambda: current(site, "selection").get("changed", {}).get("status") == "available", "revised", run
        )
        until(lambda: is_brought(site), "brought, while theirs is there", sink)
        hub.share(delete("a"))
        until(lambda: current(site, "selection")["changed"]["status"] == "entered-in-error", "withdrawn", run)
        assert [each.stop() for each in (sink, source, run)] == [0, 0, 0]
        assert not any(each.said("Doe") for each in (sink, source, run))
    assert hub.content == {}
    assert [each["event"]["hub.event"] for each in hub.requests] == ["DiagnosticReport-update"] * 2
