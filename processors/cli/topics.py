"""`imaging-reference topics create|check|describe`."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import click

from processors.cli import options
from processors.errors import Unavailable


@click.group(epilog="Example: imaging-reference topics create --config site.toml")
def command() -> None:
    """Create the topics with their settings, or check those that are there."""


@command.command(epilog="Example: imaging-reference topics create --config site.toml")
@options.config
def create(config: Path | None) -> None:
    """Create the topics that are missing; those that are there stay as they are."""
    from processors.stream import topics

    topics.create(options.settings_from(config))


@command.command(epilog="Example: imaging-reference topics check --config site.toml")
@options.config
def check(config: Path | None) -> None:
    """Name each difference between the topics and what they should be; exit 1 if there is one."""
    from processors.stream import topics

    differences = topics.check(options.settings_from(config))
    for difference in differences:
        click.echo(difference)
    if differences:
        raise Unavailable(f"{len(differences)} differences between the topics and what they should be")


@command.command(epilog="Example: imaging-reference topics describe --config site.toml > asyncapi.json")
@options.config
def describe(config: Path | None) -> None:
    """Print what senders and readers need to know of the topics, as an AsyncAPI 3 document."""
    import json

    from processors.asyncapi import document

    version = metadata.version("imaging-reference-processors")
    click.echo(json.dumps(document(options.settings_from(config), version), indent=2, ensure_ascii=False))
