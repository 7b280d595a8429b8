"""A real Kafka for the integration tests, in the first of three ways that works (one fixture, one broker).

1. `KAFKA_BOOTSTRAP_SERVERS`: a broker that is already there; fault tests cannot stop it.
2. A Docker engine: testcontainers' KafkaContainer; fault tests cannot stop it either.
3. A JDK 17 and Maven: a KRaft broker of our own from its Maven artifacts (about 45 MB, kept in `.broker/`),
   whose process fault tests may stop, pause and kill.

Rules of this file: starting and stopping a broker; nothing of the product.
"""

from __future__ import annotations

import base64
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

KAFKA = "4.4.0"
CACHE = Path(__file__).parent.parent / ".broker" / KAFKA
START_S = 90.0
"""A cold JVM on a busy machine takes some 10 s."""
MAVEN = ("-q", "-B", "-U")
"""Quietly, asking nobody, and asking again for what could not be had a moment ago."""
_TRIES = 3
_PORTS = (15_000, 32_000)
_chance = random.SystemRandom()
"""Not Python's own, which Hypothesis seeds."""

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tests</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA}</version>
  </dependency></dependencies>
</project>
"""

_PROPERTIES = """process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={logs}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
log.cleaner.backoff.ms=1000
log.message.timestamp.after.max.ms=9223372036854775807
"""


class NoBroker(Exception):
    """No way to a broker; the text says what to install."""


class Broker:
    """An address; `process` is set only where the broker is ours to stop."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    @property
    def pid(self) -> int:
        raise NoBroker(
            "this test stops the broker: unset KAFKA_BOOTSTRAP_SERVERS, install a JDK 17 and Maven"
        )


class Place(NamedTuple):
    """Where a broker is: its two ports, and the cluster's id."""

    port: int
    controller: int
    cluster: str


def an_id() -> str:
    """As Kafka writes them. The first letter is fixed, since a leading "-" would be taken for an option."""
    return f"M{base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]}"


class KRaftBroker(Broker):
    """One broker and controller in one JVM, with its data under `folder`.

    `more`: further properties, the port as `{port}`, which win over those above; `format_with`: who is in the
    quorum, and further arguments of `kafka-storage format`; `client`: how to reach it, beside the address;
    `place`: where it is, of a cluster; `heap_mib`: of its JVM.
    """

    def __init__(
        self,
        jars: Path,
        folder: Path,
        more: str = "",
        format_with: Sequence[str] = ("--standalone",),
        client: Mapping[str, str | int | float | bool] | None = None,
        place: Place | None = None,
        heap_mib: int = 768,
    ) -> None:
        place = place or Place(free_port(), free_port(), an_id())
        port, controller = place.port, place.controller
        super().__init__(f"127.0.0.1:{port}")
        self._java = [java(), f"-Xmx{heap_mib}m", "-cp", f"{jars}/*"]
        self._properties = folder / "server.properties"
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._client = dict(client or {})
        text = _PROPERTIES + more  # of two lines for one property Java takes the later
        text = text.format(port=port, controller=controller, logs=folder / "logs")
        self._properties.write_text(text, encoding="ascii")
        tool = [
            "kafka.tools.StorageTool",
            "format",
            "-t",
            place.cluster,
            "-c",
            str(self._properties),
            *format_with,
        ]
        done = subprocess.run([*self._java, *tool], check=False, capture_output=True)
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Returns when the broker answers; raises NoBroker with the end of its log if it does not."""
        self.launch()
        self.await_answer()

    def launch(self) -> None:
        """One of a cluster answers only once most of them run."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._properties)], stdout=log, stderr=subprocess.STDOUT
            )

    def await_answer(self) -> None:
        assert self._process is not None
        until = time.monotonic() + START_S
        while not answers(self.bootstrap, more=self._client):
            if self._process.poll() is not None or time.monotonic() > until:
                raise NoBroker(f"the local broker did not start: {self._log.read_text()[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self.begin_to_stop(how)
            try:
                self._process.wait(START_S)
            except subprocess.TimeoutExpired:  # what it has to hand over nobody takes
                self._process.kill()
                self._process.wait()
            self._process = None

    def begin_to_stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """A broker that is told to stop hands over what it leads, which takes a while; `stop` awaits it."""
        assert self._process is not None
        self._process.send_signal(how)


def answers(
    bootstrap: str, within_s: float = 5.0, more: Mapping[str, str | int | float | bool] | None = None
) -> bool:
    own: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap, "log_level": 0}
    own["reconnect.backoff.max.ms"] = 200
    try:
        admin = AdminClient({**own, **(more or {})})
        return bool(admin.list_topics(timeout=within_s).brokers)
    except KafkaException:
        return False


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """The session's broker; `folder` is empty and for its data."""
    if bootstrap := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        if not answers(bootstrap, 10.0):
            raise NoBroker(f"KAFKA_BOOTSTRAP_SERVERS={bootstrap} does not answer")
        yield Broker(bootstrap)
    elif _docker():
        from testcontainers.kafka import KafkaContainer

        with KafkaContainer("confluentinc/cp-kafka:8.0.0").with_kraft() as container:
            yield Broker(container.get_bootstrap_server())
    else:
        local = KRaftBroker(_jars(), folder)
        local.start()
        try:
            yield local
        finally:
            local.stop()


def _docker() -> bool:
    found = shutil.which("docker")
    return (
        found is not None
        and subprocess.run([found, "info"], capture_output=True, check=False).returncode == 0
    )


def java() -> str:
    found = shutil.which("java")
    if not found:
        raise NoBroker(
            "no broker for the tests: set KAFKA_BOOTSTRAP_SERVERS, or start a Docker engine, "
            "or install a JDK 17 and Maven (apt install openjdk-17-jdk-headless maven)"
        )
    return found


def _jars() -> Path:
    """The broker's jars, fetched once a checkout."""
    there = CACHE / "jars"
    if there.is_dir():
        return there
    java()
    maven = shutil.which("mvn")
    if not maven:
        raise NoBroker("no broker for the tests: install Maven (apt install maven) beside the JDK")
    CACHE.mkdir(parents=True, exist_ok=True)
    partial = CACHE / f"partial-{os.getpid()}"
    (CACHE / "pom.xml").write_text(_POM, encoding="ascii")
    copy = ["dependency:copy-dependencies", f"-DoutputDirectory={partial}"]
    if complaint := fetch([maven, *MAVEN, *copy], CACHE):
        raise NoBroker(f"Maven could not fetch Kafka {KAFKA}: {complaint}")
    partial.rename(there)
    return there


def fetch(command: Sequence[str], folder: Path) -> str:
    """What a command that downloads complains of in the end; empty: it went well, if not at once."""
    complaint = ""
    for _ in range(_TRIES):
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        if done.returncode == 0:
            return ""
        said = (done.stdout + done.stderr).decode(errors="replace")
        complaint = f"exit code {done.returncode}: {said[-500:]}"
    return complaint


def free_port() -> int:
    """For one who binds it later. Not of those that the system gives away (from 32768 on): it might give the
    same one to the next who asks for any, or to a connection.
    """
    while True:
        port = _chance.randrange(*_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
