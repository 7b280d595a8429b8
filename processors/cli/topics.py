"""`imaging-reference topics create|check|describe|grow`."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import click

from processors.cli import options
from processors.errors import Unavailable, UsageError


@click.group(epilog="Example: imaging-reference topics create --config site.toml")
def command() -> None:
    """Create the topics with their settings, check them, move the state to another number of partitions."""


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


@command.command(epilog="Example: imaging-reference topics grow --partitions 24 --config site.toml")
@options.config
@click.option(
    "--partitions", type=click.IntRange(1, 10_000), metavar="N", help="Of the new topics; more or fewer."
)
@click.option("--intake", metavar="NAME", help="The new intake topic; default: the present name and -N.")
@click.option("--changelog", metavar="NAME", help="The new changelog topic; default: likewise.")
@click.option("--cancel", is_flag=True, help="Give up a move that was begun: members may run as before.")
def grow(
    config: Path | None, partitions: int | None, intake: str | None, changelog: str | None, cancel: bool
) -> None:
    """Move all state to a new intake and changelog of N partitions, while every member is stopped.

    Nothing is published again, nothing is lost. Killed, it is run again. At the end it prints the settings
    to change.
    """
    if cancel == (partitions is not None):
        raise UsageError("topics grow: give either --partitions or --cancel")
    settings = options.settings_from(config)
    options.log_as(settings)
    from processors.stream.growth import Growth, Target

    growth = Growth(settings, lambda line: click.echo(line, err=True))
    if partitions is None:
        growth.cancel()
        click.echo("members may run as before; the new topics can be deleted", err=True)
        return
    names = settings.topics
    target = Target(
        partitions,
        intake or _named(names.intake, partitions),
        changelog or _named(names.changelog, partitions),
    )
    count = growth.to(target)
    done = "the state was moved before" if count is None else f"{count} entries of state moved"
    click.echo(f"{done}; every member and command needs these settings from now on:", err=True)
    click.echo(f'[topics]\nintake = "{target.intake}"\nchangelog = "{target.changelog}"')
    click.echo(f"partitions = {target.partitions}")


def _named(topic: str, partitions: int) -> str:
    """The topic's name with this number in place of an earlier one."""
    return f"{re.sub(r'-[0-9]+$', '', topic)}-{partitions}"
