"""The sink's way with a server: created or updated once, whatever goes wrong in between."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processors.errors import SettingsError, Unavailable
from processors.pipeline.records import Headers, Record
from processors.settings.neighbours import FhirServer as Settings
from processors.sinks.fhir_server import FhirServer
from processors.sinks.resources import Wanted, newest
from tests.unit.sinks.server import Server

Json = dict[str, Any]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


def content(number: int, status: str = "available", reason: str = "") -> Json:
    tag = {"tag": [{"system": "urn:reasons", "code": reason}]} if reason else {}
    meta = {"versionId": "7", "lastUpdated": "2026-01-01T00:00:00Z", **tag}
    return {"resourceType": "ImagingSelection", "id": f"r{number}", "meta": meta, "status": status}


def record(number: int, value: Json | None, headers: Headers | None = None) -> Record:
    data = None if value is None else json.dumps(value).encode()
    return Record("fhir", 0, 0, 0, f"r{number}".encode(), data, headers)


def wanted(*numbers: int, **more: str) -> list[Wanted]:
    return newest(record(number, content(number, **more)) for number in numbers)


def bring(server: Server, asked: list[Wanted], batch: int = 3, within_s: float = 60.0) -> FhirServer:
    sink = FhirServer(Settings(url=server.url, batch_resources=batch, timeout_s=5.0))
    sink.bring(asked, time.monotonic() + within_s)
    return sink


def test_created_updated_left_alone_and_deleted(server: Server) -> None:
    assert bring(server, wanted(1, 2, 3, 4)).told == {"written": 4, "deleted": 0, "unchanged": 0}
    assert bring(server, wanted(1, 2, 3, 4)).told == {"unchanged": 4}
    changed = [*wanted(1, status="unknown"), *wanted(2), *newest([record(3, None)])]
    assert bring(server, changed).told == {"written": 1, "deleted": 1, "unchanged": 1}
    assert bring(server, newest([record(3, None), record(9, None)])).told == {"unchanged": 2}
    assert bring(server, wanted(3)).told["written"] == 1
    versions = {path: len(history) for path, history in server.history.items()}
    assert versions == {f"ImagingSelection/r{n}": count for n, count in ((1, 2), (2, 1), (3, 3), (4, 1))}
    assert server.current("ImagingSelection/r1") == content(1, "unknown") | {
        "meta": {"versionId": "2", "lastUpdated": "2026-01-01T00:00:00Z"}
    }


def test_another_reason_alone_is_another_version(server: Server) -> None:
    bring(server, wanted(1, status="entered-in-error", reason="deleted"))
    assert bring(server, wanted(1, status="entered-in-error", reason="iocm-113037")).told["written"] == 1
    assert "TAG" in server.headers[-1]["X-Meta-Snapshot-Mode"]


@pytest.mark.parametrize("stale_status", [409, 412])
def test_what_others_wrote_meanwhile_is_read_again(server: Server, stale_status: int) -> None:
    bring(server, wanted(1))
    server.stale_status = stale_status
    meddled: list[str] = []

    def meddle(bundle: Json) -> int:
        if bundle["type"] == "transaction" and not meddled:
            meddled.append("once")
            server.history["ImagingSelection/r1"].append(content(1, "by another"))
        return 0

    server.before = meddle
    assert bring(server, wanted(1, 2, status="unknown")).told["written"] == 2
    assert [each and each["status"] for each in server.history["ImagingSelection/r1"]] == [
        "available",
        "by another",
        "unknown",
    ]
    assert len(server.history["ImagingSelection/r2"]) == 1


def test_an_answer_that_is_lost_doubles_nothing(server: Server) -> None:
    bring(server, wanted(1))
    server.lose_answers = 2
    bring(server, wanted(1, 2, status="unknown"))
    assert len(server.history["ImagingSelection/r1"]) == 2


def test_one_that_is_refused_does_not_hold_up_the_others(server: Server) -> None:
    def refuse(bundle: Json) -> int:
        paths = [entry["request"]["url"] for entry in bundle["entry"]]
        return 422 if bundle["type"] == "transaction" and "ImagingSelection/r4" in paths else 0

    server.before = refuse
    sink = bring(server, wanted(1, 2, 3, 4, 5, 6), batch=6)
    assert (sink.told["written"], sink.told["refused"], sink.refused) == (5, 1, [("r4", 422)])
    assert server.history.keys() == {f"ImagingSelection/r{n}" for n in (1, 2, 3, 5, 6)}


def test_a_server_that_is_busy_is_asked_again(server: Server) -> None:
    answers = iter([503, 429, 0])
    server.before = lambda _: next(answers, 0)
    assert bring(server, wanted(1)).told["written"] == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_lets_nobody_in_loses_nothing(server: Server, status: int) -> None:
    server.before = lambda bundle: status if bundle["type"] == "transaction" else 0
    with pytest.raises(Unavailable, match=str(status)):
        bring(server, wanted(1, 2))


def test_late_is_too_late(server: Server) -> None:
    with pytest.raises(Unavailable, match="took too long"):
        bring(server, wanted(1), within_s=0.0)
    assert server.history == {}


def test_a_token_is_sent(server: Server, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    sink = FhirServer(Settings(url=server.url, token_file=str(tmp_path / "token")))
    sink.bring(wanted(1), time.monotonic() + 60)
    assert server.headers[-1]["Authorization"] == "Bearer secret"
    with pytest.raises(SettingsError, match="token_file"):
        FhirServer(Settings(url=server.url, token_file=str(tmp_path / "none")))


@pytest.mark.parametrize("url", ["", "ftp://x/fhir", "http://", "http://name:word@x/fhir"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(SettingsError, match=r"fhir_server\.url"):
        FhirServer(Settings(url=url))


def test_only_the_newest_of_each_and_only_references() -> None:
    r4 = {"resourceType": "Basic", "id": "r3"}
    found = newest(
        [
            record(1, content(1)),
            record(2, content(2)),
            record(1, content(1, "unknown")),
            record(3, r4),
            record(4, None, [("fhir_version", b"4.0.1")]),
            record(5, content(6)),
            Record("fhir", 0, 0, 0, b"r7", b"no JSON", None),
            Record("fhir", 0, 0, 0, None, None, None),
        ]
    )
    assert [(each.path, each.content and each.content.get("status")) for each in found] == [
        ("ImagingSelection/r2", "available"),
        ("ImagingSelection/r1", "unknown"),
        ("Basic/r3", None),
        ("Basic/r4", None),
    ]
