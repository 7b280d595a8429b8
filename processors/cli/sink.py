"""`imaging-reference sink fhir`."""

from __future__ import annotations

from pathlib import Path

import click

from processors.cli import options
from processors.errors import SettingsError


@click.group(epilog="Example: imaging-reference sink fhir --config site.toml")
def command() -> None:
    """Bring the references to a neighbouring system, until SIGTERM or SIGINT."""


@command.command(epilog="Example: imaging-reference sink fhir --config site.toml")
@options.config
def fhir(config: Path | None) -> None:
    """Keep a FHIR server at what the FHIR topic holds: created or updated by id, erased ones deleted.

    R5 servers take ImagingSelection; for R4 servers publish with `fhir.release = "R4"` (Basic).
    """
    from processors.sinks.fhir import FhirSink
    from processors.sources.forwarding import until_signalled

    settings = options.settings_from(config)
    options.log_as(settings)
    if not settings.fhir_server.url:
        raise SettingsError("fhir_server.url is not set: where the references are to go")
    with until_signalled() as stop:
        FhirSink(settings, stop).run()
