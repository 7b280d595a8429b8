"""What `imaging-reference demo` shows: a heading an act, a line a reference, tables at the end.

Rules of this file: layout only; what is shown is counted elsewhere.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from processors.demo import DeadLetter, Published, Report
from processors.settings import Settings

_STYLES = {"available": "green", "entered-in-error": "red", "unknown": "yellow"}
_HEADING = (
    f"{'time':8}  {'kind':11}  {'from':4}  {'rev':>3} {'status':16}  {'id':8}  {'series':6}  "
    f"{'contains':18}  why"
)

_WIDTH = 110
"""As wide as a line, also where the output is no terminal or a narrow one."""


class Screen:
    """An `Audience`. Colours where the output is a terminal; a line is never wrapped."""

    def __init__(self, page: Callable[[Settings], str] | None = None) -> None:
        """`page`: opens the live page and says where it is."""
        self._page = page
        self._console = Console(highlight=False)
        self._goes_on = False
        self._console.width = max(self._console.width, _WIDTH)

    def opening(self, once: bool) -> None:
        self._goes_on = not once
        end = "" if once else " Ctrl-C ends it."
        self._print(f"Starting an embedded Kafka broker, the processor and a hospital.{end}")

    def opened(self, bootstrap: str, metrics: str, settings: Settings) -> None:
        self._print(f"Kafka: {bootstrap} (in this process)  metrics: {metrics}")
        if self._page is not None:
            self._print(f"Live page: {self._page(settings)}", "bold")
        if self._goes_on:
            self._beside(bootstrap)
        self._print("")
        self._print(_HEADING, "dim")

    def _beside(self, bootstrap: str) -> None:
        """What can be tried meanwhile: commands to copy."""
        program = sys.argv[0] if Path(sys.argv[0]).name == "imaging-reference" else "imaging-reference"
        self._print("Beside it, in another terminal (an id as it stands below):")
        self._print(f"  export IMAGING_REFERENCE__KAFKA__BOOTSTRAP_SERVERS={bootstrap}", "cyan")
        self._print(f"  {program} explain 353aa0f8", "cyan")
        self._print(f"  {program} dead-letters list", "cyan")
        self._print(f"  {program} dead-letters redrive --code document_unavailable", "cyan")

    def act(self, title: str) -> None:
        self._print(f"\n{title}", "bold")

    def reference(self, published: Published) -> None:
        line = Text()
        line.append(f"{published.at:%H:%M:%S}  ", "dim")
        line.append(f"{published.kind:11}  {published.modality:4}  ")
        line.append(f"{published.revision:>3} ", "bold" if published.revision > 1 else "")
        line.append(f"{published.status:16}  ", _STYLES.get(published.status, ""))
        number = "-" if published.series_number is None else str(published.series_number)
        line.append(f"{published.reference_id[:8]}  {number:>6}  {_contents(published):18}  ")
        line.append(_reason(published), "cyan")
        line.rstrip()
        self._console.print(line, soft_wrap=True)

    def dead_letter(self, put_aside: DeadLetter) -> None:
        line = Text(" " * 10)
        line.append(f"{'dead letter':11}  ", "red")
        where = f" in {put_aside.tag}" if put_aside.tag else ""
        line.append(f"{put_aside.code}{where}: {put_aside.message}")
        self._console.print(line, soft_wrap=True)

    def summary(self, report: Report) -> None:
        self._print("\nSummary\n", "bold")
        self._console.print(_tables(report))
        self._print(
            f"\n{report.sent} records sent, {report.passed_on} more passed on between partitions; "
            f"{report.consumed} accounted for"
        )
        self._print(
            f"{report.revisions} revisions of {sum(report.references.values())} references, "
            f"{report.facts} facts"
        )
        if report.settle_ms is not None:
            self._print(
                f"{report.settle_ms / 1000:.2f} s from a series' last image to its reference (median)"
            )
        for problem in report.problems:
            self._print(f"does not add up: {problem}", "red")
        if not report.problems:
            self._print(
                "All adds up: every record ended as one of the above, every revision has its fact.", "green"
            )

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style), soft_wrap=True)


def _contents(published: Published) -> str:
    """`24 images`, `25 images (+1)`, `1 image, 3 frames`."""
    said = [_count(published.instances, "image" if published.kind != "source_item" else "document")]
    if published.frames:
        said.append(_count(published.frames, "frame"))
    if published.regions:
        said.append(_count(published.regions, "region"))
    text = ", ".join(said)
    if published.revision > 1 and published.status == "available":
        change = [f"+{published.added}"] * bool(published.added) + [f"-{published.removed}"] * bool(
            published.removed
        )
        text += f" ({', '.join(change)})" if change else ""
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _reason(published: Published) -> str:
    """The rule that closed a series and how long that took; why it was withdrawn; else what it is."""
    if published.withdrawal_reason:
        return published.withdrawal_reason
    if published.closed_by and published.settle_ms is not None:
        return f"{published.closed_by} {published.settle_ms / 1000:.2f} s"
    return published.change if published.kind == "series" else published.code


def _tables(report: Report) -> Table:
    records: Counter[str] = Counter()
    for (outcome, detail), count in report.dispositions.items():
        reason = f" ({detail.replace('_', ' ')})" if outcome == "ignored" else ""
        records[outcome.replace("_", " ") + reason] += count
    references = {f"{kind} {status}": count for (kind, status), count in report.references.items()}
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_row(
        _table("records", records),
        _table("references", references),
        _table("revisions", report.changes),
        Group(_table("dead letters", report.dead_letters), "", _table("warnings", report.warnings)),
    )
    return grid


def _table(title: str, counts: Mapping[str, int]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_row(Text(title, "bold"), "")
    for name, count in counts.items():
        table.add_row(name, str(count))
    return table
