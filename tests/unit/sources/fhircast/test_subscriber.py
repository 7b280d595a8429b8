"""A subscription on a real hub: what is answered when, and what brings it back."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from processors.errors import Unavailable
from processors.fhircast.hub import Hub
from processors.pipeline.records import Headers
from processors.settings.neighbours import Fhircast
from processors.sources.fhircast import subscriber
from processors.sources.fhircast.subscriber import FhircastSource
from processors.sources.ledger import Ledger
from tests.builders.fhircast_hub import TOPIC
from tests.builders.fhircast_hub import Hub as Application

if TYPE_CHECKING:
    from processors.fhircast.channel import Channel

Json = dict[str, Any]
PATIENCE_S = 60.0


class Broker:
    """Takes what it is given, or not while `away`."""

    def __init__(self) -> None:
        self.taken: list[Json] = []
        self.away = False
        self.asked = 0

    def deliver(self, value: bytes, headers: Headers) -> None:
        self.asked += 1
        if self.away:
            raise Unavailable("the broker did not take a record")
        self.taken.append(json.loads(value))

    def ids(self) -> list[str]:
        return [each["selection"]["selection_id"] for each in self.taken]


@pytest.fixture
def hub() -> Iterator[Application]:
    with Application() as hub:
        hub.open("r1", "2.999.1")
        yield hub


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_PAUSE_S", "RENEW_AGAIN_S", "LOOK_S"):
        monkeypatch.setattr(subscriber, name, 0.02)


@contextmanager
def subscribed(hub: Application, folder: Path, broker: Broker, **own: Any) -> Iterator[threading.Event]:
    """A source that runs in a thread until the end of the block."""
    settings = Fhircast(url=hub.url, topic=TOPIC, **({"timeout_s": 5.0} | own))
    ledger, stop = Ledger(folder, "fhircast"), threading.Event()
    source = FhircastSource(settings, Hub(settings), ledger, broker)
    thread = threading.Thread(target=source.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        ledger.close()
        assert not thread.is_alive()


def until(reached: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end, what
        threading.Event().wait(0.01)


def entry(id_: str, method: str = "PUT") -> Json:
    if method == "DELETE":
        return {"fullUrl": f"urn:uuid:{id_}", "request": {"method": method, "url": f"ImagingSelection/{id_}"}}
    own = {"studyUid": "2.999.1", "seriesUid": "2.999.1.2", "code": {"text": "nodule"}}
    return {"request": {"method": method}, "resource": {"resourceType": "ImagingSelection", "id": id_, **own}}


def test_subscribes_confirms_answers_and_leaves(hub: Application, tmp_path: Path) -> None:
    broker = Broker()
    with subscribed(hub, tmp_path, broker, subscriber="reader", lease_s=600):
        until(lambda: hub.connected, "connected")
        shared = hub.share(entry("a"), entry("b"))
        until(lambda: (shared, 200) in hub.answers, "answered")
        assert broker.ids() == ["a", "b"]
    form, last = hub.forms[0], hub.forms[-1]
    assert form["hub.channel.type"] == "websocket"
    assert (form["hub.mode"], form["hub.topic"]) == ("subscribe", TOPIC)
    assert (form["hub.lease_seconds"], form["subscriber.name"]) == ("600", "reader")
    assert "DiagnosticReport-update" in form["hub.events"].split(",")
    assert (last["hub.mode"], last["hub.channel.endpoint"][:5]) == ("unsubscribe", "ws://")
    until(lambda: hub.closed == [1000], "closed as one who leaves")


def test_an_event_that_the_broker_does_not_take_is_never_answered_with_200(
    hub: Application, tmp_path: Path
) -> None:
    broker = Broker()
    with subscribed(hub, tmp_path, broker):
        until(lambda: hub.connected, "connected")
        first = hub.share(entry("first"))
        until(lambda: (first, 200) in hub.answers, "the source is there")
        broker.away = True
        late = hub.share(entry("a"))
        until(lambda: (late, 500) in hub.answers, "told so")
        until(lambda: not hub.subscriptions, "left, so that nobody waits for it")
        hub.close()
        broker.away = False
        until(lambda: broker.ids() == ["first", "a"], "published, though the hub has it no more")
        hub.open("r2", "2.999.1")
        until(lambda: hub.connected, "and back")
        after = hub.share(entry("b"))
        until(lambda: (after, 200) in hub.answers, "the next one")
        assert [status for event, status in hub.answers if event == late] == [500]
    assert set(hub.closed) <= {1000}


def test_a_broker_that_is_away_keeps_the_source_away(hub: Application, tmp_path: Path) -> None:
    hub.share(entry("a"))
    broker = Broker()
    broker.away = True
    with subscribed(hub, tmp_path, broker):
        until(lambda: broker.asked >= 2, "tried, and again")
        broker.away = False
        until(lambda: broker.ids() == ["a"] and hub.connected, "there")
    assert set(hub.closed) <= {1000}


def test_what_was_shared_while_nobody_listened_is_caught_up_with(hub: Application, tmp_path: Path) -> None:
    hub.share(entry("a"))
    broker = Broker()
    with subscribed(hub, tmp_path, broker):
        until(lambda: broker.ids() == ["a"], "what was there")
    hub.share(entry("b"))
    hub.share(entry("a", "DELETE"))
    hub.share(entry("c"))
    with subscribed(hub, tmp_path, broker):
        until(lambda: len(broker.taken) >= 3, "what came meanwhile")
    assert broker.ids() == ["a", "b", "c"]  # of a alone nobody can tell whether the report was opened anew


def test_a_removal_that_was_missed_is_seen_where_others_are_left(hub: Application, tmp_path: Path) -> None:
    broker = Broker()
    hub.share(entry("a"), entry("b"))
    with subscribed(hub, tmp_path, broker):
        until(lambda: broker.ids() == ["a", "b"], "what was there")
    hub.share(entry("a", "DELETE"))
    with subscribed(hub, tmp_path, broker):
        until(lambda: len(broker.taken) == 3, "the removal")
    assert [broker.taken[2][name] for name in ("event", "source")] == ["selection.withdrawn", "fhircast"]


def test_a_gap_in_the_versions_is_closed(hub: Application, tmp_path: Path) -> None:
    broker = Broker()
    with subscribed(hub, tmp_path, broker):
        until(lambda: hub.connected, "connected")
        with hub._lock:
            (subscription,) = hub.subscriptions.values()
            subscription.events = subscription.events.replace("-update", "-none")
            hub.share(entry("missed"))
            subscription.events = subscription.events.replace("-none", "-update")
            hub.share(entry("heard"))
        until(lambda: sorted(broker.ids()) == ["heard", "missed"], "both")


class Answers:
    """In a channel's place."""

    def __init__(self) -> None:
        self.given: list[tuple[str, int]] = []

    def answer(self, event_id: str, status: int) -> None:
        self.given.append((event_id, status))


