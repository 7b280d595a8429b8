"""`imaging-reference settings`."""

from __future__ import annotations

import click

from processors.errors import UsageError


@click.command(epilog="Example: imaging-reference settings completeness")
@click.argument("section", default="", metavar="[SECTION]")
def command(section: str) -> None:
    """Print every setting, or those of a section: type, default, and what it is for (Markdown).

    What holds at a site is shown by `run --print-config`.
    """
    from processors.settings import described

    try:
        click.echo(described(section), nl=False)
    except KeyError:
        raise UsageError(f"no section [{section}]; all: imaging-reference settings") from None
