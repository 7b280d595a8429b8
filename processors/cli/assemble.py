"""`imaging-reference assemble`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from processors.cli import options

if TYPE_CHECKING:
    from processors.assemble import Summary

_OUTPUT = click.Path(path_type=Path, dir_okay=False)


@click.command(epilog="Example: imaging-reference assemble --out references.ndjson /archive/study/")
@options.paths
@click.option("--out", type=_OUTPUT, metavar="FILE", help="References as NDJSON, by id.  [default: stdout]")
@click.option("--analytics", type=_OUTPUT, metavar="FILE", help="Facts as NDJSON, one a revision.")
@click.option("--dead-letters", type=_OUTPUT, metavar="FILE", help="What was put aside, and why, as NDJSON.")
@click.option(
    "--release",
    type=click.Choice(["R5", "R4", "R6"]),
    help="FHIR release; R6 is a preview (6.0.0-snapshot1).  [default: the settings']",
)
@click.option("--strict", is_flag=True, help="Exit 1 if anything was put aside.")
@options.config
def command(
    paths: tuple[Path, ...],
    out: Path | None,
    analytics: Path | None,
    dead_letters: Path | None,
    release: str | None,
    strict: bool,
    config: Path | None,
) -> int:
    """Turn DICOM files, folders, zips or event files (.json, .ndjson) into their final references.

    The same pipeline as `run`, in memory; files count as events in the order given.
    """
    settings = options.settings_from(config, release)
    options.log_as(settings)
    from processors.assemble import assemble
    from processors.input_files import inputs_of

    inputs = inputs_of(paths)
    with ExitStack() as open_files:
        references, facts, letters = (
            open_files.enter_context(_sink(path)) for path in (out, analytics, dead_letters)
        )
        step = open_files.enter_context(_progress_bar(sum(each.size for each in inputs)))
        summary = assemble(
            inputs,
            settings,
            references or open_files.enter_context(_standard_output()),
            analytics=facts,
            dead_letters=letters,
            progress=step,
        )
    _print_counts(summary)
    return 1 if strict and summary.dead_letters else 0


@contextmanager
def _sink(path: Path | None) -> Iterator[IO[str] | None]:
    if path is None:
        yield None
    else:
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream


@contextmanager
def _standard_output() -> Iterator[IO[str]]:
    """NDJSON is UTF-8 whatever the terminal's locale."""
    stream = TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="\n")
    yield stream
    stream.flush()
    stream.detach()


@contextmanager
def _progress_bar(total_bytes: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where that is a terminal; yields what to call with the bytes done."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=total_bytes)
        yield lambda size: bar.advance(task, size)


def _print_counts(summary: Summary) -> None:
    ends = [f"{' '.join(filter(None, end))} {count}" for end, count in sorted(summary.dispositions.items())]
    counts = [
        f"inputs {summary.inputs} ({', '.join(ends)})",
        f"references {summary.references}",
        f"facts {summary.facts}",
        f"dead letters {sum(summary.dead_letters.values())}",
    ]
    click.echo("; ".join(counts), err=True)
