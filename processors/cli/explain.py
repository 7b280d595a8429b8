"""`imaging-reference explain`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processors.cli import options

if TYPE_CHECKING:
    from processors.operations.explain import Explanation
    from processors.operations.input_records import InputRecord

_HEADINGS = ("revision", "published at", "change", "closed by", "waited", "contains", "from")


@click.command(epilog="Example: imaging-reference explain 353aa0f8-9f4c-5d5e-b7f0-0d2f8b6d5a11 --records")
@click.argument("reference_id", metavar="REFERENCE_ID")
@click.option(
    "--study", default="", metavar="UID", help="Its study, if known: one partition is read, not all."
)
@click.option("--records", is_flag=True, help="Read the input topics and name each of its records.")
@click.option("--json", "as_json", is_flag=True, help="All that is known, as one JSON object.")
@options.config
def command(reference_id: str, study: str, records: bool, as_json: bool, config: Path | None) -> None:
    """Tell where a reference came from: why its series was closed, its revisions, its input records.

    Of the id its beginning is enough, where no other id begins so.

    Exit 3 if no reference has that id, as far back as the topics are kept.
    """
    settings = options.settings_from(config)
    options.log_as(settings)
    from processors.operations.explain import as_mapping, explain
    from processors.operations.input_records import input_records
    from processors.wire.json_text import dump

    explanation = explain(settings, reference_id, study)
    found = input_records(settings, explanation.revisions) if records else None
    if as_json:
        told = as_mapping(explanation)
        click.echo(dump(told if found is None else {**told, "records": [each._asdict() for each in found]}))
        return
    _print_what(explanation)
    _print_revisions(explanation)
    _print_inputs(explanation, found)


def _print_what(explanation: Explanation) -> None:
    from processors.operations.explain import RULES

    said, facts = explanation.latest, [revision.fact for revision in explanation.revisions]
    click.echo(f"Reference  {explanation.reference_id}")
    reason = facts[-1]["withdrawal_reason"] if facts else None
    click.echo(f"Kind       {said['kind']} of {said['modality'] or 'no modality'}")
    click.echo(f"Status     {said['status']}{f' ({reason})' if reason else ''}, revision {said['revision']}")
    click.echo(f"Study      {said['study_uid']}")
    click.echo(f"Series     {said['series_uid']}")
    if facts and facts[-1]["source_document_uid"]:
        click.echo(f"Document   {facts[-1]['source_document_uid']}")
    for rule in dict.fromkeys(fact["closed_by"] for fact in facts if fact["closed_by"]):
        click.echo(f"Closed by  {rule}: {RULES.get(rule, 'a rule of another version')}")
    warnings = sorted({warning for fact in facts for warning in fact["warnings"]})
    if warnings:
        click.echo(f"Warnings   {', '.join(warnings)}")
    if not facts:
        click.echo("Its facts are older than the analytics topic keeps them.")


def _print_revisions(explanation: Explanation) -> None:
    if not explanation.revisions:
        return
    rows: list[tuple[str, ...]] = [_HEADINGS]
    rows += [_row(revision.change, revision.fact) for revision in explanation.revisions]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    click.echo()
    for row in rows:
        click.echo(_aligned(row, widths))


def _row(change: str, fact: dict[str, Any]) -> tuple[str, ...]:
    at = datetime.fromtimestamp(fact["published_at"] / 1e6, UTC)
    counts = [f"{sign}{fact[name]}" for name, sign in (("added", "+"), ("removed", "-"), ("changed", "~"))]
    moved = " ".join(count for count in counts if count[1:] != "0")
    contains = f"{fact['instance_count']} instances" + (f" ({moved})" if moved else "")
    waited = "-" if fact["settle_ms"] is None else f"{fact['settle_ms'] / 1000:.2f} s"
    when = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    sources = ", ".join(fact["sources"]) or "-"
    return (str(fact["revision"]), when, change, fact["closed_by"] or "-", waited, contains, sources)


def _print_inputs(explanation: Explanation, found: list[InputRecord] | None) -> None:
    from processors.operations.input_records import ranges_of

    ranges = ranges_of(explanation.revisions)
    if not ranges:
        return
    click.echo("\nInput records lie between (others may, too)" if found is None else "\nInput records")
    rows: list[tuple[str, ...]] = []
    if found is None:
        rows += [(t, f"partition {p}", f"offsets {a}-{b - 1}") for (t, p), (a, b) in ranges.items()]
    else:
        rows += [(r.topic, f"partition {r.partition}", f"offset {r.offset}", r.what) for r in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo(f"  {_aligned(row, widths)}")
    if found is not None and not found:
        click.echo("  none is kept any more")


def _aligned(row: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
