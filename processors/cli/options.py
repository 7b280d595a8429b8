"""Options that several commands share, so that they are spelled and read the same.

Rules of this file: decorators for click, and the way from `--config` to settings.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import click

from processors.errors import UsageError

if TYPE_CHECKING:
    from processors.settings import Settings

_DASHBOARD = {"jinja2", "markupsafe", "pygal", "sse_starlette", "starlette", "uvicorn"}

config = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Settings (TOML); IMAGING_REFERENCE__SECTION__KEY in the environment wins over it.",
)
paths = click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path, exists=True)
)


def settings_from(config: Path | None, release: str | None = None) -> Settings:
    """Settings of the file and of the environment, `release` above both; raises SettingsError."""
    from processors.settings import load

    above = {"IMAGING_REFERENCE__FHIR__RELEASE": release} if release else {}
    return load(config, {**os.environ, **above})


def log_as(settings: Settings) -> None:
    from processors import telemetry

    telemetry.configure(settings.logging.format, settings.logging.level)


def dashboard_room() -> ModuleType:
    """`processors.dashboard`. Raises UsageError where its extra is not installed."""
    try:
        return import_module("processors.dashboard")
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in _DASHBOARD:
            raise
        raise UsageError(
            "the live page needs the extra `dashboard`: pip install 'imaging-reference-processors[dashboard]'"
        ) from None
