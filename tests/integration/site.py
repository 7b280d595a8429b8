"""A site for one test: its topics, what is sent to them, what a read_committed reader sees, its members.

Rules of this file: the outside of the product only: topics, and processes running `member.py`.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol, Self, TypeVar

import msgspec
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from processors.settings import Settings
from processors.settings.sections import Completeness, Http, State, Topics
from processors.stream import topics
from processors.stream.client import PARTITION_EOF
from processors.stream.offsets import told
from processors.stream.topics import TOPICS

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 90.0
"""A test gives up after so long; nothing depends on how fast things happen before."""
LOOK_S = 0.01
"""Between two looks: a test that only looks would take its processor from what it waits for."""
TAIL = 4_000
"""Characters of a log that are shown with a failure."""

ROLES = TOPICS
"""Keys of `[topics]`."""


class Seen(NamedTuple):
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class Site:
    def __init__(self, bootstrap: str, suffix: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.suffix = suffix
        self.folder = folder
        self.names: dict[str, str] = {}
        """Of topics that are not named after the suffix, by their keys."""
        self.kafka: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap}
        self.admin = AdminClient(self.kafka)
        self.settings = Settings(
            kafka={**self.kafka, "group.id": f"group-{suffix}"},
            topics=msgspec.convert({role: self.topic(role) for role in ROLES}, Topics),
            completeness=Completeness(quiet_s=1.0),
            state=State(dir=str(folder / "state")),
            http=Http(port=0),
        )

    def topic(self, role: str) -> str:
        """Name of a topic by its key in `[topics]`."""
        return self.names.get(role, f"{role}-{self.suffix}")

    def with_names(self, **names: str) -> Site:
        """The same site, some of whose topics are others."""
        other = Site(self.bootstrap, self.suffix, self.folder)
        other.names = names
        named = msgspec.convert({role: other.topic(role) for role in ROLES}, Topics)
        other.settings = msgspec.structs.replace(self.settings, topics=named)
        return other

    def create(self, partitions: int) -> None:
        topics.Topics(self.kafka, topics.wanted(self.settings)).create(partitions)

    def send(
        self, role: str, records: Iterable[tuple[bytes | None, bytes | None]], partition: int = -1
    ) -> None:
        """Partition -1: by the key, as a Java producer does."""
        config: dict[str, str | int | float | bool] = {"partitioner": "murmur2_random", "linger.ms": 1}
        config["message.max.bytes"] = 16 * 1024 * 1024
        producer = Producer(self.kafka | config)
        for key, value in records:
            try:
                producer.produce(self.topic(role), value, key, partition)
            except BufferError:  # no more may wait to be sent
                assert producer.flush(PATIENCE_S) == 0
                producer.produce(self.topic(role), value, key, partition)
        assert producer.flush(PATIENCE_S) == 0

    def read(self, role: str) -> list[Seen]:
        """All that a read_committed reader sees by now, partition by partition. Of one transaction it may see
        the records of one partition a moment before those of another (`settled`).
        """
        own = {
            "group.id": "reader",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 1,  # the word that nothing follows is what is waited for
        }
        consumer = Consumer(self.kafka | own)
        topic, count = self.topic(role), self.partitions(role, consumer)
        consumer.assign([TopicPartition(topic, p, 0) for p in range(count)])
        seen: list[Seen] = []
        ended: set[int] = set()
        until_s = time.monotonic() + PATIENCE_S
        while len(ended) < count:
            assert time.monotonic() < until_s, f"{topic}: of {count} partitions only {ended} were read"
            for message in consumer.consume(1_000, 0.02):
                partition, offset, error = message.partition(), message.offset(), message.error()
                assert partition is not None
                assert offset is not None
                if error is not None and error.code() == PARTITION_EOF:
                    ended.add(partition)
                elif error is not None:
                    assert error.code() in MOVING, f"{topic} [{partition}]: {error.str()}"
                else:
                    said = message.headers() or []
                    assert isinstance(said, list)
                    headers = {name: value if isinstance(value, bytes) else b"" for name, value in said}
                    seen.append(Seen(partition, offset, message.key(), message.value(), headers))
        consumer.close()
        return sorted(seen, key=lambda each: each[:2])

    def partitions(self, role: str, client: Consumer | AdminClient | None = None) -> int:
        """How many the topic has."""
        topic, client = self.topic(role), client or self.admin

        def said() -> int:
            found = client.list_topics(topic, timeout=PATIENCE_S).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            return len(found.partitions)

        return answered(said)

    def ends(
        self, roles: Iterable[str], isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> dict[tuple[str, int], int]:
        """Topic and partition → the offset after the last record, or after the last that readers see."""

        def said() -> dict[tuple[str, int], int]:
            admin = AdminClient(self.kafka)  # a new one: it is not to remember an earlier leader
            places = [(self.topic(role), p) for role in roles for p in range(self.partitions(role, admin))]
            asked = {TopicPartition(*place): _LATEST for place in places}
            futures = admin.list_offsets(asked, isolation_level=isolation, request_timeout=PATIENCE_S)
            return {(part.topic, part.partition): future.result().offset for part, future in futures.items()}

        return answered(said)

    def settled(self, *roles: str, patience_s: float = PATIENCE_S) -> None:
        """Returns when no transaction hides records of these topics from readers; by default of all.

        A transaction is committed before its partitions say so, and each says so by itself.
        """
        asked = roles or ROLES
        until(
            lambda: self.ends(asked, IsolationLevel.READ_COMMITTED) == self.ends(asked),
            "no open transaction",
            patience_s=patience_s,
            found=lambda: (self.ends(asked, IsolationLevel.READ_COMMITTED), self.ends(asked)),
        )

    def committed(self, role: str, group: str = "group") -> dict[int, int]:
        return self.committed_by(f"{group}-{self.suffix}", role)

    def committed_by(self, group: str, role: str) -> dict[int, int]:
        """Partition → offset, by a group's full name."""
        consumer = Consumer(self.kafka | {"group.id": group})
        topic = self.topic(role)
        asked = [TopicPartition(topic, p) for p in range(self.partitions(role, consumer))]
        found = answered(lambda: told(consumer.committed(asked, PATIENCE_S)))
        consumer.close()
        return {part.partition: part.offset for part in found}

    def member(
        self, name: str = "a", kafka: Mapping[str, object] | None = None, log: str = "", **more: object
    ) -> Program:
        """The loop around the register (`member.py`); `more`: further arguments of it."""
        told = {
            "kafka": {
                **self.kafka,
                "session.timeout.ms": 6000,
                "heartbeat.interval.ms": 500,
                **(kafka or {}),
            },
            "suffix": self.suffix,
            "member": name,
            "state": str(self.folder / f"state-{name}"),
            **more,
        }
        command = ["-m", "tests.integration.member", json.dumps(told)]
        return Program(self.folder / f"{log or name}.log", command)


