"""`imaging-reference dead-letters list|show|redrive`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from processors.cli import options
from processors.errors import DeadLetterCode

if TYPE_CHECKING:
    from processors.operations.dead_letters import Letter, Shown
    from processors.operations.redrive import Fate, Outcome

_code = click.option(
    "--code",
    type=click.Choice([code.value for code in DeadLetterCode]),
    metavar="C",
    help="Only letters of this code.",
)
_json = click.option("--json", "as_json", is_flag=True, help="A line of JSON each.")


@click.group(epilog="Example: imaging-reference dead-letters list --config site.toml")
def command() -> None:
    """List what was put aside, show it, put it back."""


@command.command("list", epilog="Example: imaging-reference dead-letters list --code missing_uid")
@_code
@_json
@options.config
def list_(code: str | None, as_json: bool, config: Path | None) -> None:
    """List the dead letters, first failed first, with their ids; the counts by code at the end."""
    settings = options.settings_from(config)
    options.log_as(settings)
    from processors.operations import dead_letters

    found = dead_letters.letters(settings, code or "")
    if as_json:
        _print_json(found)
    else:
        for letter in found:
            click.echo(_line(letter))
    counts = Counter(letter.code or "(no code)" for letter in found)
    said = ", ".join(f"{each} {count}" for each, count in sorted(counts.items()))
    back = sum(letter.put_back for letter in found)
    click.echo(f"{len(found)} dead letters{f': {said}' if said else ''}; {back} were put back", err=True)


@command.command(epilog="Example: imaging-reference dead-letters show 3/41 --value record.json")
@click.argument("identifier", metavar="PARTITION/OFFSET")
@click.option(
    "--value",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write the record's value there (- for standard output). It holds patient data.",
)
@_json
@options.config
def show(identifier: str, value: Path | None, as_json: bool, config: Path | None) -> None:
    """Show one dead letter: what was wrong, where the record came from, its own headers.

    Of the record's key, headers and value nothing but their names and sizes is printed.
    """
    settings = options.settings_from(config)
    options.log_as(settings)
    from processors.operations import dead_letters

    shown = dead_letters.letter(settings, identifier)
    on_output = value is not None and str(value) == "-"
    if as_json:
        _print_json([shown.letter], err=on_output)
    else:
        for name, text in _details(shown):
            click.echo(f"{name:12}  {text}", err=on_output)
    if value is not None:
        with click.open_file(str(value), "wb") as stream:
            stream.write(shown.value or b"")


@command.command(
    epilog="Example: imaging-reference dead-letters redrive --code document_unavailable --dry-run"
)
@_code
@click.option("--dry-run", is_flag=True, help="Say what would be put back; put back nothing.")
@options.config
def redrive(code: str | None, dry_run: bool, config: Path | None) -> None:
    """Put the records back where they came from, each once, in their order.

    A record that fails again becomes a new dead letter. What was put back is remembered by the broker as
    long as it remembers the offsets of a group (a week, unless it was told otherwise).
    """
    settings = options.settings_from(config)
    options.log_as(settings)
    from processors.operations import redrive as room

    def told(letter: Letter, fate: Fate) -> None:
        if dry_run:
            would = "would be put back" if fate is room.Fate.PUT_BACK else fate
            click.echo(f"{letter.id:>9}  {letter.code:22}  {_origin(letter)}  {would}")

    _print_outcome(room.redrive(settings, code or "", dry_run, told), dry_run)


def _print_outcome(outcome: Outcome, dry_run: bool) -> None:
    codes = ", ".join(f"{code} {count}" for code, count in sorted(outcome.by_code.items()))
    back = sum(outcome.by_code.values())
    verb = "would be put back" if dry_run else "put back"
    click.echo(f"{back} records {verb}{f' ({codes})' if codes else ''}")
    for fate, count in sorted(outcome.fates.items()):
        if fate != "put back":
            click.echo(f"{count} left where they are: {fate}")


def _print_json(letters: Iterable[Letter], err: bool = False) -> None:
    from processors.operations.dead_letters import as_mapping
    from processors.wire.json_text import dump

    for letter in letters:
        click.echo(dump(as_mapping(letter)), err=err)


def _line(letter: Letter) -> str:
    """Id, when, code and tag, where from, what was wrong."""
    where = f" in {letter.tag}" if letter.tag else ""
    back = "  (put back)" if letter.put_back else ""
    what = f"{letter.code or '(no code)'}{where}: {letter.message}"
    return f"{letter.id:>9}  {letter.failed_at:24}  {_origin(letter)}  {what}{back}"


def _origin(letter: Letter) -> str:
    return f"{letter.topic}/{letter.from_partition}@{letter.from_offset}" if letter.topic else "(no record)"


def _details(shown: Shown) -> list[tuple[str, str]]:
    letter = shown.letter
    return [
        ("id", letter.id),
        ("code", letter.code or "(none: not a dead letter of this program)"),
        ("tag", letter.tag or "-"),
        ("message", letter.message),
        ("stage", letter.stage),
        ("from", _origin(letter)),
        ("failed at", letter.failed_at),
        ("put back", "yes" if letter.put_back else "no" if letter.has_record else "no: there is no record"),
        ("key", "none" if shown.key is None else f"{len(shown.key)} bytes"),
        ("value", f"{letter.size} bytes"),
        ("headers", ", ".join(name for name, _ in shown.headers) or "none"),
    ]
