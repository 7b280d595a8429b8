"""`source orthanc` against a real Orthanc and a real broker."""

from __future__ import annotations

import base64

from processors.settings.neighbours import Orthanc
from tests.builders.images import ct, encoded
from tests.builders.key_objects import golden_g3
from tests.integration.orthanc_server import PASSWORD, USER, OrthancServer, orthanc
from tests.integration.site import Program, Site, until
from tests.integration.source_program import says_nothing_of_a_patient, sent, source


def _source(site: Site, server: OrthancServer, *arguments: str) -> Program:
    own = Orthanc(url=server.url, user=USER, password=PASSWORD, source="PACS", poll_s=0.2)
    program = source(site, "orthanc", *arguments, orthanc=own)
    config = site.folder / "orthanc.toml"  # what is printed has the password masked
    config.write_text(config.read_text("utf-8").replace("********", PASSWORD), "utf-8")
    return program


def _named(site: Site, event: str) -> list[dict[str, object]]:
    return [each for each in sent(site) if each["event"] == event]


def _completed(site: Site) -> dict[str, dict[str, object]]:
    """By series: one that grows slowly is stable more than once."""
    return {str(event["series_instance_uid"]): event for event in _named(site, "series.completed")}


def test_changes_once_each_over_restarts_of_either_side(site: Site) -> None:
    with orthanc(site.folder / "pacs") as server:
        for number in range(1, 4):
            server.put(encoded(ct(number)))
        server.put(golden_g3())
        with _source(site, server) as running:
            until(lambda: len(_named(site, "instance.arrived")) == 3, "images", running)
            until(lambda: len(sent(site, "reports")) == 1, "the report", running)
            until(lambda: len(_completed(site)) == 2, "stable series", running)
            assert running.stop() == 0
            assert says_nothing_of_a_patient(running)
        server.put(encoded(ct(4)))
        with _source(site, server) as running:
            until(lambda: len(_named(site, "instance.arrived")) == 4, "what came in between", running)
            server.stop()
            until(lambda: running.said('"source_waiting"'), "the server is missed", running)
            server.start()
            server.put(encoded(ct(5)))
            until(lambda: len(_named(site, "instance.arrived")) == 5, "what came after", running)
            running.kill()
    (report,) = sent(site, "reports")
    assert base64.b64decode(str(report["document"])) == golden_g3()
    assert _completed(site)["2.999.1.2"]["study_instance_uid"] == "2.999.1"
    assert {event["source"] for event in sent(site)} == {"PACS"}


def test_from_now_leaves_out_what_is_there(site: Site) -> None:
    with orthanc(site.folder / "pacs") as server:
        server.put(encoded(ct(1)))
        with _source(site, server, "--from-now") as running:
            until(lambda: running.said('"source_started"'), "started", running)
            until(lambda: bool(list((site.folder / "state").glob("source-orthanc*"))), "its mark", running)
            until(lambda: bool(_put_another(server) and _named(site, "instance.arrived")), "the new", running)
    seen = {str(event["dataset"]["00080018"]["Value"][0]) for event in _named(site, "instance.arrived")}  # type: ignore[index]
    assert "2.999.1.2.1" not in seen


_numbers = iter(range(2, 1000))


def _put_another(server: OrthancServer) -> bool:
    server.put(encoded(ct(next(_numbers))))
    return True
