"""A signal that comes at the worst moment: in the middle of a log call."""

from __future__ import annotations

import subprocess
import sys

import pytest

_IN_THE_MIDDLE_OF_A_LINE = """
import signal, sys, threading
from processors import telemetry
from processors.stream.stopping import on_stop

class Interrupted:
    def isatty(self): return False
    def flush(self): pass
    def write(self, text):
        sys.stdout.write(text)
        if '"started"' in text:
            signal.raise_signal(signal.{name})

stopped = threading.Event()
telemetry.configure("json", "info", Interrupted())
on_stop(stopped.set)
telemetry.started("1.0", "group", 0)
assert stopped.wait(20)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_is_heard_and_told_once_the_line_is_written(name: str) -> None:
    script = _IN_THE_MIDDLE_OF_A_LINE.replace("{name}", name)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if '"stopping"' in line and name in line]
