"""`sink fhir` between a real broker and a server that is killed for, and kills, nothing."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import msgspec
from confluent_kafka import Consumer, TopicPartition

from processors.settings import printable
from processors.settings.neighbours import FhirServer
from tests.broker import free_port
from tests.integration.site import PATIENCE_S, Program, Site, until
from tests.unit.sinks.server import Server

REFERENCES = 120


def _program(site: Site, server: Server, port: int = 0) -> Program:
    section = FhirServer(url=server.url, batch_resources=10, timeout_s=5.0, http_port=port)
    config = site.folder / "settings.toml"
    kafka = {**site.settings.kafka, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    settings = msgspec.structs.replace(site.settings, fhir_server=section, kafka=kafka)
    config.write_text(printable(settings), "utf-8")
    return Program(site.folder / "sink.log", ["-m", "processors", "sink", "fhir", "--config", str(config)])


def _send(site: Site, numbers: range, revision: int) -> None:
    site.send("fhir", [(f"r{n}".encode(), _reference(n, revision)) for n in numbers])


def _reference(number: int, revision: int) -> bytes:
    meta = {"versionId": str(revision), "lastUpdated": "2026-01-01T00:00:00Z"}
    content = {"resourceType": "ImagingSelection", "id": f"r{number}", "meta": meta, "seriesNumber": revision}
    return json.dumps(content).encode()


def _there(server: Server) -> dict[str, Any]:
    server.wait()  # asking without a pause would leave the server, a thread of this process, no time
    found = {path: server.current(path) for path in list(server.history)}
    return {path: each and each["seriesNumber"] for path, each in found.items()}


def test_nothing_is_lost_or_doubled_when_the_sink_is_killed(site: Site) -> None:
    _send(site, range(REFERENCES), 1)
    with Server() as server:
        with _program(site, server) as sink:
            until(lambda: len(_there(server)) >= REFERENCES // 3, "a third is there", sink)
            sink.kill()
        _send(site, range(0, REFERENCES, 2), 2)
        site.send("fhir", [(b"r1", None)])
        expected: dict[str, int | None] = {}
        expected |= {f"ImagingSelection/r{n}": 1 if n % 2 else 2 for n in range(REFERENCES)}
        expected["ImagingSelection/r1"] = None
        with _program(site, server) as sink:
            until(lambda: _there(server) == expected, "all as on the topic", sink)
            assert sink.stop() == 0
        versions = {path: len(history) for path, history in server.history.items()}
    assert {path: n for path, n in versions.items() if n > (1 if path[-1] in "3579" else 2)} == {}
    assert _committed(site) == len(site.read("fhir"))


def test_a_server_that_goes_away_is_waited_for_and_sees_no_step_back(site: Site) -> None:
    _send(site, range(30), 1)
    _send(site, range(30), 2)
    away = True
    with Server() as server:
        server.before = lambda _: 503 if away and len(server.history) >= 10 else 0
        with _program(site, server, port := free_port()) as sink:
            until(lambda: sink.said('"sink_unanswered"'), "noticed", sink)
            assert _get(port, "/livez")[0] == 200
            assert _get(port, "/readyz")[0] == 503
            away = False
            until(lambda: set(_there(server).values()) == {2}, "brought at last", sink)
            until(lambda: _get(port, "/readyz")[0] == 200, "ready", sink)
            written = 'sink_references_total{outcome="written",sink="fhir"}'
            until(lambda: written in _get(port, "/metrics")[1], "counted", sink)
            assert sink.stop() == 0
    for versions in server.history.values():
        revisions = [each["seriesNumber"] for each in versions if each]
        assert revisions == sorted(set(revisions))


def _get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, ""


def _committed(site: Site) -> int:
    """Records that the sink need not read again; the test writes no control records between them."""
    consumer = Consumer(site.kafka | {"group.id": f"{site.settings.kafka['group.id']}-sink-fhir"})
    places = [TopicPartition(site.topic("fhir"), partition) for partition in range(3)]
    offsets = [place.offset for place in consumer.committed(places, PATIENCE_S)]
    consumer.close()
    return sum(offset for offset in offsets if offset > 0)
