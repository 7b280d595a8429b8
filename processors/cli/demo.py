"""`imaging-reference demo`."""

from __future__ import annotations

import logging
import shutil
import signal
import tempfile
import threading
from pathlib import Path

import click


@click.command(epilog="Example: imaging-reference demo --once")
@click.option("--once", is_flag=True, help="Play the scenario, print a summary and end.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default="any free",
    help="Port of health and metrics.",
)
def command(once: bool, port: int) -> int:
    """Run an embedded broker, a synthetic hospital that feeds it, and the processor.

    Prints a line for each published reference. Needs no Kafka and no Docker; nothing is kept.
    """
    from processors import demo
    from processors.cli.demo_screen import Screen

    folder = Path(tempfile.mkdtemp(prefix="imaging-reference-demo-"))
    log = folder / "processor.log"
    screen = Screen()
    screen.opening(once)
    well = False
    try:
        _log_into(log)
        state = folder / "state"
        state.mkdir()
        report = demo.play(screen, state, port, stop=None if once else _stopped_by_signal())
        screen.summary(report)
        well = not report.problems
    finally:
        if well or not log.stat().st_size:
            shutil.rmtree(folder)
        else:
            click.echo(f"the processor's log: {log}", err=True)
    return 0 if well else 1


def _log_into(path: Path) -> None:
    """The screen belongs to the references; what is logged is only wanted when something went wrong."""
    from processors import telemetry

    telemetry.configure("json", "warning", path.open("a", encoding="utf-8", buffering=1))
    logging.basicConfig(filename=path, level=logging.WARNING)


def _stopped_by_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
