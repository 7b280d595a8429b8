"""`imaging-reference publish`."""

from __future__ import annotations

from pathlib import Path

import click

from processors.cli import options


@click.command(epilog="Example: imaging-reference publish --rate 100 /archive/2024/ events.ndjson")
@options.paths
@options.config
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="At most N records a second."
)
def command(paths: tuple[Path, ...], config: Path | None, rate: float | None) -> None:
    """Send DICOM files, folders or event files (.json, .ndjson) to the input topics, keyed by study."""
    settings = options.settings_from(config)
    options.log_as(settings)
    from processors.stream.publish import publish

    publish(paths, settings, rate)