class Program:
    """A Python process; both its outputs go to `log`, whose end is shown when a test fails in its block."""

    def __init__(self, log: Path, arguments: list[str]) -> None:
        self.log = log
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments], cwd=ROOT, stdout=log, stderr=log
            )
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(which)

    def wait(self) -> int:
        """Exit code; negative: the signal that ended it."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(PATIENCE_S)
        raise AssertionError(f"{self.log.name} still runs after {PATIENCE_S} s\n{tail(self)}")

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        if self.alive:
            self.signal(signal.SIGKILL)
            self.wait()

    def lines(self) -> list[str]:
        return self.log.read_text("utf-8", errors="replace").splitlines()

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.kill()
        if kind is not None:
            sys.stdout.write(f"---- {self.log.name}\n{tail(self)}\n")  # pytest shows it


class Logged(Protocol):
    @property
    def log(self) -> Path: ...


def tail(member: Logged | None) -> str:
    """The end of its log."""
    return member.log.read_text("utf-8", errors="replace")[-TAIL:] if member else ""


Answer = TypeVar("Answer")
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]

MOVING = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
}
"""Another broker answers in a moment, or this one when it has come up."""


def answered(question: Callable[[], Answer]) -> Answer:
    """What the broker says, asked again while what it is asked of moves to another."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return question()
        except KafkaException as failed:
            if failed.args[0].code() not in MOVING or time.monotonic() > end:
                raise
        threading.Event().wait(LOOK_S)


def until(
    reached: object,
    what: str,
    member: Logged | None = None,
    patience_s: float = PATIENCE_S,
    found: Callable[[], object] = str,
) -> None:
    """Wait for an outcome by asking again and again; fails after `patience_s` with what there is instead
    (`found`) and the member's log.
    """
    assert callable(reached)
    end = time.monotonic() + patience_s
    while not reached():
        if time.monotonic() > end:
            raise AssertionError(f"not reached in {patience_s} s: {what}\n{found()}\n{tail(member)}")
        threading.Event().wait(LOOK_S)
