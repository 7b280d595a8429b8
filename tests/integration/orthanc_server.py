"""A real Orthanc on loopback, with its DICOMweb plugin.

Rules of this file: starting and stopping it, and putting objects in; nothing of the product.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.broker import free_port
from tests.integration.site import PATIENCE_S, until

PLUGINS = Path("/usr/lib/orthanc")
USER, PASSWORD = "feeder", "s3cret"
AUTHORIZATION = {"Authorization": "Basic ZmVlZGVyOnMzY3JldA=="}


class OrthancServer:
    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        settings = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": self.port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "DicomServerEnabled": False,
            "StableAge": 1,
            "Plugins": [str(plugin) for plugin in PLUGINS.glob("libOrthancDicomWeb.so*")][:1],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings), "utf-8")

    def start(self) -> None:
        program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
        with (self.folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, str(self.folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT
            )
        until(self.answers, "Orthanc answers")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def answers(self) -> bool:
        try:
            return bool(self.ask("/system"))
        except OSError:
            return False

    def put(self, data: bytes) -> None:
        self.ask("/instances", data)

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, body, AUTHORIZATION)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return bytes(answer.read())


@contextmanager
def orthanc(folder: Path) -> Iterator[OrthancServer]:
    folder.mkdir()
    server = OrthancServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
