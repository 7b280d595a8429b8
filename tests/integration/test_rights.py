"""A broker with TLS, passwords and ACLs: each role with the rights of deploy/SECURITY.md and no other."""

from __future__ import annotations

import re
import signal
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from processors.settings import Settings, as_toml
from processors.stream.topics import TOPICS
from tests.broker import NoBroker
from tests.integration.desk import STUDY, image
from tests.integration.site import PATIENCE_S, ROOT, Program, Site, until
from tests.secure_broker import ADMIN, PASSWORD, Kafka, SecureBroker, certificates, secure_broker
from tests.unit.sinks.server import Server

Right = tuple[str, str, str]
"""Kind, name by default, operation."""
GROUP = "imaging-reference"


def rights() -> dict[str, list[Right]]:
    """Role → its rights, as the page lists them."""
    found: dict[str, list[Right]] = {}
    page = (ROOT / "deploy" / "SECURITY.md").read_text("utf-8")
    table = page.partition("| role | commands |")[2].partition("\n\n")[0]
    for row in table.splitlines()[2:]:
        role, _, kind, names, operations = (cell.strip() for cell in row.strip("|").split("|"))
        for name in re.findall(r"`(.+?)`", names):
            found.setdefault(role, []).extend((kind, name, each) for each in operations.split(", "))
    return found


RIGHTS = rights()


class Guarded:
    """Topics on the secured broker, and users who may do what their role says."""

    def __init__(self, secured: SecureBroker, folder: Path) -> None:
        self.secured = secured
        self.site = Site(secured.broker.bootstrap, uuid.uuid4().hex[:8], folder)
        self.site.kafka = secured.as_user(ADMIN)
        self.site.admin = AdminClient(self.site.kafka)

    def named(self, right: Right) -> Right:
        kind, name, operation = right
        if kind == "topic":
            default = Settings().topics
            return kind, self.site.topic(next(t for t in TOPICS if getattr(default, t) == name)), operation
        return kind, name.replace(GROUP, f"group-{self.site.suffix}"), operation

    def user(self, role: str, without: Right | None = None) -> Kafka:
        name = f"{role}-{uuid.uuid4().hex[:8]}"
        kafka = self.secured.add_user(name)
        self.secured.grant(name, [self.named(each) for each in RIGHTS[role] if each != without])
        return kafka

    def program(self, kafka: Kafka, *arguments: str) -> Program:
        name = f"{kafka['sasl.username']}-{uuid.uuid4().hex[:4]}"
        settings = {
            "kafka": {**kafka, "group.id": f"group-{self.site.suffix}"},
            "topics": {role: self.site.topic(role) for role in TOPICS},
            "completeness": {"quiet_s": 1.0},
            "state": {"dir": str(self.site.folder / f"state-{name}")},
            "http": {"port": 0},
            "logging": {"level": "debug"},
            **self.more,
        }
        config = self.site.folder / f"{name}.toml"
        config.write_text(as_toml(settings), "utf-8")
        return Program(
            self.site.folder / f"{name}.log", ["-m", "processors", *arguments, "--config", str(config)]
        )

    more: dict[str, dict[str, str]] = {}  # noqa: RUF012 (set by the test that needs it)

    def done(self, role: str, *arguments: str) -> str:
        """What a command says that ends by itself."""
        with self.program(self.user(role), *arguments) as running:
            assert running.wait() == 0, running.log.read_text("utf-8")
        return running.log.read_text("utf-8")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    try:
        with secure_broker(tmp_path_factory.mktemp("secured")) as running:
            yield running
    except NoBroker as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="module")
