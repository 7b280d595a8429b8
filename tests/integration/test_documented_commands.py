"""Every command of the README and of the pages in deploy/ is run as it stands there, on a real broker.

A page is a reader's walk: its commands one after the other in one folder, what stays running beside the next.
All pages are of one site; a command that another page has as well is run once. What cannot be run here is in
`ELSEWHERE`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from processors.core.identity import reference_id, series_key
from processors.settings import printable
from processors.settings.neighbours import Dicomweb, Dimse, Fhircast, FhirServer, Hl7, Orthanc
from processors.settings.sections import Http, State
from processors.stream.topics import TOPICS
from tests.broker import Broker, free_port
from tests.builders import phantom
from tests.builders.fhircast_hub import TOPIC, Hub
from tests.builders.images import ct, encoded
from tests.integration import kafka_tools
from tests.integration.desk import STUDY, image
from tests.integration.documents import PAGES, Shell, commands
from tests.integration.orthanc_server import PASSWORD, USER, OrthancServer, orthanc
from tests.integration.site import ROOT, Site, until
from tests.unit.sinks.server import Server

ELSEWHERE = {
    "deploy/demo --once": "below, with what it prints",
    "kubectl kustomize deploy/kubernetes/example | kubectl apply -f -": "no cluster here: what is applied is "
    "held to Kubernetes' own schemas by test_deploy.py",
    "kubectl -n imaging-reference delete pvc state-imaging-reference-0 --wait=false": "no cluster here: a "
    "member without its folder is in tests/integration/test_run.py",
    "kubectl -n imaging-reference delete pod imaging-reference-0": "no cluster here: as above",
    "imaging-reference topics grow --partitions 24 --config site.toml": "with what it prints and refuses: "
    "tests/integration/faults/test_growth.py",
}
"""Command → where it is tried, or why not."""
SERIES = "2.999.1.2"
"""Of the phantom's images, which are the archive's here."""
STAYING = {
    "imaging-reference run": '"restored"',
    "imaging-reference source folder": '"source_started"',
    "imaging-reference source dimse": '"source_started"',
    "imaging-reference source orthanc": '"source_started"',
    "imaging-reference source hl7": '"source_started"',
    "imaging-reference source fhircast": '"source_started"',
    "imaging-reference dashboard": "Live page: ",
    "imaging-reference sink fhir": '"serving"',
}
"""Beginning of a command that stays → what it says when it is there."""
TWO = "imaging-reference run --config site.toml --workers 2"
CREATE = "imaging-reference topics create --config site.toml"
SHOWN = {
    "imaging-reference explain": SERIES,
    "imaging-reference dead-letters list --config": "unknown_event",
    "imaging-reference dead-letters redrive --code unknown_event --dry-run": "1 records would be put back",
    "curl": '"instances":1',
}
"""Beginning of a command → what it cannot say unless it does what the page says."""
KAFKA = "kafka-"
"""Kafka's own tools take a download and a JVM each: nightly."""


class Walk:
    """A page's site and shell."""

    def __init__(self, site: Site, archive: OrthancServer, server: Server, hub: Hub) -> None:
        self.site, self.server, self.is_new = site, server, True
        self.done: set[str] = set()
        dimse, http, url = free_port(), free_port(), archive.url
        self.settings = replace(
            site.settings,
            http=Http(port=http),
            dimse=Dimse(port=dimse),
            orthanc=Orthanc(url=url, user=USER, password=PASSWORD),
            dicomweb=Dicomweb(url=f"{url}/dicom-web", user=USER, password=PASSWORD),
            hl7=Hl7(port=0),
            fhir_server=FhirServer(url=server.url, http_port=free_port()),
            fhircast=Fhircast(url=hub.url, topic=TOPIC, http_port=free_port()),
        )
        own = [role for role in TOPICS if role not in ("instances", "reports")]
        second = replace(self.settings.topics, **{role: f"second-{site.topic(role)}" for role in own})
        beside = replace(
            self.settings,
            kafka={**site.kafka, "group.id": f"second-{site.suffix}"},
            topics=second,
            http=Http(port=0),
            state=State(dir=str(site.folder / "second")),
        )
        files = {"site": self.settings, "tried": self.settings, "second": beside}
        for name, settings in files.items():
            text = printable(settings).replace("********", PASSWORD)
            (site.folder / f"{name}.toml").write_text(text, "utf-8")
        self.reference = reference_id(series_key(ct(1).StudyInstanceUID, SERIES))
        self.shell = Shell(
            site.folder,
            {
                "/archive/": "archive/",
                " /incoming": " incoming",
                "broker:9092": site.bootstrap,
                "fhir-imaging-references": site.topic("fhir"),
                "--topic dicom-instances": f"--topic {site.topic('instances')}",
                "--topic dicom-reports": f"--topic {site.topic('reports')}",
                "--group imaging-reference-sink-fhir": f"--group {site.settings.kafka['group.id']}-sink-fhir",
                "--group imaging-reference": f"--group {site.settings.kafka['group.id']}",
                "353aa0f8-74a7-5d1c-a6a0-5b6d0f6b4c55": self.reference,
                ":8080/": f":{http}/",
                " 11112": f" {dimse}",
                "imaging-reference dashboard": "imaging-reference dashboard --port 0",
                TWO: f"env IMAGING_REFERENCE__HTTP__PORT=0 {TWO}",  # the port after a free one may be none
            },
        )
        (site.folder / "incoming").mkdir()
        phantom.main(str(site.folder / "archive/study"))
        (site.folder / "image.dcm").write_bytes(encoded(ct(1)))

    def given(self, said: list[str]) -> None:
        """A site that runs, where a page begins there."""
        if CREATE not in said and self.is_new:
            self.site.create(3)
            self.feed()
        if CREATE not in said and (self.is_new or any(":8080/" in each for each in said)):
            self.shell.start("imaging-reference run --config site.toml", '"restored"')
            self.shell.run("imaging-reference publish --config site.toml /archive/study/")
        self.is_new = False

    def feed(self) -> None:
        """An image, and a record that becomes a dead letter."""
        self.site.send("instances", [(STUDY.encode(), image(1, 1)), (b"", image(1, 2, event="no.such"))])

    def take(self, command: str) -> None:
        says = says_when_there(command)
        if says is not None:
            self.shell.start(command, says)
            return
        if self.reference in self.shell.here(command):
            until(self.is_published, "the reference")
        if command.startswith("imaging-reference dead-letters"):
            until(self.is_put_aside, "the dead letter")
        if command.startswith("imaging-reference replay-diff"):
            until(lambda: self.shell.succeeds(command), "nothing differs any more")
        said = self.shell.run(command)
        if command == CREATE:
            self.feed()
        for begin, shown in SHOWN.items():
            assert shown in said or not command.startswith(begin), f"{command}\n{said}"
        for file in re.findall(r" > (\S+\.json)$", command):
            json.loads((self.site.folder / file).read_text("utf-8"))

    def is_put_aside(self) -> bool:
        codes = [seen.headers["__imaging.errors.code"] for seen in self.site.read("dead_letters")]
        return b"unknown_event" in codes

    def is_published(self) -> bool:
        return any(seen.key == self.reference.encode() for seen in self.site.read("fhir"))


