"""A signal that comes at the worst moment: in the middle of a log call, or of setting an event."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from processors.stopping import SIGNALS, until_signalled

_IN_THE_MIDDLE_OF_A_LINE = """
import signal, sys, threading
from contextlib import contextmanager
from processors import telemetry
from processors.stopping import on_stop, until_signalled

@contextmanager
def by_call():
    stopped = threading.Event()
    on_stop(stopped.set)
    yield stopped

class Interrupted:
    def isatty(self): return False
    def flush(self): pass
    def write(self, text):
        sys.stdout.write(text)
        if '"started"' in text:
            signal.raise_signal(signal.{name})

telemetry.configure("json", "info", Interrupted())
with {how}() as stopped:
    telemetry.started("1.0", "group", 0)
    assert stopped.wait(20)
"""

_HOLDING_THE_LOCK_OF_THE_EVENT = """
import signal
from processors.stopping import until_signalled

with until_signalled() as stop:
    with stop._cond:
        signal.raise_signal(signal.SIGTERM)
    assert stop.wait(20)
"""


def done(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("how", ["by_call", "until_signalled"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_is_heard_and_told_once_the_line_is_written(name: str, how: str) -> None:
    ended = done(_IN_THE_MIDDLE_OF_A_LINE.replace("{name}", name).replace("{how}", how))
    assert ended.returncode == 0, ended.stderr
    assert [line for line in ended.stdout.splitlines() if '"stopping"' in line and name in line]


def test_who_waits_for_the_event_does_not_wait_for_himself() -> None:
    ended = done(_HOLDING_THE_LOCK_OF_THE_EVENT)
    assert ended.returncode == 0, ended.stderr


def test_afterwards_all_is_as_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    threads = set(threading.enumerate())
    with until_signalled() as stop:
        assert [signal.getsignal(number) for number in SIGNALS] != before
        (listener,) = set(threading.enumerate()) - threads
    listener.join(20)
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert (listener.is_alive(), stop.is_set()) == (False, False)
