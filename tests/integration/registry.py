"""A real schema registry: Apicurio with Confluent's API, in memory, from its Maven artifact (about 110 MB,
kept in `.broker/`); or the one that SCHEMA_REGISTRY_URL names, which tests cannot pause.

Rules of this file: starting and stopping it; nothing of the product.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.broker import CACHE, MAVEN, NoBroker, fetch, free_port, java

VERSION = "3.0.9"  # the newest for a JDK 17
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
FOLDER = CACHE.parent / f"apicurio-{VERSION}"
START_S = 90.0


class SchemaRegistry:
    """`process` is None where it is not ours to pause."""

    def __init__(self, url: str, process: subprocess.Popen[bytes] | None = None) -> None:
        self.url = url
        self._process = process

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It takes connections and answers nothing."""
        assert self._process is not None, "unset SCHEMA_REGISTRY_URL: this test pauses the registry"
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def registry(folder: Path) -> Iterator[SchemaRegistry]:
    """Ready to be asked; its log goes to `folder`. Raises NoBroker."""
    if url := os.environ.get("SCHEMA_REGISTRY_URL"):
        yield SchemaRegistry(url)
        return
    jar = _jar()
    port = free_port()
    environment = {**os.environ, "QUARKUS_HTTP_HOST": "127.0.0.1", "QUARKUS_HTTP_PORT": str(port)}
    with (folder / "registry.log").open("wb") as log:
        command = [java(), "-Xmx512m", "-jar", str(jar)]
        process = subprocess.Popen(command, env=environment, cwd=jar.parent, stdout=log, stderr=log)
    try:
        _await(f"http://127.0.0.1:{port}/health/ready", process)
        yield SchemaRegistry(f"http://127.0.0.1:{port}/apis/ccompat/v7", process)
    finally:
        process.kill()
        process.wait()


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while True:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        if process.poll() is not None or time.monotonic() > until:
            raise NoBroker("the schema registry did not start")
        threading.Event().wait(0.05)  # what it needs to start is time


def _jar() -> Path:
    if not FOLDER.is_dir():
        java()
        maven = shutil.which("mvn")
        if not maven:
            raise NoBroker(
                "no schema registry for the tests: set SCHEMA_REGISTRY_URL, or install Maven and a JDK"
            )
        partial = CACHE.parent / f"registry-partial-{os.getpid()}"
        copy = ["dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={partial}"]
        if complaint := fetch([maven, *MAVEN, *copy], Path.cwd()):
            raise NoBroker(f"Maven could not fetch {ARTIFACT}: {complaint}")
        (archive,) = partial.glob("*.tar.gz")
        subprocess.run(["tar", "-xzf", str(archive), "-C", str(partial)], check=True)
        archive.unlink()
        partial.rename(FOLDER)
    return FOLDER / f"apicurio-registry-app-{VERSION}-runner.jar"
