"""A member of the group as a process with a tripwire: the product's own loop, and a place where it dies.

Rules of this file: what runs inside the process. The loop tells its steps (`stream.wiring`); what it asks of
its producer is seen at the client itself, by a subclass that does the same and tells. The other end of
`control` may set the tripwire and ask for the counters; when it closes, the process ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Producer

from processors import telemetry
from processors.errors import OperatorError
from processors.settings import load
from processors.stream import transaction
from processors.stream.loop import Loop
from processors.stream.runner import wiring_of


class Wire(NamedTuple):
    """The n-th pass of a step from now on; `how` is SIGKILL, SIGSTOP for a zombie in the making, or so many
    seconds of work, as a slow document takes them.
    """

    step: str
    passes: int = 1
    how: signal.Signals | float = signal.SIGKILL


class Tripwire:
    def __init__(self) -> None:
        self._wire = Wire("")
        self._passed = 0

    def set(self, wire: Wire) -> None:
        self._wire, self._passed = wire, 0

    def __call__(self, step: str) -> None:
        if step == self._wire.step:
            self._passed += 1
            if self._passed == self._wire.passes:
                self._happen(self._wire.how)

    @staticmethod
    def _happen(how: signal.Signals | float) -> None:
        if isinstance(how, signal.Signals):
            os.kill(os.getpid(), how)
        else:
            time.sleep(how)


def observed(steps: Callable[[str], None]) -> type[Producer]:
    """confluent-kafka's producer, which says when it has done something: `produced <topic's role>` …"""

    class Observed(Producer):
        def produce(self, topic: str, *arguments: Any, **more: Any) -> None:
            super().produce(topic, *arguments, **more)
            steps(f"produced {topic.rpartition('-')[0]}")

        def send_offsets_to_transaction(self, *arguments: Any) -> None:
            super().send_offsets_to_transaction(*arguments)
            steps("sent_offsets")

        def commit_transaction(self, *arguments: Any) -> None:
            steps("committing")
            super().commit_transaction(*arguments)

    return Observed


def live(config: Path, log: Path, control: Connection, wire: Wire) -> None:
    """Runs until SIGTERM, a fatal error or the tripwire; both outputs go to `log`."""
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(out, stream)
    tripwire = Tripwire()
    tripwire.set(wire)

    def steps(step: str) -> None:
        if step == "ready":
            control.send(("ready", dict(loop._assignment.positions)))
        tripwire(step)

    setattr(transaction, "Producer", observed(tripwire))  # noqa: B010 (a class is no variable to mypy)
    telemetry.configure("json", "debug")
    loop = Loop(wiring_of(load(config, {}), 0, steps))
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    threading.Thread(target=_obey, args=(control, tripwire), daemon=True).start()
    try:
        loop.run()
    except OperatorError as failed:
        sys.stderr.write(f"{failed}\n")
        sys.exit(failed.exit_code)


def _obey(control: Connection, tripwire: Tripwire) -> None:
    while True:
        try:
            said = control.recv()
        except (EOFError, OSError):  # the test is over, one way or another
            os.kill(os.getpid(), signal.SIGKILL)
            return
        if isinstance(said, Wire):
            tripwire.set(said)
        control.send(("records", _accounted()))


def _accounted() -> int:
    """Records by disposition, all of them."""
    lines = telemetry.exposition()[1].decode().splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if "_records_total{" in line))