def guarded(secured: SecureBroker, tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    guarded = Guarded(secured, tmp_path_factory.mktemp("guarded"))
    guarded.done("setup", "topics", "create")
    return guarded


def refused(running: Program, alone: bool = True) -> str:
    """The one line of a command that may not go on; `alone`: librdkafka says nothing beside."""
    assert running.wait() == 1
    lines = running.lines()
    assert not any("Traceback" in line for line in lines)
    assert PASSWORD not in "".join(lines)
    plain = [each for each in lines if not each.startswith("{")]
    (line,) = [each for each in plain if each.startswith("imaging-reference: ")]
    assert not alone or plain == [line]
    return line


def test_each_role_works_with_the_rights_that_are_listed(guarded: Guarded) -> None:
    site = guarded.site
    assert guarded.done("setup", "topics", "check") == ""
    events = site.folder / "events.ndjson"
    events.write_bytes(b"\n".join([image(1, 1), image(1, 2), image(1, 3, event="no.such")]))
    processor, sink = guarded.user("processor"), guarded.user("sink")
    with Server() as server, guarded.program(processor, "run") as running:
        guarded.done("source", "publish", str(events))
        until(lambda: site.read("fhir") and len(site.read("dead_letters")) == 1, "published", running)
        guarded.more = {"fhir_server": {"url": server.url}}
        with guarded.program(sink, "sink", "fhir") as bringing:
            until(lambda: server.history, "brought", bringing)
            assert bringing.stop() == 0
        guarded.more = {}
        reference_id = (site.read("fhir")[0].key or b"").decode()
        assert reference_id in guarded.done("operator", "explain", reference_id)
        assert "CT1" in guarded.done("operator", "early-closes")
        assert "unknown_event" in guarded.done("operator", "dead-letters", "list")
        assert "1 records put back" in guarded.done("operator", "dead-letters", "redrive")
        until(lambda: len(site.read("dead_letters")) == 2, "put aside again", running)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    with guarded.program(processor, "run", "--from-beginning") as again:
        assert "has read before" in refused(again)


def test_a_subscriber_reads_and_does_nothing_else(guarded: Guarded) -> None:
    kafka = guarded.user("subscriber")
    own: Kafka = {"group.id": "subscriber-1", "auto.offset.reset": "earliest"}
    consumer = Consumer({**kafka, **own, "isolation.level": "read_committed"})
    consumer.subscribe([guarded.site.topic("fhir")])
    until(lambda: (found := consumer.poll(0.2)) is not None and found.error() is None, "read")
    consumer.close()
    for command in (["run"], ["publish", str(guarded.site.folder / "events.ndjson")]):
        with guarded.program(kafka, *command) as running:
            assert "lacks" in refused(running)


def test_the_live_page_with_its_rights(guarded: Guarded) -> None:
    def page() -> str:
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())

    with guarded.program(guarded.user("dashboard"), "dashboard", "--port", "0") as running:
        until(lambda: running.said("Live page: "), "serving", running)
        address = next(line for line in running.lines() if "Live page" in line).split()[2]
        until(lambda: "unknown_event" in page(), "the dead letter on the page", running)
        assert "lacks" not in page()
        assert "AUTHORIZATION" not in page()
        assert running.stop() == 0


OFTEN = {
    ("topic", "dicom-instances", "Read"),
    ("topic", "imaging-reference-intake", "Read"),
    ("topic", "imaging-reference-changelog", "Write"),
    ("topic", "fhir-imaging-references", "Write"),
    ("group", "imaging-reference", "Read"),
    ("transactional id", "imaging-reference-*", "Write"),
}
"""One of each kind; the others are like them."""


@pytest.mark.parametrize(
    "right",
    [
        pytest.param(each, id="-".join(each), marks=[] if each in OFTEN else pytest.mark.nightly)
        for each in RIGHTS["processor"]
    ],
)
def test_a_right_that_the_processor_lacks_is_named(guarded: Guarded, right: Right) -> None:
    kind, name, operation = guarded.named(right)
    with guarded.program(guarded.user("processor", without=right), "run") as running:
        assert f"lacks {operation} on {kind} {name.removesuffix('*')}" in refused(running)


@pytest.mark.parametrize(
    ("role", "right", "command"),
    [
        ("source", RIGHTS["source"][0], ["source", "folder", "."]),
        ("sink", RIGHTS["sink"][0], ["sink", "fhir"]),
        ("sink", RIGHTS["sink"][1], ["sink", "fhir"]),
        ("operator", ("topic", "analytics-imaging-references", "Read"), ["explain", "x"]),
        ("operator", ("topic", "imaging-reference-dead-letters", "Read"), ["dead-letters", "list"]),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else None,
)
def test_so_is_one_that_another_lacks(guarded: Guarded, role: str, right: Right, command: list[str]) -> None:
    kind, name, operation = guarded.named(right)
    guarded.more = {"fhir_server": {"url": "http://127.0.0.1:1/fhir"}}
    with guarded.program(guarded.user(role, without=right), *command) as running:
        assert f"lacks {operation} on {kind} {name.removesuffix('*')}" in refused(running)


@pytest.mark.parametrize(
    ("right", "named"),
    [
        (("topic", "fhir-imaging-references", "Write"), "lacks Write on topic fhir"),
        pytest.param(
            ("group", "imaging-reference", "Read"), "lacks Read on group group", marks=pytest.mark.nightly
        ),
    ],
    ids=["topic", "group"],
)
def test_a_right_that_is_withdrawn_ends_the_member(guarded: Guarded, right: Right, named: str) -> None:
    kafka = guarded.user("processor")
    with guarded.program(kafka, "run") as running:
        until(lambda: running.said('"restored"'), "ready", running)
        guarded.secured.withdraw(str(kafka["sasl.username"]), *guarded.named(right))
        number = uuid.uuid4().int % 1_000_000
        guarded.site.send("instances", [(STUDY.encode(), image(number, 1))])
        assert named in refused(running, alone=False)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sasl.password": "battery staple"}, "check kafka.sasl.username, kafka.sasl.password"),
        ({"sasl.mechanism": "PLAIN"}, "kafka.sasl.mechanism"),
        ({"ssl.ca.location": ""}, "check kafka.ssl.ca.location"),
    ],
    ids=["password", "mechanism", "authority"],
)
def test_a_door_that_stays_shut_is_one_line(
    guarded: Guarded, wrong: Kafka, said: str, tmp_path: Path
) -> None:
    if "ssl.ca.location" in wrong:
        wrong = {"ssl.ca.location": str(certificates(tmp_path))}
    with guarded.program({**guarded.user("processor"), **wrong}, "run") as running:
        line = refused(running)
    assert said in line
    assert "battery staple" not in running.log.read_text("utf-8")
