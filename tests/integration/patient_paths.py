"""The ways by which something of a patient could get out of the program, each walked with marked records.

Rules of this file: a walk runs one command as its user does, at its most talkative, over records that have
the mark wherever a person's data may stand, and gives back all that was told beside the records' own values.
Neighbours answer with what they were sent, and worse. What may be told is the test's to say.
"""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from processors.avro.facts import decode_fact
from processors.settings import printable
from processors.settings.neighbours import Fhircast, FhirServer
from processors.settings.sections import Documents, Logging, Tracing
from tests.broker import free_port
from tests.builders.fhircast_hub import TOPIC, Hub
from tests.builders.images import STUDY, ct, encoded
from tests.builders.marked import MARK, Marked, records
from tests.builders.web_server import Reply, serving
from tests.integration.desk import Desk, called
from tests.integration.faults import laws
from tests.integration.site import PATIENCE_S, Program, Seen, Site, until
from tests.integration.test_tracing import Collector
from tests.unit.sinks.server import Server

EVERY = 9
"""The unit test of the pipeline has them all."""
FILES = 150


class Ward:
    """A site that has folded marked records; `told`: what that said, by path."""

    def __init__(self, site: Site) -> None:
        self.site, self.folder = site, site.folder
        site.settings = replace(site.settings, logging=Logging(level="debug"))
        self.records = [each for each in records() if not each.is_code][::EVERY]
        self.told: dict[str, str] = {}
        self._numbers = count()
        with Collector() as collector, serving(_lying) as archive:
            web = f"http://127.0.0.1:{archive.port}"
            self.config = self._configured(
                "site",
                tracing=Tracing(enabled=True, endpoint=collector.url),
                documents=Documents(allowed_hosts=("127.0.0.1",), fetch_timeout_s=1.0),
            )
            self._fold([*self.records, *_by_reference(web), *_sound()])
            self.told["traces"] = b"".join(collector.bodies).decode("latin-1")
        self.told["headers"] = repr([seen.headers for role in _OUTPUTS for seen in site.read(role)])
        self.told["facts"] = repr([decode_fact(seen.value or b"") for seen in site.read("analytics")])
        marked = self._marked()
        assert marked is not None, "no reference has the mark in its latest revision"
        self.reference = marked

    def program(self, *command: str, **sections: Any) -> Program:
        name = f"{'-'.join(command[:2])}-{next(self._numbers)}"
        config = self._configured(name, **sections)
        arguments = ["-m", "processors", *command, "--config", str(config)]
        return Program(self.folder / f"{name}.log", arguments)

    def ask(self, *command: str) -> str:
        """Of a command that ends: its exit code, standard output and error."""
        return "\n".join(map(str, called(*command, "--config", str(self.config))))

    def files(self, prefix: str = "") -> Path:
        """The records as a folder of files, whose names begin so."""
        folder = self.folder / f"files-{next(self._numbers)}"
        folder.mkdir()
        for number, each in enumerate(self.records[:FILES]):
            suffix = "json" if each.value[:1] == b"{" and not each.headers else "dcm"
            (folder / f"{prefix}{number}.{suffix}").write_bytes(each.value)
        (folder / f"{prefix}image.dcm").write_bytes(encoded(ct(1)))
        return folder

    def _configured(self, name: str, **sections: Any) -> Path:
        config = self.folder / f"{name}.toml"
        config.write_text(printable(replace(self.site.settings, **sections)), "utf-8")
        return config

    def _fold(self, sent: list[Marked]) -> None:
        desk, half = Desk(self.site), len(sent) // 2
        desk.send("instances", [(-1, None, each.value, list(each.headers)) for each in sent[:half]])
        desk.send("reports", [(-1, b"k", each.value, list(each.headers)) for each in sent[half:]])
        desk.send("instances", [(-1, None, encoded(ct(n)), [_TRACED]) for n in (1, 2)])
        log = self.folder / "run.log"
        with Program(log, ["-m", "processors", "run", "--config", str(self.config)]) as running:
            until(lambda: running.said('"restored"'), "ready", running)
            laws.no_lag(self.site)
            until(self._marked, "a reference that has the mark", running)
            asked = [desk.get(running, f"/{of}") for of in (f"series/{MARK}", f"references/{MARK}")]
            asked += [desk.get(running, "/series/2.999.1.2")]
            port = next(json.loads(line)["port"] for line in running.lines() if '"serving"' in line)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
                metrics = answer.read().decode()
            assert running.stop() == 0
        self.site.settled()
        self.told["run"] = running.log.read_text("utf-8") + metrics + repr(asked)

    def _marked(self) -> Seen | None:
        latest = {seen.key: seen for seen in self.site.read("fhir")}
        return next((seen for seen in latest.values() if MARK.encode() in (seen.value or b"")), None)


