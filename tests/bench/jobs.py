"""Who does the job: this project with one or more workers, Kafka Streams, Quix Streams. How each is started.

The job: deduplicate instances, keep state with a changelog, emit each series with its count once it has been
quiet for QUIET_S, exactly once. This project does more (FHIR, facts, every rule), the others just that.

Rules of this file: commands, topics and what an output record says; no measuring.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from confluent_kafka.admin import NewTopic

from processors.avro.facts import decode_fact
from processors.settings import printable
from processors.settings.sections import Completeness
from tests.bench.inputs import PARTITIONS
from tests.bench.load import Form
from tests.broker import KAFKA, NoBroker, java
from tests.integration.site import Site

QUIET_S = 2.0
"""Much longer than a series' instances are apart, so that each is closed once."""
QUIX = "quixstreams==3.28.1"
_SOURCES = Path(__file__).parent


class Emitted(NamedTuple):
    series_instance_uid: str
    images: int


class Job(Protocol):
    name: str
    form: Form
    """Of its input."""
    wall_clock: bool
    """Its quiet clock is the wall clock also over a backlog, so that a run ends a quiet time later."""
    ticked: bool
    """Its clock is that of its records: it needs one in each partition now and then."""

    def commands(self, site: Site, topic: str) -> list[list[str]]:
        """Processes that read `topic`; their output topics are made."""
        ...

    def output(self, site: Site) -> str:
        """Topic of what is emitted."""
        ...

    def emitted(self, key: bytes, value: bytes) -> Emitted: ...


class Ours:
    """`imaging-reference run`, all of it."""

    wall_clock = ticked = False

    def __init__(self, workers: int, avro: bool = False) -> None:
        self.name = f"run, {workers} worker{'s' * (workers > 1)}{', Avro' * avro}"
        self.form: Form = "avro" if avro else "json"
        self._workers = workers

    def commands(self, site: Site, topic: str) -> list[list[str]]:
        site.create(PARTITIONS)
        settings = msgspec.structs.replace(
            site.settings,
            topics=msgspec.structs.replace(site.settings.topics, instances=topic),
            completeness=Completeness(quiet_s=QUIET_S),
        )
        config = site.folder / "settings.toml"
        config.write_text(printable(settings), "utf-8")
        told = [json.dumps({"config": str(config), "worker": worker}) for worker in range(self._workers)]
        return [[sys.executable, "-m", "tests.bench.member", each] for each in told]

    def output(self, site: Site) -> str:
        return site.topic("analytics")

    def emitted(self, key: bytes, value: bytes) -> Emitted:
        fact = decode_fact(value)
        return Emitted(fact["series_instance_uid"], fact["instance_count"])


class KafkaStreams:
    wall_clock, ticked = True, False
    form: Form = "json"

    def __init__(self, classes: Path, threads: int) -> None:
        self.name = f"Kafka Streams, {threads} thread{'s' * (threads > 1)}"
        self._classes, self._threads = classes, threads

    def commands(self, site: Site, topic: str) -> list[list[str]]:
        _create(site)
        told = (site.bootstrap, site.suffix, topic, site.suffix, self._threads, round(QUIET_S * 1000))
        where = [java(), "-cp", f"{self._classes}:{self._classes}/*", "QuietSeries"]
        return [[*where, *map(str, told), str(site.folder / "state")]]

    def output(self, site: Site) -> str:
        return site.suffix

    def emitted(self, key: bytes, value: bytes) -> Emitted:
        return Emitted(key.decode(), int(value))


class Quix:
    wall_clock, ticked = False, True
    form: Form = "by series"

    def __init__(self, python: Path) -> None:
        self.name = "Quix Streams"
        self._python = python

    def commands(self, site: Site, topic: str) -> list[list[str]]:
        _create(site)
        told = {
            "bootstrap": site.bootstrap,
            "group": site.suffix,
            "from": topic,
            "to": site.suffix,
            "quiet_ms": round(QUIET_S * 1000),
            "state": str(site.folder / "state"),
        }
        return [[str(self._python), str(_SOURCES / "quix_job.py"), json.dumps(told)]]

    def output(self, site: Site) -> str:
        return site.suffix

    def emitted(self, key: bytes, value: bytes) -> Emitted:
        return Emitted(key.decode(), int(value))


def _create(site: Site) -> None:
    site.admin.create_topics([NewTopic(site.suffix, PARTITIONS)])[site.suffix].result()


def built_kafka_streams(folder: Path) -> Path:
    """The Java job compiled, with its jars beside it. Raises NoBroker if there is no JDK or Maven."""
    classes = folder / "kafka_streams"
    shutil.copytree(_SOURCES / "kafka_streams", classes)
    compiler, maven = shutil.which("javac"), shutil.which("mvn")
    if compiler is None or maven is None:
        raise NoBroker("Kafka Streams needs a JDK 17 and Maven (apt install openjdk-17-jdk-headless maven)")
    fetch = [maven, "-q", "-B", "dependency:copy-dependencies", f"-Dkafka={KAFKA}", "-DoutputDirectory=."]
    _built("Kafka Streams' jars", fetch, classes)
    _built("the job of Kafka Streams", [compiler, "-cp", "*", "QuietSeries.java"], classes)
    return classes


def installed_quix(folder: Path) -> Path:
    """The Python of a virtual environment of its own, from the usual package index."""
    venv.create(folder / "quix", with_pip=True)
    python = folder / "quix" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", QUIX]
    _built(QUIX, install, folder)
    return python


def _built(what: str, command: list[str], folder: Path) -> None:
    """Raises NoBroker with the end of what the command said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoBroker(f"{what} could not be made: {(done.stdout + done.stderr)[-1000:]}")
