"""A site for one test: its topics, what is sent to them, what a read_committed reader sees, its members.

Rules of this file: the outside of the product only: topics, and processes running `member.py`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from processors.schema_files import topic_specs
from processors.stream.topics import Topics, Wanted

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 30.0
"""A test gives up after so long; nothing depends on how fast things happen before."""

DEFAULTS = {
    "instances": "dicom-instances",
    "reports": "dicom-reports",
    "intake": "imaging-reference-intake",
    "changelog": "imaging-reference-changelog",
    "fhir": "fhir-imaging-references",
    "analytics": "analytics-imaging-references",
    "dead_letters": "imaging-reference-dead-letters",
}


@dataclass(frozen=True)
class Names:
    """Topic names of one test: the defaults with a suffix."""

    suffix: str

    def of(self, role: str) -> str:
        return f"{DEFAULTS[role]}-{self.suffix}"


class Seen(NamedTuple):
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Site:
    def __init__(self, bootstrap: str, names: Names, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.names = names
        self.folder = folder
        self.kafka: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap}
        self.admin = AdminClient(self.kafka)
        self.wanted = tuple(Wanted(names.of(r), topic_specs()[d]) for r, d in DEFAULTS.items())

    def create(self, partitions: int) -> None:
        Topics(self.kafka, self.wanted).create(partitions)

    def send(
        self, role: str, records: Iterable[tuple[bytes | None, bytes | None]], partition: int = -1
    ) -> None:
        """Partition -1: by the key, as a Java producer does."""
        config: dict[str, str | int | float | bool] = {"partitioner": "murmur2_random", "linger.ms": 1}
        producer = Producer(self.kafka | config)
        for key, value in records:
            producer.produce(self.names.of(role), value, key, partition)
        assert producer.flush(PATIENCE_S) == 0

    def read(self, role: str) -> list[Seen]:
        """All that a read_committed reader sees by now, partition by partition."""
        own = {
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
        consumer = Consumer(self.kafka | own)
        topic = self.names.of(role)
        partitions = consumer.list_topics(topic, PATIENCE_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        seen: list[Seen] = []
        ended: set[int] = set()
        while len(ended) < len(partitions):
            for message in consumer.consume(10_000, 0.2):
                partition, offset = message.partition(), message.offset()
                assert partition is not None
                assert offset is not None
                if message.error():
                    ended.add(partition)
                else:
                    seen.append(Seen(partition, offset, message.key(), message.value()))
        consumer.close()
        return sorted(seen, key=lambda each: each[:2])

    def committed(self, role: str, group: str = "group") -> dict[int, int]:
        consumer = Consumer(self.kafka | {"group.id": f"{group}-{self.names.suffix}"})
        topic = self.names.of(role)
        count = len(consumer.list_topics(topic, PATIENCE_S).topics[topic].partitions)
        found = consumer.committed([TopicPartition(topic, p) for p in range(count)], PATIENCE_S)
        consumer.close()
        return {part.partition: part.offset for part in found}

    def member(self, name: str = "a", **more: object) -> Member:
        return Member(self, name, more)


class Member:
    """The product's loop in a process of its own; standard error is kept in a file and shown on failure."""

    def __init__(self, site: Site, name: str, more: dict[str, object]) -> None:
        self.log = site.folder / f"{name}.log"
        self._arguments = json.dumps(
            {
                "kafka": {**site.kafka, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500},
                "suffix": site.names.suffix,
                "member": name,
                "state": str(site.folder / f"state-{name}"),
                **more,
            }
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        command = [sys.executable, "-m", "tests.integration.member", self._arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        return self

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, which)

    def wait(self) -> int:
        """Exit code; negative: the signal that ended it."""
        assert self._process is not None
        return self._process.wait(PATIENCE_S)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def said(self, text: str) -> bool:
        return text in self.log.read_text("utf-8", errors="replace")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def until(reached: object, what: str, member: Member | None = None) -> None:
    """Wait for an outcome by asking again and again; fails after PATIENCE_S with the member's log."""
    assert callable(reached)
    end = time.monotonic() + PATIENCE_S
    while not reached():
        if time.monotonic() > end:
            log = member.log.read_text("utf-8", errors="replace")[-4000:] if member else ""
            raise AssertionError(f"not reached in {PATIENCE_S} s: {what}\n{log}")
