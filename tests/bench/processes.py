"""Processes that are measured from outside: what they and their children used, by `/proc` (Linux).

Rules of this file: starting, watching, ending; nothing of what they do.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

_TICKS_S = os.sysconf("SC_CLK_TCK")
BEGAN, READY = "began", "ready"
"""Lines that a job writes at its first record, and when its state is there."""
END_S = 60.0


class Heard(NamedTuple):
    """When a line was first written by any of them."""

    at: float
    """Monotonic."""
    cpu_s: float
    """Used by then."""


class Processes:
    """Those of one job."""

    def __init__(self, commands: Sequence[Sequence[str]], folder: Path, log: Path) -> None:
        self._commands, self._folder, self._log = commands, folder, log
        self._running: list[subprocess.Popen[str]] = []
        self._listeners: list[threading.Thread] = []
        self.heard: dict[str, Heard] = {}
        self.started_at = time.monotonic()

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            for command in self._commands:
                job = subprocess.Popen(
                    command, cwd=self._folder, stdout=subprocess.PIPE, stderr=log, text=True
                )
                self._running.append(job)
                self._listeners.append(threading.Thread(target=self._listen, args=(job,), daemon=True))
                self._listeners[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        for job in self._running:
            job.send_signal(signal.SIGTERM)
        for job in self._running:
            try:
                job.wait(END_S)
            except subprocess.TimeoutExpired:
                job.kill()
                job.wait()
        for listener in self._listeners:
            listener.join()

    def check(self) -> None:
        """Raises AssertionError if one has ended."""
        ended = [job.args for job in self._running if job.poll() is not None]
        assert not ended, f"{ended} ended: {self._log.read_text('utf-8', errors='replace')[-3000:]}"

    def cpu_s(self) -> float:
        """User and system time of all threads, ended children included."""
        return sum(sum(map(int, _stat(pid)[11:15])) for pid in self._pids()) / _TICKS_S

    def peak_mib(self) -> float:
        """The most that each has had resident, added up."""
        return sum(_peak_kib(pid) for pid in self._pids()) / 1024

    def _pids(self) -> list[int]:
        """With all living descendants."""
        found = [job.pid for job in self._running]
        for pid in found:
            children = Path(f"/proc/{pid}/task/{pid}/children")
            found += [int(child) for child in children.read_text("ascii").split()]
        return found

    def _listen(self, job: subprocess.Popen[str]) -> None:
        assert job.stdout is not None
        with job.stdout as lines:
            for line in lines:
                self.heard.setdefault(line.strip(), Heard(time.monotonic(), self.cpu_s()))


def _stat(pid: int) -> list[str]:
    """Fields of proc(5) from the third on."""
    return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()


def _peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
