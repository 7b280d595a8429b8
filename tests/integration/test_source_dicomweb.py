"""`source dicomweb` against the DICOMweb plugin of a real Orthanc, and a real broker."""

from __future__ import annotations

import json

from processors.settings.neighbours import Dicomweb
from tests.builders.images import ct, encoded
from tests.builders.key_objects import golden_g3
from tests.integration.orthanc_server import PASSWORD, USER, OrthancServer, orthanc
from tests.integration.site import Program, Site, until
from tests.integration.source_program import says_nothing_of_a_patient, source


def _source(site: Site, server: OrthancServer, *arguments: str) -> Program:
    own = Dicomweb(url=f"{server.url}/dicom-web", user=USER, password=PASSWORD, source="PACS")
    program = source(site, "dicomweb", *arguments, dicomweb=own)
    config = site.folder / "dicomweb.toml"  # what is printed has the password masked
    config.write_text(config.read_text("utf-8").replace("********", PASSWORD), "utf-8")
    return program


def _image(study: int, number: int) -> bytes:
    dataset = ct(number)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"2.999.{study}", f"2.999.{study}.2"
    dataset.SOPInstanceUID = f"2.999.{study}.2.{number}"
    dataset.StudyDate = f"202601{study:02}"
    dataset.BitsAllocated = 8
    dataset.PixelData = b"PIXELDATA!" * 1000
    return encoded(dataset)


def _images(site: Site) -> list[str]:
    models = [json.loads(seen.value or b"") for seen in site.read("instances")]
    return sorted(model["00080018"]["Value"][0] for model in models)


def test_studies_once_each_and_what_is_new_at_the_next_run(site: Site) -> None:
    with orthanc(site.folder / "pacs") as server:
        for study in range(2, 5):
            for number in (1, 2):
                server.put(_image(study, number))
        server.put(golden_g3())
        with _source(site, server, "--since", "2026-01-03") as running:
            assert running.wait() == 0
        assert _images(site) == ["2.999.3.2.1", "2.999.3.2.2", "2.999.4.2.1", "2.999.4.2.2"]
        with _source(site, server) as running:
            assert running.wait() == 0
            assert says_nothing_of_a_patient(running)
        assert len(_images(site)) == 6
        server.put(_image(3, 3))
        with _source(site, server) as running:
            assert running.wait() == 0
        assert _images(site).count("2.999.3.2.3") == 1
        assert len(_images(site)) == 9  # a study that grew is sent again, the others are not
        assert b"PIXELDATA" not in b"".join(seen.value or b"" for seen in site.read("instances"))
        (report,) = site.read("reports")
        assert (report.key, (report.value or b"")[128:132]) == (b"2.999.1", b"DICM")


def test_an_archive_that_refuses_or_is_none_is_one_line(site: Site) -> None:
    with orthanc(site.folder / "pacs") as server:
        own = Dicomweb(url=f"{server.url}/dicom-web", user=USER, password="wrong")
        with source(site, "dicomweb", dicomweb=own) as running:
            assert running.wait() == 1
        assert running.lines()[-1].endswith("the server answered 401: check [dicomweb]")
    with source(site, "dicomweb", dicomweb=Dicomweb(url="ftp://archive")) as running:
        assert running.wait() == 2
    assert "dicomweb.url" in running.lines()[-1]


def test_an_archive_that_is_away_is_waited_for(site: Site) -> None:
    with orthanc(site.folder / "pacs") as server:
        server.put(_image(2, 1))
        server.stop()
        with _source(site, server) as running:
            until(lambda: running.said('"source_waiting"'), "missed", running)
            server.start()
            assert running.wait() == 0
    assert _images(site) == ["2.999.2.2.1"]
