"""`imaging-reference run`."""

from __future__ import annotations

from pathlib import Path

import click

from processors.cli import options


@click.command(epilog="Example: imaging-reference run --config site.toml --workers 2")
@options.config
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes to run.")
@click.option(
    "--from-beginning",
    is_flag=True,
    help="Read all that the inputs hold, under a new group and into new topics; refuse anything else.",
)
@click.option("--print-config", is_flag=True, help="Print the effective settings, secrets masked, and exit.")
def command(config: Path | None, workers: int, from_beginning: bool, print_config: bool) -> None:
    """Run the stream processor until SIGTERM or SIGINT, then drain, commit and leave the group."""
    settings = options.settings_from(config)
    if print_config:
        from processors.settings import printable

        click.echo(printable(settings), nl=False)
        return
    options.log_as(settings)
    from processors.stream import beginning, runner

    if from_beginning:
        beginning.require_fresh(settings)
    runner.run(settings, workers)
