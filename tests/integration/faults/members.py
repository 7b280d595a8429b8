"""Members of one group, forked from a process that has everything imported: a start costs milliseconds.

Rules of this file: the test's end of a process; what runs inside is `victim`'s.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from tests.integration.faults.victim import Wire, live
from tests.integration.site import PATIENCE_S

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.integration.faults.victim", "processors.fhir.releases"])

NEVER = Wire("")


class Member:
    """One process of the product; `alive`, `said` and `lines` are as `site.Program` has them."""

    def __init__(self, config: Path, log: Path, wire: Wire = NEVER) -> None:
        self.log = log
        self._told: dict[str, Any] = {}
        self._control: Connection
        self._control, theirs = _forks.Pipe()
        self._process = _forks.Process(target=live, args=(config, log, theirs, wire), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def gone(self, within_s: float) -> bool:
        self._process.join(within_s)
        return not self.alive

    @property
    def paused(self) -> bool:
        """By SIGSTOP; it is no child of this process, so the system is asked."""
        return self.alive and Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def ready(self) -> dict[tuple[str, int], int] | None:
        """Where it began to read; None: it died on the way there."""
        positions: dict[tuple[str, int], int] | None = self._tell("ready")
        return positions

    def set(self, wire: Wire) -> None:
        """From when this returns, unless the member is gone."""
        self._told.pop("records", None)
        self._say(wire)

    def accounted(self) -> int:
        """Records by disposition since its start."""
        self._told.pop("records", None)
        said: int | None = self._say("records")
        assert said is not None, f"{self.log.name} is gone\n{self.tail()}"
        return said

    def signal(self, which: signal.Signals) -> None:
        os.kill(self.pid, which)

    def wait(self) -> int:
        """Exit code; negative: the signal that ended it."""
        self._process.join(PATIENCE_S)
        code = self._process.exitcode
        assert code is not None, f"{self.log.name} still runs\n{self.tail()}"
        return code

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

    def tail(self) -> str:
        return "\n".join(self.lines()[-40:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.kill()
        self._control.close()
        if kind is not None:
            sys.stdout.write(f"---- {self.log.name}\n{self.tail()}\n")  # pytest shows it

    # ---- the line to the process ------------------------------------------------------------------------

    def _say(self, what: object) -> Any:
        try:
            self._control.send(what)
        except BrokenPipeError:
            return None
        return self._tell("records")

    def _tell(self, what: str) -> Any:
        until = time.monotonic() + PATIENCE_S
        while what not in self._told and time.monotonic() < until:
            try:
                if self._control.poll(0.1):
                    name, value = self._control.recv()
                    self._told.setdefault(name, value)
            except (EOFError, ConnectionResetError):
                return None
        assert what in self._told, f"{self.log.name} says nothing of {what}\n{self.tail()}"
        return self._told[what]
