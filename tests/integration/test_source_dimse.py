"""`source dimse` on a real broker: what was answered with success is there, whatever dies in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association

from processors.settings.neighbours import Dimse
from tests.broker import KRaftBroker, _jars
from tests.builders.images import ct, encoded
from tests.builders.key_objects import golden_g3
from tests.integration.site import Program, Site, until
from tests.integration.source_program import PATIENT, says_nothing_of_a_patient, sent, source

CT = "1.2.840.10008.5.1.4.1.1.2"
STORED, OUT_OF_RESOURCES = 0x0000, 0xA700


def _source(site: Site) -> Program:
    return source(site, "dimse", dimse=Dimse(port=0, publish_timeout_s=2.0))


def _port(running: Program) -> int:
    until(lambda: running.said('"source_started"'), "started", running)
    lines = [json.loads(line) for line in running.lines() if '"source_started"' in line]
    return int(lines[-1]["place"].rpartition(":")[2])


def _image(number: int) -> Dataset:
    dataset = ct(number)
    assert str(dataset.PatientName) == PATIENT
    dataset.BitsAllocated = 8
    dataset.PixelData = bytes(512 * 512 * 2)
    return dataset


def _associate(port: int) -> Association:
    ae = AE(ae_title="SCANNER")
    ae.add_requested_context(CT)
    return ae.associate("127.0.0.1", port)


def test_storescu_sends_images_and_a_report(site: Site, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"{number}.dcm").write_bytes(encoded(_image(number)))
    (tmp_path / "report.dcm").write_bytes(golden_g3())
    with source(site, "dimse", dimse=Dimse(port=0)) as running:
        command = ["storescu", "-aet", "CT1", "127.0.0.1", str(_port(running))]
        files = [str(path) for path in sorted(tmp_path.glob("*.dcm"))]
        subprocess.run([*command, *files], check=True, env={**os.environ, "TCP_NODELAY": "1"})
        assert running.stop() == 0
        assert says_nothing_of_a_patient(running)
    assert [event["source"] for event in sent(site)] == ["CT1"] * 3
    assert all(len(seen.value or b"") < 4000 for seen in site.read("instances"))
    (report,) = sent(site, "reports")
    assert report["event"] == "report.arrived"


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[KRaftBroker]:
    """A broker of this test's own, to be killed."""
    (tmp_path / "broker").mkdir()
    broker = KRaftBroker(_jars(), tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


def test_nothing_acknowledged_is_lost_when_the_broker_and_the_source_are_killed(
    mortal: KRaftBroker, tmp_path: Path
) -> None:
    site = Site(mortal.bootstrap, "dimse", tmp_path)
    site.create(3)
    numbers, answers = count(1), list[int]()
    with _source(site) as running:
        association = _associate(_port(running))

        def stored() -> bool:
            answers.append(association.send_c_store(_image(next(numbers))).Status)
            return answers[-1] == STORED

        until(stored, "a broker that has just come up takes the first", running)
        assert [stored(), stored()] == [True, True]
        mortal.stop(signal.SIGKILL)
        assert [stored(), stored()] == [False, False]
        mortal.start()
        until(stored, "the broker is found again", running)
        running.kill()
        with suppress(RuntimeError):  # the association is gone, and may be known to be
            assert "Status" not in association.send_c_store(_image(next(numbers)))
    assert set(answers) == {STORED, OUT_OF_RESOURCES}
    assert len({event["event_id"] for event in sent(site)}) >= answers.count(STORED) >= 4
