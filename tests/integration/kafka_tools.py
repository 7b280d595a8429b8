"""Kafka's own tools and Connect from their Maven artifacts (about 42 MB, kept in `.broker/`).

Rules of this file: fetching them and saying how they are called; no broker, nothing of the product.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.broker import CACHE, MAVEN, NoBroker, fetch, java

VERSION = "4.2.0"  # of connect-file the newest to be had
FOLDER = CACHE.parent / f"kafka-tools-{VERSION}"
CONNECT = "org.apache.kafka.connect.cli.ConnectStandalone"
TOOLS = {
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
}
"""Script of Kafka's `bin` → what it starts."""
_DEPENDENCY = (
    "<dependency><groupId>org.apache.kafka</groupId>"
    f"<artifactId>{{}}</artifactId><version>{VERSION}</version></dependency>"
)


def tool(main: str) -> list[str]:
    """The command that starts one; raises NoBroker where there is no JDK or no Maven."""
    return [java(), "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{_jars()}/*", main]


def connect_file() -> Path:
    """The file connector's jar."""
    return _jars() / f"connect-file-{VERSION}.jar"


def _jars() -> Path:
    if FOLDER.is_dir():
        return FOLDER
    maven = shutil.which("mvn")
    if not maven:
        raise NoBroker("no Maven to fetch Kafka's tools with (apt install maven)")
    partial = CACHE.parent / f"kafka-tools-partial-{os.getpid()}"
    partial.mkdir(parents=True)
    wanted = "".join(map(_DEPENDENCY.format, ("connect-runtime", "connect-file", "kafka-tools")))
    (partial / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>tests</groupId><artifactId>tools</artifactId><version>1</version>"
        f"<dependencies>{wanted}</dependencies></project>",
        "ascii",
    )
    copy = ["dependency:copy-dependencies", f"-DoutputDirectory={partial / 'jars'}"]
    if complaint := fetch([maven, *MAVEN, *copy], partial):
        raise NoBroker(f"Maven could not fetch Kafka {VERSION}: {complaint}")
    (partial / "jars").rename(FOLDER)
    shutil.rmtree(partial)
    return FOLDER
