"""`imaging-reference render`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from processors.errors import Refused, UsageError

_EXTRA = {"numpy", "PIL"}


class _ManyImages(click.Command):
    """`--images A B C`: every path up to the next option belongs to it, so that a shell's `*.dcm` works."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        taking = False
        for arg in args:
            if arg.startswith("-") and arg != "-":
                taking = arg == "--images"
                spread += [] if taking else [arg]
            else:
                spread += ["--images", arg] if taking else [arg]
        return super().parse_args(ctx, spread)


def _window(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        center, width = map(float, text.split("/"))
    except ValueError:
        raise click.BadParameter("center and width as C/W, for example 40/400.") from None
    if not (abs(center) < 1e9 and 1 <= width < 1e9):
        raise click.BadParameter("a width of 1 or more, and numbers below 1e9.")
    return center, width


@click.command(
    cls=_ManyImages,
    epilog="Example: imaging-reference render reference.json --images /archive/study/ --out region.png",
)
@click.argument("reference", metavar="REFERENCE.json", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--images",
    multiple=True,
    required=True,
    metavar="PATH...",
    type=click.Path(path_type=Path, exists=True),
    help="DICOM files, folders or zips: the images, and the documents that the reference names.",
)
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the picture goes, a PNG.",
)
@click.option("--id", "reference_id", metavar="ID", help="Which one, of a file with several references.")
@click.option(
    "--frames",
    type=click.IntRange(1, 400),
    default=16,
    show_default=True,
    help="At most so many on the picture, spread over all.",
)
@click.option(
    "--size",
    type=click.IntRange(32, 4096),
    metavar="PIXELS",
    help="Longest side of a frame.  [default: 768 for one, 320 for several]",
)
@click.option(
    "--window", metavar="C/W", callback=_window, help="Window center and width, instead of the images'."
)
def command(
    reference: Path,
    images: tuple[Path, ...],
    out: Path,
    reference_id: str | None,
    frames: int,
    size: int | None,
    window: tuple[float, float] | None,
) -> None:
    """Draw what a published reference points at: its frames, with regions, contours and segments.

    REFERENCE.json is one resource, or one a line as `assemble` writes them. Captions hold numbers only; what
    is burnt into the pixels stays. Needs the extra `render`.
    """
    try:
        from processors.render import Options, Window, render
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        raise UsageError(
            "pictures need the extra `render`: pip install 'imaging-reference-processors[render]'"
        ) from None
    from processors.fhir.reading import read_reference
    from processors.input_files import inputs_of

    published = read_reference(_content(reference, reference_id))
    options = Options(frames, size, Window(*window) if window else None)
    rendered = render(published, inputs_of(images), options)
    out.write_bytes(rendered.png)
    for line in rendered.lines:
        click.echo(line, err=True)


def _content(path: Path, reference_id: str | None) -> Any:
    """The resource of the file, or of several the one with this id. Raises UsageError."""
    from processors.wire.json_text import load

    data = path.read_bytes()
    try:
        found = [load(data)]
    except Refused:
        try:
            found = [load(line) for line in data.splitlines() if line.strip()]
        except Refused as refused:
            raise UsageError(f"{path}: {refused.message}") from None
    if len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    if reference_id is not None:
        found = [each for each in found if isinstance(each, dict) and each.get("id") == reference_id]
    if len(found) != 1:
        what = (
            "no reference with this id" if reference_id else f"{len(found)} references: say which one, --id"
        )
        raise UsageError(f"{path} holds {what}")
    return found[0]
