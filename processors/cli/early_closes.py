"""`imaging-reference early-closes`."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from processors.cli import options

if TYPE_CHECKING:
    from processors.operations.early_closes import EarlyCloses

_DAY_MS = 86_400_000
_HEADINGS = (
    "source",
    "modality",
    "series",
    "amended",
    "share",
    "late",
    "quiet_s",
    "suggested",
    "then",
    "closed by",
)


def _number(_context: click.Context, _parameter: click.Parameter, days: float | None) -> float | None:
    """A range lets `nan` and `inf` pass."""
    if days is not None and not math.isfinite(days):
        raise click.BadParameter("is no number of days")
    return days


@click.command(epilog="Example: imaging-reference early-closes --days 30 --target 0.5 --config site.toml")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    callback=_number,
    metavar="N",
    help="Only the last N days.",
)
@click.option(
    "--target",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    metavar="PERCENT",
    help="Share of series that may be amended after closing.",
)
@click.option("--toml", is_flag=True, help="Print the suggestions as settings, [[completeness.override]].")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each.")
@options.config
def command(days: float | None, target: float, toml: bool, as_json: bool, config: Path | None) -> None:
    """Report which share of series got more images after they were closed, by source and modality.

    With the quiet time that would have kept the share below the target, and how many would then have been
    amended. `late`: amended by images that came after the hard stop's time, for which no waiting helps.
    """
    settings = options.settings_from(config)
    options.log_as(settings)
    from processors.operations import early_closes as room
    from processors.settings import as_toml
    from processors.wire.json_text import dump

    since_ms = None if days is None else time.time_ns() // 1_000_000 - round(days * _DAY_MS)
    lines = room.early_closes(settings, target / 100, since_ms)
    if toml:
        click.echo(as_toml({"completeness": {"override": room.as_overrides(lines)}}), nl=False)
    elif as_json:
        for line in lines:
            click.echo(dump({**line._asdict(), "share": line.share}))
    else:
        _print_table(lines)


def _print_table(lines: list[EarlyCloses]) -> None:
    rows = [_HEADINGS, *(_row(line) for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    total, amended = sum(line.series for line in lines), sum(line.amended for line in lines)
    click.echo(
        f"{amended} of {total} closed series were amended" if total else "no series was closed", err=True
    )


def _row(line: EarlyCloses) -> tuple[str, ...]:
    longer = line.suggested_quiet_s > line.quiet_s
    return (
        line.source,
        line.modality or "-",
        str(line.series),
        str(line.amended),
        f"{line.share:.1%}",
        str(line.late),
        f"{line.quiet_s:g}",
        f"{line.suggested_quiet_s:g}" if longer else "keep",
        str(line.still_amended),
        ", ".join(f"{rule} {count}" for rule, count in line.closed_by.items()),
    )
