"""`source hl7` on a real broker: acknowledged means published."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import hl7
from hl7.client import MLLPClient

from processors.settings.neighbours import Hl7
from tests.broker import KRaftBroker, _jars
from tests.integration.site import Program, Site, until
from tests.integration.source_program import says_nothing_of_a_patient, sent, source


def _source(site: Site) -> Program:
    return source(site, "hl7", hl7=Hl7(port=0, publish_timeout_s=2.0))


def _port(running: Program) -> int:
    until(lambda: running.said('"source_started"'), "started", running)
    lines = [json.loads(line) for line in running.lines() if '"source_started"' in line]
    return int(lines[-1]["place"].rpartition(":")[2])


def _merge(number: int, charset: str = "UNICODE UTF-8") -> str:
    head = f"MSH|^~\\&|RIS|H|IMG|H|20260102030405+0100||ADT^A40^ADT_A39|M{number}|P|2.5.1||||||{charset}"
    return f"{head}\rPID|1||NÉW{number}^^^HOSP||Doe^Jane\rMRG|OLD{number}^^^HOSP\r"


def _ask(client: MLLPClient, message: str, encoding: str = "utf-8") -> list[str]:
    """Code and control id of the acknowledgment."""
    answer = hl7.parse(client.send_message(message.encode(encoding)).strip(b"\x0b\x1c\r").decode(encoding))
    return [str(answer.segment("MSA")[1]), str(answer.segment("MSA")[2])]


def test_messages_are_acknowledged_once_the_broker_has_their_events(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    broker = KRaftBroker(_jars(), tmp_path / "broker")
    broker.start()
    try:
        site = Site(broker.bootstrap, "hl7", tmp_path)
        site.create(3)
        with _source(site) as running:
            with MLLPClient("127.0.0.1", _port(running)) as client:
                until(
                    lambda: _ask(client, _merge(1)) == ["AA", "M1"], "a new broker takes the first", running
                )
                assert _ask(client, _merge(2, "8859/1"), "latin-1") == ["AA", "M2"]
                assert _ask(client, _merge(3).partition("MRG")[0]) == ["AR", "M3"]
                assert _ask(client, _merge(4).replace("A40", "A01")) == ["AA", "M4"]
                broker.stop(signal.SIGKILL)
                assert _ask(client, _merge(5)) == ["AE", "M5"]
                broker.start()
                until(lambda: _ask(client, _merge(5)) == ["AA", "M5"], "taken again", running)
            with MLLPClient("127.0.0.1", _port(running)) as client:
                client.send(b"\x0bno message\x1c\r")
            until(lambda: running.said("no_message"), "said", running)
            assert running.stop() == 0
            assert says_nothing_of_a_patient(running)
        merged = {event["patient_id"]: event["prior_patient_id"] for event in sent(site)}
        assert merged == {"NÉW1": "OLD1", "NÉW2": "OLD2", "NÉW5": "OLD5"}
    finally:
        broker.stop()