@pytest.fixture(scope="module")
def walk(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    site = Site(kafka.bootstrap, uuid.uuid4().hex[:8], tmp_path_factory.mktemp("site"))
    folder = tmp_path_factory.mktemp("archive") / "orthanc"
    with orthanc(folder) as archive, Server() as server, Hub() as hub:
        hub.open("r1", STUDY)
        archive.put(encoded(ct(1)))
        yield Walk(site, archive, server, hub)


def says_when_there(command: str) -> str | None:
    """None: it ends by itself."""
    found = [says for begin, says in STAYING.items() if command.startswith(begin)]
    return found[0] if found and "--print-config" not in command else None


def here(page: Path) -> list[str]:
    """Commands of a page that are run on a site."""
    return [each for each in commands(page) if each not in ELSEWHERE and not each.startswith(KAFKA)]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if here(page)], ids=lambda page: page.parent.name + page.name
)
def test_the_commands_of_a_page(page: Path, walk: Walk) -> None:
    said = [each for each in here(page) if each not in walk.done or says_when_there(each) is not None]
    walk.done.update(said)
    try:
        walk.given(said)
        for command in said:
            walk.take(command)
        if "imaging-reference sink fhir --config site.toml" in said:
            until(lambda: walk.server.history, "brought to the server")
        walk.shell.stop()
    finally:
        walk.shell.kill()


def test_what_is_run_elsewhere_is_still_written_somewhere() -> None:
    written = {command for page in PAGES for command in commands(page)}
    assert ELSEWHERE.keys() <= written
    assert len(written) > 30


def test_a_fenced_command_is_found_with_its_here_document(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```console\n$ cat > f <<'END'\n$ x\nEND\n$ one\nits output\n```\n```toml\n$ no\n```\n", "utf-8"
    )
    assert list(commands(page)) == ["cat > f <<'END'\n$ x\nEND", "one"]


TIMES = re.compile(r"\d\d:\d\d:\d\d|\d+\.\d\d s")


@pytest.mark.nightly
def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """But for times and for the order of what happens at the same time."""
    shown = (ROOT / "README.md").read_text("utf-8").split("$ deploy/demo --once\n")[1].split("```")[0]
    lines = [TIMES.sub("#", line) for line in shown.splitlines() if line and line != "…"]
    command = (ROOT / "deploy/demo").read_text("utf-8").splitlines()[-1]
    assert command == 'exec .venv/bin/imaging-reference demo "$@"'
    printed = Shell(tmp_path, {}).run("imaging-reference demo --once")
    assert set(lines) <= {TIMES.sub("#", line).rstrip() for line in printed.splitlines()}


@pytest.mark.nightly
def test_the_commands_of_kafka_s_own_tools(walk: Walk) -> None:
    for name, main in kafka_tools.TOOLS.items():
        walk.shell.put_on_path(name, *kafka_tools.tool(main))
    written = [each for page in PAGES for each in commands(page) if each.startswith(KAFKA)]
    assert {each.split()[0] for each in written} == kafka_tools.TOOLS.keys()
    try:
        walk.given([":8080/"])
        until(walk.is_published, "the reference")
        walk.shell.stop()
        said = {each: walk.shell.run(each) for each in dict.fromkeys(written)}
    finally:
        walk.shell.kill()
    assert '"resourceType":"ImagingSelection"' in said[next(each for each in said if "console" in each)]
