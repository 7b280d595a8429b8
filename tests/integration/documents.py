"""The commands of the README and of deploy/: what is written there, and a shell in which it is run.

Rules of this file: finding commands and running them as a reader would; what a page needs is the test's.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

from tests.integration.site import PATIENCE_S, ROOT, until

PAGES = [ROOT / "README.md", *sorted((ROOT / "deploy").glob("*.md"))]
_FENCED = re.compile(r"^ *```(?:console|sh|bash)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (?:((?!.*<<').*)|(.*<<'(?P<end>\w+)'\n(?:.*\n)*?(?P=end))$)", re.MULTILINE)


def commands(page: Path) -> Iterator[str]:
    """Each command of a page, with the lines of its here-document; what it printed is left out."""
    for block in _FENCED.findall(page.read_text("utf-8")):
        for found in _COMMAND.finditer(dedent(block)):
            yield found[0].removeprefix("$ ")


class Shell:
    """A fresh folder with the program on the PATH; `written`: what stands in the pages → what it is here."""

    def __init__(self, folder: Path, written: Mapping[str, str]) -> None:
        self.folder = folder
        self.written = dict(written)
        self._lasting: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        tools = folder / "bin"
        tools.mkdir()
        self.put_on_path("imaging-reference", sys.executable, "-m", "processors")
        self._environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "HOME": str(folder),
            "COLUMNS": "120",
        }

    def put_on_path(self, name: str, *command: str) -> None:
        tool = self.folder / "bin" / name
        quoted = " ".join(f"'{word}'" for word in command)
        tool.write_text(f'#!/bin/sh\nexec {quoted} "$@"\n', "utf-8")
        tool.chmod(0o755)

    def run(self, command: str) -> str:
        """All that it says; fails unless its exit code is 0."""
        done = self._run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def succeeds(self, command: str) -> bool:
        return self._run(command).returncode == 0

    def _run(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.here(command)],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE_S,
            check=False,
        )

    def start(self, command: str, says: str) -> None:
        """A command that stays, until it says that it is there; `stop` ends it."""
        log = self.folder / f"{uuid4().hex}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {self.here(command)}"],
                cwd=self.folder,
                env=self._environment,
                stdout=out,
                stderr=out,
            )
        self._lasting.append((command, process, log))
        until(lambda: says in log.read_text("utf-8"), f"{command}: {says}", _Log(log))

    def stop(self) -> None:
        """Ends what stays, as its reader would; each must end well."""
        staying, self._lasting = self._lasting, []
        for _, process, _ in staying:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(PATIENCE_S) for _, process, _ in staying]
        for (command, _, log), code in zip(staying, codes, strict=True):
            assert code == 0, f"{command}: exit code {code}\n{log.read_text('utf-8')}"

    def kill(self) -> None:
        for _, process, _ in self._lasting:
            process.kill()
            process.wait()
        self._lasting = []

    def here(self, command: str) -> str:
        for there, here in self.written.items():
            command = command.replace(there, here)
        return command


class _Log:
    def __init__(self, log: Path) -> None:
        self.log = log
