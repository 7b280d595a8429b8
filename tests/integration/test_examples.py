"""deploy/examples: run as they stand there, on a real broker, with what a topic of references can hold."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.broker import free_port
from tests.integration import kafka_tools
from tests.integration.documents import Shell
from tests.integration.site import PATIENCE_S, ROOT, Program, Site, until

EXAMPLES = ROOT / "deploy/examples"
LOGGED = "CREATE TRIGGER logged AFTER INSERT ON held BEGIN INSERT INTO log VALUES (new.id, new.revision); END"
Sent = tuple[str, int, str, str]
"""Reference, revision, event, status."""


def references(first: int, last: int) -> list[Sent]:
    """Published; every third one revised, of these one withdrawn and one erased, and one revived."""
    sent: list[Sent] = [(f"r{n}", 1, "published", "available") for n in range(first, last)]
    sent += [(f"r{n}", 2, "revised", "available") for n in range(first, last, 3)]
    sent += [(f"r{first}", 3, "withdrawn", "entered-in-error"), (f"r{first + 3}", 3, "erased", "available")]
    sent += [(f"r{first + 6}", 3, "withdrawn", "unknown"), (f"r{first + 6}", 4, "revived", "available")]
    return sent


def send(site: Site, sent: list[Sent], commit: bool = True) -> None:
    """In one transaction, as the processor does."""
    producer = Producer({**site.kafka, "transactional.id": f"examples-{site.suffix}"})
    producer.init_transactions(PATIENCE_S)
    producer.begin_transaction()
    for reference, revision, event, status in sent:
        said = {
            "ce_subject": reference,
            "ce_id": f"{reference}/{revision}/0",
            "ce_type": f"imaging-reference.{event}",
        }
        said |= {"revision": str(revision), "status": status}
        headers: list[tuple[str, str | bytes | None]] = [(n, text.encode()) for n, text in said.items()]
        value = None if event == "erased" else body(reference, revision)
        producer.produce(site.topic("fhir"), value, reference.encode(), headers=headers)
    producer.flush(PATIENCE_S)
    if commit:
        producer.commit_transaction(PATIENCE_S)
    else:
        producer.abort_transaction(PATIENCE_S)


def body(reference: str, revision: int) -> bytes:
    content = {"resourceType": "ImagingSelection", "id": reference, "meta": {"versionId": str(revision)}}
    return json.dumps(content).encode()


def expected(sent: list[Sent]) -> dict[str, tuple[int, str, str | None]]:
    """Reference → revision, status and resource of its last record."""
    last = {reference: (revision, event, status) for reference, revision, event, status in sent}
    return {
        reference: (revision, "erased", None)
        if event == "erased"
        else (revision, status, body(reference, revision).decode())
        for reference, (revision, event, status) in last.items()
    }


def held(path: Path) -> dict[str, tuple[int, str, str | None]]:
    with closing(sqlite3.connect(path)) as table:
        rows = table.execute("SELECT id, revision, status, resource FROM held").fetchall()
    return {row[0]: tuple(row[1:]) for row in rows}


def subscriber(site: Site, path: Path, group: str = "subscriber") -> Program:
    script = site.folder / f"{group}.py"
    text = (EXAMPLES / "subscriber.py").read_text("utf-8")
    script.write_text(text.replace('GROUP = "subscriber"', f'GROUP = "{group}-{site.suffix}"'), "utf-8")
    return Program(site.folder / f"{group}.log", [str(script), site.bootstrap, str(path), site.topic("fhir")])


def test_the_subscriber_loses_nothing_and_doubles_nothing_when_it_is_killed(site: Site) -> None:
    path = site.folder / "references.sqlite"
    first, second = references(0, 900), references(900, 1200)
    send(site, first)
    send(site, [("r1", 9, "revised", "available")], commit=False)
    with subscriber(site, path) as reader:
        until(lambda: sum(1 for _ in reader.lines()) > 100, "begun", reader)
        reader.kill()
    with closing(sqlite3.connect(path)) as table:
        known = table.execute("SELECT id, revision FROM held").fetchall()
        table.execute("CREATE TABLE log (id TEXT, revision INT)")
        table.execute(LOGGED)
    send(site, second)
    with subscriber(site, path) as reader:
        until(lambda: held(path) == expected(first + second), "all is there", reader)
        assert reader.stop() == 0
    with subscriber(site, path, group="another") as reader:  # as if it had crashed before every commit
        send(site, [("last", 1, "published", "available")])
        until(lambda: "last" in held(path), "read again from the start", reader)
        assert reader.stop() == 0
    with closing(sqlite3.connect(path)) as table:
        logged = table.execute("SELECT id, revision FROM log").fetchall()
    assert len(logged) == len(set(logged))
    assert not set(known) & set(logged)
    assert all(json.loads(text)["id"] == name for name, (_, _, text) in held(path).items() if text)


@pytest.mark.nightly
def test_connect_writes_what_was_committed_into_a_file(site: Site) -> None:
    sent = references(0, 30)
    send(site, sent)
    send(site, [("r1", 9, "revised", "available")], commit=False)
    written = {
        "broker:9092": site.bootstrap,
        "fhir-imaging-references": site.topic("fhir"),
        "libs/connect-file-4.2.0.jar": str(kafka_tools.connect_file()),
        ":8083": f":{free_port()}",
    }
    shell = Shell(site.folder, written)
    for name in ("connect-worker.properties", "references-to-file.json"):
        (site.folder / name).write_text(shell.here((EXAMPLES / name).read_text("utf-8")), "utf-8")
    shell.put_on_path("connect-standalone.sh", *kafka_tools.tool(kafka_tools.CONNECT))
    shell.start("connect-standalone.sh connect-worker.properties references-to-file.json", "")
    file = site.folder / "references.ndjson"
    try:
        until(lambda: file.exists() and file.read_text("utf-8").count("\n") == len(sent), "all written")
    finally:
        shell.kill()
    lines = file.read_text("utf-8").splitlines()
    assert lines.count("null") == 1
    values = [json.loads(line) for line in lines if line != "null"]
    assert {value["id"]: int(value["meta"]["versionId"]) for value in values} == {
        reference: revision for reference, revision, event, _ in sent if event != "erased"
    }
