"""`imaging-reference replay-diff`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from processors.cli import options

if TYPE_CHECKING:
    from processors.operations.replay_diff import Difference, Outcome


class _Instant(click.ParamType[int]):
    """RFC 3339, or a date; in UTC unless it says otherwise. Gives ms since 1970, 0 for what was before: a
    broker takes times below for commands (-1: the newest offset).
    """

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value} is no time, as 2026-03-01 or 2026-03-01T08:00:00+01:00", param, ctx)
        return max(0, round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000))


@click.command(epilog="Example: imaging-reference replay-diff --from 2026-03-01 --config tried.toml")
@click.option(
    "--from",
    "from_ms",
    type=_Instant(),
    required=True,
    metavar="T",
    help="Input records from this time on, as the broker has it: a date or RFC 3339; without offset in UTC.",
)
@click.option("--to", "to_ms", type=_Instant(), metavar="T", help="Input records before it.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each.")
@options.config
def command(from_ms: int, to_ms: int | None, as_json: bool, config: Path | None) -> int:
    """Replay a past range of the input into a shadow, and list which references would change.

    Under the settings given, which may be others than those the processor runs with; it publishes nothing.
    Exit 1 if any would be added, changed, withdrawn or gone. `open`: it still waited when the replay began;
    `not covered`: it differs, but also hangs on what lies outside of the range.
    """
    settings = options.settings_from(config)
    options.log_as(settings)
    from processors.operations.replay_diff import as_mapping, replay_diff
    from processors.wire.json_text import dump

    def told(difference: Difference) -> None:
        click.echo(dump(as_mapping(difference)) if as_json else _line(difference))

    with _progress_bar() as progress:
        outcome = replay_diff(settings, from_ms, to_ms, told, progress)
    _print_counts(outcome)
    return 1 if outcome.changes else 0


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error where that is a terminal; yields what to call with records done and found."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("records"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=0)
        total = 0

        def step(done: int, found: int) -> None:
            nonlocal total
            total += found
            bar.update(task, total=total, advance=done)

        yield step


def _line(each: Difference) -> str:
    what = f"{each.kind} of {each.modality or 'no modality'}"
    where = f"study {each.study_uid} series {each.series_uid}"
    return f"{each.change:11}  {each.reference_id}  {what:18}  {where}  {', '.join(each.elements)}".rstrip()


def _print_counts(outcome: Outcome) -> None:
    ends = [f"{' '.join(filter(None, end))} {count}" for end, count in sorted(outcome.dispositions.items())]
    verdicts = [f"{verdict} {count}" for verdict, count in sorted(outcome.verdicts.items())]
    click.echo(
        f"records {outcome.records} ({', '.join(ends)}); references: {', '.join(verdicts) or 'none'}",
        err=True,
    )
    if outcome.lag is None:
        click.echo(
            "how far the group that publishes has read is not known: describing it is needed", err=True
        )
    elif outcome.lag:
        click.echo(
            f"{outcome.lag} offsets are not read yet by the group that publishes: "
            "what they bring is among the differences",
            err=True,
        )