_OUTPUTS = ("fhir", "analytics", "dead_letters")
_TRACED = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def _lying(path: str) -> Reply:
    """An archive whose every answer quotes a name: in its body, its headers, where it sends us."""
    body = f"{MARK} is not here".encode()
    if "redirected" in path:
        return Reply(body, 302, {"Location": f"http://elsewhere.example/{MARK}"})
    return Reply(body, 404 if "missing" in path else 200, {f"X-{MARK}": MARK, "Content-Type": MARK})


def _by_reference(web: str) -> list[Marked]:
    said = {"event": "report.arrived", "source": "PACS", "occurred_at": "2026-01-02T11:00:00+01:00"}
    places = [f"{web}/{how}/{MARK}" for how in ("redirected", "missing", "no-object")]
    places += [f"file:/{MARK}", f"http://elsewhere.example/{MARK}", f"http://{MARK}:{MARK}@127.0.0.1/", MARK]
    told = [{**said, "event_id": str(number), "uri": place} for number, place in enumerate(places)]
    return [Marked("by reference", json.dumps(each).encode(), []) for each in told]


def _sound() -> list[Marked]:
    """What is published, with its words."""
    series = f"{STUDY}.77"
    image = {
        "event": "instance.arrived",
        "event_id": "77",
        "source": "CT1",
        "occurred_at": "2026-01-02T11:00:00+01:00",
        "study_instance_uid": STUDY,
        "series_instance_uid": series,
        "sop_instance_uid": f"{series}.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "series_description": MARK,
        "patient_id": MARK,
        "accession_number": MARK,
        "number_of_series_related_instances": 1,
    }
    shown = {key: image[key] for key in ("sop_instance_uid", "sop_class_uid")}
    performer = {"type": "Practitioner", "display": MARK}
    selection = {"selection_id": MARK, "text": MARK, "performer": performer, "instances": [shown]}
    said = {**image, "event": "selection.made", "event_id": "78", "selection": selection}
    return [Marked("sound", json.dumps(each).encode(), []) for each in (image, said)]


# ---- what an operator asks --------------------------------------------------------------------------------


def letters(ward: Ward) -> str:
    seen = ward.site.read("dead_letters")[0]
    told = [ward.ask("dead-letters", "list"), ward.ask("dead-letters", "list", "--json")]
    told += [ward.ask("dead-letters", "show", f"{seen.partition}/{seen.offset}")]
    told += [ward.ask("dead-letters", "redrive", "--code", "unknown_event", "--dry-run")]
    return "".join(told)


def explained(ward: Ward) -> str:
    reference_id = (ward.reference.key or b"").decode()
    return ward.ask("explain", reference_id, "--records") + ward.ask("explain", reference_id, "--json")


def closed_early(ward: Ward) -> str:
    return ward.ask("early-closes") + ward.ask("early-closes", "--json")


def replayed(ward: Ward) -> str:
    return ward.ask("replay-diff", "--from", "2020-01-01") + ward.ask(
        "replay-diff", "--from", "2020-01-01", "--json"
    )


def page(ward: Ward) -> str:
    """The page, the stream that keeps it up to date, metrics there are none, and its log."""
    with ward.program("dashboard", "--port", "0") as running:
        until(lambda: running.said("Live page: "), "serving", running)
        address = next(line for line in running.lines() if "Live page" in line).split()[2]
        until(lambda: "undecodable_record" in _fetched(address), "the dead letters", running)
        told = _fetched(address)
        with urllib.request.urlopen(f"{address}events", timeout=PATIENCE_S) as stream:
            told += "".join(stream.readline().decode() for _ in range(2))
        reference_id = (ward.reference.key or b"").decode()
        assert MARK in _fetched(f"{address}references/{reference_id}"), "its resource may say what it says"
        for nothing in (f"references/{MARK}", f"find?id={MARK}", MARK):
            _fetched(address + nothing)
        assert running.stop() == 0
        return told + running.log.read_text("utf-8")


