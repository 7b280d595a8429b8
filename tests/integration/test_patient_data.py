"""Nothing of a patient gets out by any way but in the records' own values: one table of all ways."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import click
import pytest

from processors.cli import program
from tests.broker import Broker
from tests.builders.marked import MARK
from tests.integration import patient_paths as paths
from tests.integration import patient_sources as sources
from tests.integration.patient_paths import Ward
from tests.integration.site import Site


class Path(NamedTuple):
    walk: Callable[[Ward], str]
    seen: tuple[str, ...]
    """What must stand in what is told, or the path was not walked."""


def told(name: str) -> Callable[[Ward], str]:
    """By the processor that folded the ward's records."""
    return lambda ward: ward.told[name]


PATHS = {
    "run: log, metrics, /series, /references": Path(
        told("run"), ("dead_lettered", "records_total", "document_")
    ),
    "run: headers of what is published": Path(told("headers"), ("ce_id", "__imaging.errors.code")),
    "run: facts": Path(told("facts"), ("reference_id",)),
    "run: traces": Path(told("traces"), ("imaging-reference batch", "imaging_reference.kind")),
    "dead-letters": Path(paths.letters, ("undecodable_record", "document_refused", "would be put back")),
    "explain": Path(paths.explained, ("revisions",)),
    "early-closes": Path(paths.closed_early, ("0\n",)),
    "replay-diff": Path(paths.replayed, ("records ", "references")),
    "dashboard: page, stream, log": Path(paths.page, ("undecodable_record", "event: board", "source")),
    "assemble": Path(paths.assembled, ("undecodable_record", "reference_id", "references")),
    "publish": Path(paths.published, ("127.0.0.1:1",)),
    "render": Path(paths.drawn, ("imaging-reference: ",)),
    "source folder": Path(sources.from_a_folder, ("too_large",)),
    "source dimse": Path(sources.from_modalities, ("commitment_reported",)),
    "source hl7": Path(sources.from_an_information_system, ("incomplete",)),
    "source orthanc": Path(sources.from_an_orthanc, ("the server answered 500",)),
    "source dicomweb": Path(sources.from_an_archive, ("study_unreadable", "could not be read: run it again")),
    "source fhircast": Path(sources.from_a_session, ("source_sent",)),
    "sink fhir: refused": Path(paths.to_a_server_that(409, 422), ("sink_refused",)),
    "sink fhir: out of order": Path(paths.to_a_server_that(500), ("the server answered 500",)),
    "sink fhir: not let in": Path(paths.to_a_server_that(403), ("check the token",)),
    "sink fhir: nobody there": Path(paths.to_nobody, ("the server does not answer",)),
    "sink fhircast: refused": Path(paths.to_a_hub_that(422), ("sink_refused",)),
    "sink fhircast: out of order": Path(paths.to_a_hub_that(503), ("the hub answered 503",)),
}
"""Each name begins with a command."""
PROCESSES = ("dashboard", "source", "sink")
AT_A_TIME = 4
NO_RECORDS = {
    "demo": "a hospital that is made up",
    "settings": "the settings that there are",
    "topics": "topics and their settings; `grow` copies entries of state and says how many",
}
"""Commands that are given nothing of a patient, and why."""


@pytest.fixture(scope="module")
def ward(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Ward:
    site = Site(kafka.bootstrap, uuid.uuid4().hex[:8], tmp_path_factory.mktemp("ward"))
    site.create(3)
    return Ward(site)


@pytest.fixture(scope="module")
def beside(ward: Ward) -> Iterator[dict[str, Future[str]]]:
    """Paths that are processes of their own, which mostly wait: several at a time."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {name: pool.submit(PATHS[name].walk, ward) for name in PATHS if name.startswith(PROCESSES)}


IN_ORDER = [name for name in PATHS if not name.startswith(PROCESSES)]
IN_ORDER += [name for name in PATHS if name.startswith(PROCESSES)]


@pytest.mark.parametrize("name", IN_ORDER)
def test_nothing_of_a_patient_gets_out(ward: Ward, beside: dict[str, Future[str]], name: str) -> None:
    path = PATHS[name]
    said = beside[name].result() if name in beside else path.walk(ward)
    assert [each for each in path.seen if each not in said] == []
    where = said.lower().find(MARK.lower())
    assert where < 0, said[max(0, where - 300) : where + 100]


def test_every_command_is_a_path_or_is_given_nothing() -> None:
    names = set()
    for name in program.list_commands(click.Context(program)):
        command = program.get_command(click.Context(program), name)
        is_bridge = name in ("source", "sink")
        assert command is not None
        names |= {f"{name} {each}" for each in command.commands} if is_bridge else {name}  # type: ignore[attr-defined]
    walked = {path.partition(":")[0] for path in PATHS}
    assert names == walked | NO_RECORDS.keys()
    assert not walked & NO_RECORDS.keys()
