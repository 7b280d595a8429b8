"""`imaging-reference source folder|…`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import click

from processors.cli import options
from processors.errors import UsageError

if TYPE_CHECKING:
    from processors.settings import Settings
    from processors.sources.forwarding import Forwarder


@click.group(epilog="Example: imaging-reference source folder --config site.toml /incoming")
def command() -> None:
    """Feed the input topics from a folder or a neighbouring system, until SIGTERM or SIGINT."""


@command.command(epilog="Example: imaging-reference source folder --config site.toml /incoming")
@click.argument(
    "folders",
    nargs=-1,
    required=True,
    metavar="FOLDER...",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
)
@options.config
def folder(folders: tuple[Path, ...], config: Path | None) -> None:
    """Send the DICOM and event files (.json, .ndjson) of folders: those there, then those that come.

    What was sent is remembered in `state.dir`, so a restart neither misses nor doubles a file.
    """
    source = _extra("folder")
    settings = options.settings_from(config)
    with _feeding(settings, "folder", ", ".join(map(str, folders))) as forwarder:
        from processors.sources.ledger import Ledger

        ledger = Ledger(Path(settings.state.dir), f"folder-{settings.folder.source}")
        own = settings.folder
        source.FolderSource(folders, own.source, own.settle_s, ledger, forwarder).run()


@command.command(epilog="Example: imaging-reference source dimse --config site.toml")
@options.config
def dimse(config: Path | None) -> None:
    """Receive objects (C-STORE), procedure steps (MPPS) and availability notices (IAN) as a DICOM AE.

    Success is answered when the broker has the event. Pixel data is not kept, and Storage Commitment promises
    the event only.
    """
    source = _extra("dimse.server", "dimse")
    settings = options.settings_from(config)
    options.log_as(settings)
    own = settings.dimse
    from processors import telemetry
    from processors.sources.ledger import Ledger
    from processors.stopping import until_signalled
    from processors.stream.input_producer import InputProducer

    producer = InputProducer(settings, prompt=True, timeout_s=own.publish_timeout_s)
    ledger = Ledger(Path(settings.state.dir), f"dimse-{own.ae_title}")
    with until_signalled() as stop:
        server = source.DimseServer(own, ledger, producer)
        telemetry.source_started("dimse", f"{own.ae_title}@{own.host}:{server.port}")
        server.run(stop)
        producer.close()
        telemetry.source_stopped("dimse")


@command.command(epilog="Example: imaging-reference source orthanc --config site.toml")
@click.option("--from-now", is_flag=True, help="At the first start: leave out what the server has already.")
@options.config
def orthanc(config: Path | None, from_now: bool) -> None:
    """Follow an Orthanc server's feed of changes: its instances, and its series once they are stable."""
    settings = options.settings_from(config)
    own = settings.orthanc
    from processors.sources.ledger import Ledger
    from processors.sources.orthanc import OrthancSource

    with _feeding(settings, "orthanc", own.url.rpartition("@")[2]) as forwarder:
        ledger = Ledger(Path(settings.state.dir), f"orthanc-{own.source}")
        OrthancSource(own, ledger, forwarder).run(from_now)


@command.command(epilog="Example: imaging-reference source hl7 --config site.toml")
@options.config
def hl7(config: Path | None) -> None:
    """Receive patient merges (ADT) and corrections of orders (ORM, OMI) over MLLP.

    A message is acknowledged when the broker has its events.
    """
    server, messages = _extra("hl7.server", "hl7"), _extra("hl7.messages", "hl7")
    settings = options.settings_from(config)
    options.log_as(settings)
    own, zone = settings.hl7, settings.policy().identity.site_zone
    from processors import telemetry
    from processors.sources.ledger import Ledger
    from processors.stopping import until_signalled
    from processors.stream.input_producer import InputProducer

    producer = InputProducer(settings, prompt=True, timeout_s=own.publish_timeout_s)
    ledger = Ledger(Path(settings.state.dir), f"hl7-{own.source or own.port}")
    with until_signalled() as stop:
        server.Hl7Server(own, messages.Messages(ledger, own.source, zone), producer).run(stop)
        producer.close()
        telemetry.source_stopped("hl7")


@command.command(epilog="Example: imaging-reference source fhircast --config site.toml")
@options.config
def fhircast(config: Path | None) -> None:
    """Subscribe to a session of a FHIRcast hub: ImagingSelections shared in it become selections.

    An event is answered with 200 when the broker has what follows from it.
    """
    subscriber = _extra("fhircast.subscriber", "fhircast")
    settings = options.settings_from(config)
    options.log_as(settings)
    own = settings.fhircast
    from processors import telemetry
    from processors.core.identity import name_hash
    from processors.fhircast.hub import Hub
    from processors.sources.ledger import Ledger
    from processors.stopping import until_signalled
    from processors.stream.input_producer import InputProducer

    hub = Hub(own)
    producer = InputProducer(settings, prompt=True, timeout_s=own.publish_timeout_s)
    ledger = Ledger(Path(settings.state.dir), f"fhircast-{name_hash(own.url, own.topic)}")
    with until_signalled() as stop:
        telemetry.source_started("fhircast", hub.host)
        subscriber.FhircastSource(own, hub, ledger, producer).run(stop)
        producer.close()
        telemetry.source_stopped("fhircast")


_DATE = click.DateTime(["%Y-%m-%d", "%Y%m%d"])


@command.command(epilog="Example: imaging-reference source dicomweb --since 2026-01-01 --config site.toml")
@click.option("--since", type=_DATE, help="Studies of this day or later (Study Date).")
@click.option("--until", type=_DATE, help="Studies of this day or earlier.")
@click.option("--modality", default="", metavar="CODE", help="Studies with a series of this modality, as CT.")
@options.config
def dicomweb(config: Path | None, since: datetime | None, until: datetime | None, modality: str) -> None:
    """Read in what an archive holds, by QIDO-RS and WADO-RS, and end. What was interrupted goes on."""
    settings = options.settings_from(config)
    own = settings.dicomweb
    from processors.sources.dicomweb import DicomwebSource, Selection
    from processors.sources.ledger import Ledger

    first, last = (day.strftime("%Y%m%d") if day else "" for day in (since, until))
    with _feeding(settings, "dicomweb", own.url.rpartition("@")[2]) as forwarder, _bar() as progress:
        ledger = Ledger(Path(settings.state.dir), f"dicomweb-{own.source}")
        DicomwebSource(own, ledger, forwarder).run(Selection(first, last, modality), progress)


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """On standard error where that is a terminal; yields what to call with studies done and their number."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), "studies", TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _extra(module: str, extra: str = "") -> ModuleType:
    """The source's module, if its extra, of the same name unless said, is installed."""
    try:
        return import_module(f"processors.sources.{module}")
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"{missing.name} is not installed: pip install 'imaging-reference-processors[{extra or module}]'"
        ) from missing


@contextmanager
def _feeding(settings: Settings, kind: str, place: str) -> Iterator[Forwarder]:
    """Log, signals and producer of a source that sends at its own pace."""
    options.log_as(settings)
    from processors import telemetry
    from processors.sources.forwarding import Forwarder
    from processors.stopping import until_signalled
    from processors.stream.input_producer import InputProducer

    producer = InputProducer(settings)
    with until_signalled() as stop:
        telemetry.source_started(kind, place)
        yield Forwarder(kind, producer, stop)
        producer.close()
        telemetry.source_stopped(kind)
