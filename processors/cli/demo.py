"""`imaging-reference demo`."""

from __future__ import annotations

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
def command(once: bool, port: int) -> None:
    """Run an embedded broker, a synthetic hospital that feeds it, and the processor.

    Prints a line for each published reference. Needs no Kafka and no Docker; nothing is kept.
    """
    from processors import demo

    demo.run(once, port)
