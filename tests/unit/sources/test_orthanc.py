"""Orthanc's answers, sound and odd."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from processors import telemetry
from processors.core.events import InstanceArrived, Stamp
from processors.dicom import ReadingPolicy, event_of_json
from processors.settings.neighbours import Orthanc
from processors.sources.forwarding import Forwarder
from processors.sources.ledger import Ledger
from processors.sources.orthanc import OrthancSource, dicom_json
from processors.stream.input_producer import InputProducer
from tests.builders.web_server import Reply, serving
from tests.integration.site import until

TAGS = {
    "0008,0016": {"Name": "SOPClassUID", "Type": "String", "Value": "1.2.840.10008.5.1.4.1.1.2"},
    "0008,0018": {"Name": "SOPInstanceUID", "Type": "String", "Value": "2.999.1.2.1"},
    "0008,0060": {"Name": "Modality", "Type": "String", "Value": "CT"},
    "0008,1111": {"Name": "Unknown", "Type": "TooLong", "Value": None},
    "0008,2218": {
        "Name": "AnatomicRegionSequence",
        "Type": "Sequence",
        "Value": [
            {
                "0008,0100": {"Name": "CodeValue", "Type": "String", "Value": "51185008"},
                "0008,0102": {"Name": "CodingSchemeDesignator", "Type": "String", "Value": "SCT"},
                "0008,0104": {"Name": "CodeMeaning", "Type": "String", "Value": "Thorax"},
            }
        ],
    },
    "0010,0010": {"Name": "PatientName", "Type": "String", "Value": "Müller^Jane"},
    "0010,0020": {"Name": "PatientID", "Type": "String", "Value": "P1"},
    "0020,000d": {"Name": "StudyInstanceUID", "Type": "String", "Value": "2.999.1"},
    "0020,000e": {"Name": "SeriesInstanceUID", "Type": "String", "Value": "2.999.1.2"},
    "0020,0013": {"Name": "InstanceNumber", "Type": "String", "Value": "7"},
    "0028,0008": {"Name": "NumberOfFrames", "Type": "String", "Value": ""},
    "0028,0010": {"Name": "Rows", "Type": "String", "Value": "512"},
}


def test_orthanc_s_tags_are_read_like_an_object_s() -> None:
    model = dicom_json(TAGS)
    assert "00081111" not in model
    event = event_of_json(model, Stamp(0, False, "", "", b""), ReadingPolicy(), dated=True)
    assert isinstance(event, InstanceArrived)
    assert (event.study_instance_uid, event.sop_instance_uid) == ("2.999.1", "2.999.1.2.1")
    assert (event.instance.number, event.instance.frames) == (7, None)
    assert event.header.anatomic_region is not None
    assert event.header.anatomic_region.code == "51185008"
    assert (event.header.modality, event.header.patient_id) == ("CT", "P1")
    assert event.warnings == ()


class Taker:
    """In the producer's place: takes all."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    def send(self, value: bytes, _: object) -> None:
        self.values.append(value)

    def answered(self, _: float) -> bool:
        return True


CHANGE = {"Seq": 1, "ChangeType": "NewInstance", "Date": "20260102T110000", "ID": "a"}


@pytest.mark.parametrize(
    "odd",
    [
        {"/changes?last": []},
        {"/changes?last": {"Last": "x"}},
        {"/changes?since": {}},
        {"/changes?since": {"Changes": 5, "Last": 1, "Done": True}},
        {"/changes?since": {"Changes": [5], "Last": 1, "Done": True}},
        {"/changes?since": {"Changes": [{**CHANGE, "Date": "Doe^Jane"}], "Last": 1, "Done": True}},
        {"/instances": ["Doe^Jane"]},
        {"/instances": "Doe^Jane"},
    ],
)
def test_a_server_that_is_no_orthanc_is_waited_for(tmp_path: Path, odd: dict[str, Any]) -> None:
    """It is told what to look at, and goes on once that is mended."""
    sound = {
        "/changes?last": {"Last": 1},
        "/changes?since": {"Changes": [CHANGE], "Last": 1, "Done": True},
        "/instances": TAGS,
    }
    now = {**sound, **odd}
    log, stop, taker = io.StringIO(), threading.Event(), Taker()
    telemetry.configure("json", "debug", log)
    answer = lambda path: Reply(json.dumps(next(v for k, v in now.items() if path.startswith(k))).encode())  # noqa: E731
    with serving(answer) as server:
        forwarder = Forwarder("orthanc", cast("InputProducer", taker), stop)
        source = OrthancSource(Orthanc(url=server.url(""), poll_s=0.01), Ledger(tmp_path, "test"), forwarder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("processors.sources.orthanc.RETRY_S", 0.01)
            thread = threading.Thread(target=source.run)
            thread.start()
            until(lambda: '"source_waiting"' in log.getvalue(), "waits")
            now.update(sound)
            until(lambda: taker.values, "goes on")
            stop.set()
            thread.join()
    assert "check orthanc.url" in log.getvalue()
    assert "Doe" not in log.getvalue()
