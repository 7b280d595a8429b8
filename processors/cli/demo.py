"""`imaging-reference demo`."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from processors.cli import options
from processors.errors import UsageError

if TYPE_CHECKING:
    from processors.settings import Settings


@click.command(epilog="Example: imaging-reference demo --port 8081")
@click.option("--once", is_flag=True, help="Play the scenario, print a summary and end.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Port of the live page; with --once there is none without it.  [default: any free]",
)
def command(once: bool, port: int | None) -> int:
    """Run an embedded broker, a synthetic hospital that feeds it, the processor, and a live page.

    Prints a line for each published reference. Needs no Kafka and no Docker; nothing is kept.
    """
    from processors import demo
    from processors.cli.demo_screen import Screen
    from processors.stopping import until_signalled

    folder = Path(tempfile.mkdtemp(prefix="imaging-reference-demo-"))
    log = folder / "processor.log"
    well = False
    try:
        _log_into(log)
        state = folder / "state"
        state.mkdir()
        with ExitStack() as opened:
            screen = Screen(None if once and port is None else lambda site: _page(site, port, opened))
            screen.opening(once)
            stop = None if once else opened.enter_context(until_signalled())
            report = demo.play(screen, state, stop=stop)
            screen.summary(report)
            well = not report.problems
    finally:
        if well or not log.stat().st_size:
            shutil.rmtree(folder)
        else:
            click.echo(f"the processor's log: {log}", err=True)
    return 0 if well else 1


def _page(settings: Settings, port: int | None, opened: ExitStack) -> str:
    """Where the live page is, or why there is none. A port that was asked for must be had."""
    try:
        room = options.dashboard_room()
    except UsageError as missing:
        if port is not None:
            raise
        return str(missing)
    from processors.stream.lag import lag_of_inputs

    page = room.Dashboard(settings, room.Door(port=port or 0), hours=None, own_lag=lag_of_inputs)
    opened.enter_context(page)
    return str(page.address)


def _log_into(path: Path) -> None:
    """The screen belongs to the references; what is logged is only wanted when something went wrong."""
    from processors import telemetry

    telemetry.configure("json", "warning", path.open("a", encoding="utf-8", buffering=1))
