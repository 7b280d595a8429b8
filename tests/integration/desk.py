"""An operator's desk: the settings of a running site, its commands, its topics as they are.

Rules of this file: what tests of commands and of the live page share; no test.
"""

from __future__ import annotations

import io
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from processors.cli import main
from processors.settings import Settings, load, printable
from tests.integration.site import PATIENCE_S, Program, Site

STUDY = "1.2.840.99999.7"
SLOW = 'override = [{source = "SLOW", quiet_s = 300.0, hard_stop_s = 600.0}]'
Sent = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes]]]
"""Partition, key, value, headers."""


def called(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command that runs in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("argv", ["imaging-reference", *arguments]), ("stdout", out), ("stderr", err)):
            patch.setattr(sys, name, value)
        with pytest.raises(SystemExit) as ended:
            main()
    said = [each.buffer.getvalue().decode() for each in (out, err)]
    return int(ended.value.code or 0), said[0], said[1]


class Desk:
    """An operator's desk: the settings file, and commands run with it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.config = site.folder / "settings.toml"
        self.config.write_text(printable(site.settings).replace("override = []", SLOW), "utf-8")
        self.settings: Settings = load(self.config, {})

    def run(self) -> Program:
        return Program(
            self.site.folder / "run.log", ["-m", "processors", "run", "--config", str(self.config)]
        )

    def ask(self, *arguments: str, exit_code: int = 0) -> str:
        """Standard output of a command; of one that fails, standard error."""
        code, out, err = called(*arguments, "--config", str(self.config))
        assert code == exit_code, err
        return err if exit_code else out

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.ask(*arguments, "--json").splitlines()]

    def send(self, role: str, sent: Sequence[Sent]) -> None:
        producer = Producer({**self.site.kafka, "linger.ms": 1})
        for partition, key, value, headers in sent:
            producer.produce(self.site.topic(role), value, key, partition, headers=list(headers))
        assert producer.flush(PATIENCE_S) == 0

    def read(self, role: str) -> list[Sent]:
        """All records, partition by partition, with their headers; no transaction hides any."""
        self.site.settled(role)
        own = {"group.id": "desk", "enable.auto.commit": False, "isolation.level": "read_committed"}
        consumer = Consumer({**self.site.kafka, **own})
        found: list[Sent] = []
        for seen in self.site.read(role):
            consumer.assign([TopicPartition(self.site.topic(role), seen.partition, seen.offset)])
            message = consumer.poll(PATIENCE_S)
            assert message is not None
            assert message.error() is None, message.error()
            headers = message.headers() or []
            assert isinstance(headers, list)
            said = [(name, value) for name, value in headers if isinstance(value, bytes)]
            found.append((seen.partition, seen.key, seen.value, said))
        consumer.close()
        return found

    def get(self, running: Program, path: str) -> tuple[int, Any]:
        """An answer of the running program's `[http]`."""
        port = next(json.loads(line)["port"] for line in running.lines() if '"serving"' in line)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)


def image(series: int, number: int, **more: object) -> bytes:
    uid = f"{STUDY}.{series}"
    said = {
        "event": "instance.arrived",
        "event_id": f"{series}.{number}",
        "source": "CT1",
        "occurred_at": f"2024-03-11T09:15:{number:02}Z",
        "study_instance_uid": STUDY,
        "series_instance_uid": uid,
        "sop_instance_uid": f"{uid}.{number}",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "modality": "CT",
        "patient_id": "SECRET-42",
        "series_description": "SECRET words",
    }
    return json.dumps(said | more).encode()