def test_an_update_that_the_context_had_already_is_not_looked_up(hub: Application, tmp_path: Path) -> None:
    """As when it was shared between the subscription and the first look."""
    settings, broker, answers = Fhircast(url=hub.url, topic=TOPIC), Broker(), Answers()
    with closing(Ledger(tmp_path, "fhircast")) as ledger:
        source = FhircastSource(settings, Hub(settings), ledger, broker)
        hub.share(entry("a"))
        source._catch_up()
        asked = len(hub.headers)
        for number, version in enumerate((hub.version, "later")):
            event = {"hub.topic": TOPIC, "hub.event": "DiagnosticReport-update", "context": []}
            versions = {"context.versionId": version, "context.priorVersionId": "another"}
            source._heard({"id": str(number), "event": event | versions}, cast("Channel", answers))
            assert len(hub.headers) == asked + number, (
                "the second was not known, and one was missed before it"
            )
    assert (answers.given, broker.ids()) == ([("0", 200), ("1", 200)], ["a"])


def test_a_hub_that_restarts_is_found_again(hub: Application, tmp_path: Path) -> None:
    broker = Broker()
    with subscribed(hub, tmp_path, broker):
        until(lambda: hub.connected, "connected")
        hub.stop()
        hub.share(entry("a"))
        hub.start()
        until(lambda: hub.connected and broker.ids() == ["a"], "back")
        shared = hub.share(entry("b"))
        until(lambda: (shared, 200) in hub.answers, "and listening")


@pytest.mark.parametrize("moves", [False, True])
def test_a_lease_is_renewed_before_it_ends(hub: Application, tmp_path: Path, moves: bool) -> None:
    """Under the same channel, or a new one that the hub gives."""
    hub.lease_s, hub.moves_channels = "1", moves
    broker = Broker()
    with subscribed(hub, tmp_path, broker):
        until(lambda: len(hub.forms) >= 3, "renewed, and again")
        until(lambda: hub.connected, "connected")
        assert all(form["hub.channel.endpoint"] for form in hub.forms[1:])
        until(lambda: (hub.share(entry("a")), 200) in hub.answers or "a" in broker.ids(), "listening")
    assert 1006 not in hub.closed