def _fetched(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        return str(refused.read().decode())


def assembled(ward: Ward) -> str:
    """References beside: they are the values."""
    facts, put_aside = ward.folder / "facts.ndjson", ward.folder / "letters.ndjson"
    command = ["assemble", str(ward.files()), "--out", str(ward.folder / "out.ndjson")]
    told = called(*command, "--analytics", str(facts), "--dead-letters", str(put_aside), "--strict")
    return repr(told) + facts.read_text("utf-8") + put_aside.read_text("utf-8")


def published(ward: Ward) -> str:
    nowhere = replace(ward.site.settings, kafka={"bootstrap.servers": "127.0.0.1:1"})
    config = ward.folder / "nowhere.toml"
    config.write_text(printable(nowhere), "utf-8")
    told = ward.ask("publish", str(ward.files()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("processors.stream.broker.ANSWER_S", 0.3)
        return told + repr(called("publish", str(ward.files()), "--config", str(config)))


def drawn(ward: Ward) -> str:
    one = ward.folder / "reference.json"
    told = []
    broken = [ward.reference.value or b"", (ward.reference.value or b"")[:-9], f'{{"id": "{MARK}"}}'.encode()]
    broken += [json.dumps({"resourceType": MARK, "id": MARK, "instance": [{"uid": MARK}]}).encode()]
    for value in broken:
        one.write_bytes(value)
        told.append(
            called("render", str(one), "--images", str(ward.files()), "--out", str(ward.folder / "p.png"))
        )
    return repr(told)


# ---- sinks ------------------------------------------------------------------------------------------------


def to_a_server_that(*statuses: int) -> Callable[[Ward], str]:
    """Answers transactions with one after the other, the last again and again, and quotes what was sent."""

    def walk(ward: Ward) -> str:
        answers = list(statuses)
        with Server() as server, ExitStack() as held:
            server.before = lambda bundle: (
                0 if bundle["type"] == "batch" else answers.pop(0) if len(answers) > 1 else answers[0]
            )
            server.quotes = _outcome
            own = FhirServer(url=server.url, timeout_s=5.0, http_port=free_port())
            running = held.enter_context(ward.program("sink", "fhir", fhir_server=own, kafka=_anew(ward)))
            return _until_told(running, '"sink_refused"' if statuses[-1] == 422 else '"sink_unanswered"')

    return walk


def to_nobody(ward: Ward) -> str:
    own = FhirServer(url=f"http://127.0.0.1:{free_port()}/fhir", timeout_s=1.0)
    with ward.program("sink", "fhir", fhir_server=own, kafka=_anew(ward)) as running:
        return _until_told(running, '"sink_unanswered"')


def to_a_hub_that(status: int) -> Callable[[Ward], str]:
    def walk(ward: Ward) -> str:
        with Hub(quotes=True, refuse=lambda _: status) as hub:
            hub.open("r1", STUDY)
            own = Fhircast(url=hub.url, topic=TOPIC, timeout_s=5.0, kinds=("selection",))
            with ward.program("sink", "fhircast", fhircast=own, kafka=_anew(ward)) as running:
                return _until_told(running, '"sink_refused"' if status == 422 else '"sink_unanswered"')

    return walk


def _outcome(bundle: dict[str, Any]) -> dict[str, Any]:
    issue = {
        "severity": "error",
        "code": "invalid",
        "diagnostics": json.dumps(bundle),
        "details": {"text": MARK},
    }
    return {"resourceType": "OperationOutcome", "id": MARK, "issue": [issue]}


def _anew(ward: Ward) -> dict[str, Any]:
    """A group that has read nothing yet."""
    return {**ward.site.settings.kafka, "group.id": f"g-{uuid.uuid4()}"}


def _until_told(running: Program, event: str) -> str:
    until(lambda: running.said(event), event, running)
    assert running.stop() == 0
    return running.log.read_text("utf-8")
