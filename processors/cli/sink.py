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
    from processors.sinks.bringing import Sink
    from processors.sinks.fhir_server import FhirServer
    from processors.stopping import until_signalled

    settings = options.settings_from(config)
    options.log_as(settings)
    if not settings.fhir_server.url:
        raise SettingsError("fhir_server.url is not set: where the references are to go")
    with until_signalled() as stop:
        own = settings.fhir_server
        Sink("fhir", FhirServer(own), settings, own.http_port, stop).run()


@command.command(epilog="Example: imaging-reference sink fhircast --config site.toml")
@options.config
def fhircast(config: Path | None) -> None:
    """Share the references to a study with the reporting session that has it open, over a FHIRcast hub.

    A reference to a study that is not open then is passed over; one that is withdrawn or erased is removed.
    """
    from processors.sinks.bringing import Sink
    from processors.sinks.fhircast_hub import SharedContent
    from processors.stopping import until_signalled

    settings = options.settings_from(config)
    options.log_as(settings)
    own = settings.fhircast
    with until_signalled() as stop:
        destination = SharedContent(own, settings.policy().namespace)
        Sink("fhircast", destination, settings, own.http_port, stop).run()