def test_a_denied_subscription_is_asked_for_again(hub: Application, tmp_path: Path) -> None:
    broker = Broker()
    with subscribed(hub, tmp_path, broker):
        until(lambda: hub.connected, "connected")
        hub.send(json.dumps({"hub.mode": "denied", "hub.topic": TOPIC, "hub.events": ""}))
        until(lambda: len(hub.forms) >= 2 and hub.connected, "again")


def test_other_events_are_answered_and_make_nothing(hub: Application, tmp_path: Path) -> None:
    """SyncError tells of somebody else's trouble, or of a request of ours that was refused."""
    broker = Broker()
    events = "diagnosticreport-open,diagnosticreport-update,syncerror,heartbeat,patient-open"
    with subscribed(hub, tmp_path, broker):
        until(lambda: hub.connected, "connected")
        next(iter(hub.subscriptions.values())).events = events
        outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "Doe^Jane"}]}
        told = [hub.tell("SyncError", {"context": [{"key": "operationoutcome", "resource": outcome}]})]
        told.append(hub.tell("heartbeat", {"context": [{"key": "period", "decimal": "10"}]}))
        told.append(hub.tell("Patient-open", {"context": []}))
        told.append(hub.tell("DiagnosticReport-update", {"hub.topic": "another", "context": [entry("x")]}))
        until(lambda: all((each, 200) in hub.answers for each in told), "answered")
        hub.send("no JSON")
        hub.send("[]")
        hub.send('{"id": "odd", "event": 5}')
        until(lambda: ("odd", 400) in hub.answers, "refused")
        shared = hub.share(entry("a"))
        until(lambda: (shared, 200) in hub.answers, "and still listening")
    assert broker.ids() == ["a"]


def test_a_selection_of_what_was_never_told_is_looked_up(hub: Application, tmp_path: Path) -> None:
    broker = Broker()
    with subscribed(hub, tmp_path, broker):
        until(lambda: hub.connected, "connected")
        with hub._lock:
            hub.content["ImagingSelection/a"] = entry("a")["resource"]
        selected = {"key": "select", "reference": {"reference": "ImagingSelection/a"}}
        hub.tell("DiagnosticReport-select", {"context": [hub.context[0], selected]})
        until(lambda: broker.ids() == ["a"], "looked up")


def test_only_the_hub_s_own_host_is_contacted(hub: Application, tmp_path: Path) -> None:
    settings = Fhircast(url=hub.url, topic=TOPIC)
    for endpoint in ("wss://elsewhere.example/x", "http://127.0.0.1/x", "ws://", "", None, 5):
        with pytest.raises(Unavailable, match="channel"):
            Hub(settings)._allowed(endpoint)
    allowing = Fhircast(url=hub.url, topic=TOPIC, channel_hosts=("elsewhere.example",))
    assert Hub(allowing)._allowed("wss://elsewhere.example/x") == "wss://elsewhere.example/x"
    encrypted = Fhircast(url="https://hub.example/", topic=TOPIC)
    with pytest.raises(Unavailable, match="no wss"):
        Hub(encrypted)._allowed("ws://hub.example/x")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-subj", "/CN=hub", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return cert, key


def test_an_encrypted_hub_must_show_a_certificate_that_is_trusted(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    with Application(tls=tls) as hub:
        hub.open("r1", "2.999.1")
        with pytest.raises(Unavailable, match="does not answer"):
            Hub(Fhircast(url=hub.url, topic=TOPIC)).context()
        broker = Broker()
        with subscribed(hub, tmp_path, broker, ca_file=str(certificate[0])):
            until(lambda: hub.connected, "connected")
            shared = hub.share(entry("a"))
            until(lambda: (shared, 200) in hub.answers, "answered")


def test_a_token_goes_to_the_hub_and_nowhere_else(
    hub: Application, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.token = "top-secret"
    with subscribed(hub, tmp_path, Broker(), token="top-secret"):
        until(lambda: hub.connected, "connected")
    with subscribed(hub, tmp_path, Broker(), token="wrong-secret"):
        until(lambda: "Bearer wrong-secret" in {each.get("authorization") for each in hub.headers}, "refused")
    assert "secret" not in "".join(capfd.readouterr())
