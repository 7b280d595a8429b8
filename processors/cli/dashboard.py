"""`imaging-reference dashboard`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from processors.cli import options
from processors.errors import UsageError

if TYPE_CHECKING:
    from processors.dashboard import Dashboard


@click.command(
    epilog="Example: imaging-reference dashboard --config site.toml --port 8081 --images /archive/"
)
@options.config
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8_081, show_default=True, help="0: any free one."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. Beyond loopback a token is asked for; put TLS in front.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Token for hosts beyond loopback.  [default: a new one, printed]",
)
@click.option(
    "--images",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="Where the images are: files, a folder, or one with a folder a study, named by its UID. Repeatable.",
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    default=24.0,
    show_default=True,
    help="Count what was published in the last so many hours, and from then on.",
)
def command(
    config: Path | None, port: int, host: str, token_file: Path | None, images: tuple[Path, ...], hours: float
) -> None:
    """Serve a live web page: what is published, what waits and why, what was put aside.

    It reads the topics and changes nothing. Needs the extra `dashboard`.
    """
    settings = options.settings_from(config)
    options.log_as(settings)
    room = options.dashboard_room()
    from processors.stopping import until_signalled

    door = room.Door(host, port, _token(token_file))
    dashboard: Dashboard
    with until_signalled() as stop, room.Dashboard(settings, door, images, hours) as dashboard:
        click.echo(f"Live page: {dashboard.address}  (Ctrl-C ends it)")
        stop.wait()


def _token(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        token = path.read_text("ascii").strip()
    except UnicodeDecodeError:
        raise UsageError(f"{path}: a token has letters, digits and signs of ASCII only") from None
    if len(token) < 16:
        raise UsageError(f"{path}: a token has at least 16 characters")
    return token
