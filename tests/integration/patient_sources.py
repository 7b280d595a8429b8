"""The sources' part of `patient_paths`: senders and neighbours that speak of a patient wherever they can.

Rules of this file: as there; each walk ends when the source has told of what is odd.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from typing import Any
from urllib.parse import quote

from hl7.client import MLLPClient
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from processors.settings.neighbours import Dicomweb, Dimse, Fhircast, Folder, Hl7, Orthanc
from processors.sources.dimse.commitment import STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
from processors.sources.dimse.server import AVAILABILITY, PROCEDURE_STEP
from tests.builders.fhircast_hub import TOPIC, Hub
from tests.builders.images import STUDY
from tests.builders.marked import MARK, data_sets
from tests.builders.web_server import Reply, serving
from tests.integration.patient_paths import Ward
from tests.integration.site import Program, until
from tests.unit.sources.hl7.test_patient_data import MERGE, ORDER
from tests.unit.sources.hl7.test_patient_data import marked as marked_fields

CT = "1.2.840.10008.5.1.4.1.1.2"


def _place(running: Program) -> int:
    """Port of a source that listens."""
    until(lambda: running.said('"source_started"'), "started", running)
    (line,) = [json.loads(each) for each in running.lines() if '"source_started"' in each]
    return int(line["place"].rpartition(":")[2])


def _told(running: Program) -> str:
    assert running.stop() == 0
    return running.log.read_text("utf-8")


def from_a_folder(ward: Ward) -> str:
    """Names of files are names of patients; one may not be read, one is too large."""
    folder = ward.files(f"{MARK}-")
    (folder / MARK).mkdir()
    (folder / MARK / f"{MARK}.dcm").symlink_to(folder / f"{MARK}-image.dcm")
    (folder / f"{MARK}.json").write_bytes(b'{"' + MARK.encode() * (16 * 1024 * 1024 // len(MARK)) + b'": 1}')
    with ward.program("source", "folder", str(folder), folder=Folder(settle_s=0.1)) as running:
        until(lambda: running.said('"source_left_out"'), "left out", running)
        until(lambda: running.said('"source_sent"'), "sent", running)
        return _told(running)


# ---- DICOM ------------------------------------------------------------------------------------------------


def _everything_marked(uids: bool = False) -> Dataset:
    """Attributes of a procedure step or notice, each with the mark; UIDs too, if asked for."""
    item = Dataset()
    uid = MARK if uids else STUDY
    item.StudyInstanceUID, item.AccessionNumber, item.RequestedProcedureDescription = uid, MARK, MARK
    series = Dataset()
    series.SeriesInstanceUID = MARK if uids else f"{STUDY}.2"
    series.SeriesDescription, series.ProtocolName, series.OperatorsName = MARK, MARK, MARK
    image = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CT, MARK if uids else f"{STUDY}.2.1"
    series.ReferencedImageSequence, series.ReferencedSOPSequence = [image], [image]
    image.InstanceAvailability = MARK
    said = Dataset()
    said.PatientName, said.PatientID, said.PatientComments = MARK, MARK, MARK
    said.PerformedProcedureStepID, said.PerformedStationName = MARK, MARK
    said.PerformedProcedureStepStatus = "COMPLETED"
    said.StudyInstanceUID = uid
    other = Dataset()
    other.StudyInstanceUID = "2.999.5"
    said.ScheduledStepAttributesSequence = [item, other] if uids else [item]  # of two: whose are the series?
    said.PerformedSeriesSequence, said.ReferencedSeriesSequence = [series], [series]
    said.TransactionUID, said.ReferencedSOPSequence = uid, [image]
    return said


with warnings.catch_warnings():  # here, for they are every thread's, and walks are threads
    warnings.simplefilter("ignore")  # pydicom's, of what is no UID
    STEPS = {uids: _everything_marked(uids) for uids in (False, True)}


def from_modalities(ward: Ward) -> str:
    with ward.program("source", "dimse", dimse=Dimse(port=0, publish_timeout_s=5.0)) as running:
        ae = AE(ae_title="SCANNER")
        for context in (CT, PROCEDURE_STEP, AVAILABILITY, STORAGE_COMMITMENT):
            ae.add_requested_context(context)
        association = ae.associate("127.0.0.1", _place(running))
        assert association.is_established
        _store(association)
        for uids, said in STEPS.items():
            step = f"2.999.9.{uids:d}"
            for _ in range(2):  # the second is a duplicate
                association.send_n_create(said, PROCEDURE_STEP, step)
            for each in (step, "2.999.9.9"):  # the second was never begun
                association.send_n_set(said, PROCEDURE_STEP, each)
            association.send_n_create(said, AVAILABILITY, f"{step}.1")
        association.send_n_action(STEPS[True], 1, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE)
        until(lambda: running.said('"commitment_reported"'), "the commitment's report", running)
        association.release()
        until(lambda: running.said('"step_without_its_study"'), "a step left out", running)
        until(lambda: running.said('"source_sent"'), "sent", running)
        return _told(running)


def _store(association: Association) -> None:
    """As bytes: the library would mend what it encodes, or refuse to."""
    context = next(each.context_id for each in association.accepted_contexts if each.abstract_syntax == CT)
    assert context is not None
    association._reactor_checkpoint.clear()  # its own thread would take the answers
    until(lambda: association._is_paused, "the library holds still")
    for number, data in enumerate(data_sets(), 1):
        request = C_STORE()
        request.MessageID, request.Priority = number, 2
        request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CT, f"2.999.8.{number}"
        request.DataSet = BytesIO(data)
        association.dimse.send_msg(request, context)
        association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()


# ---- HL7 --------------------------------------------------------------------------------------------------


def from_an_information_system(ward: Ward) -> str:
    with ward.program("source", "hl7", hl7=Hl7(port=0)) as running:
        port = _place(running)
        for message in (MERGE, ORDER):
            for each in list(marked_fields(message))[::5]:
                with MLLPClient("127.0.0.1", port) as client:
                    client.socket.settimeout(0.5)
                    _send(client, b"\x0b" + each + b"\x1c\r")
        with MLLPClient("127.0.0.1", port) as client:
            _send(client, MARK.encode() + b"\x1c\r")
        with MLLPClient("127.0.0.1", port) as client:
            _send(client, b"\x0b" + MARK.encode() * (17 * 1024 * 1024 // len(MARK)) + b"\x1c\r")
        for rule in ("incomplete", "no_message", "not_mllp", "too_large"):
            until(lambda rule=rule: running.said(f'"{rule}"'), rule, running)
        return _told(running)


def _send(client: MLLPClient, block: bytes) -> None:
    try:
        client.send(block)
    except OSError:  # no answer in time, or it hung up
        return


# ---- archives ---------------------------------------------------------------------------------------------

MODEL = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": MARK}]}, "00080016": {"Value": [CT]}}


def from_an_orthanc(ward: Ward) -> str:
    change = {"ChangeType": "NewInstance", "Date": "20260102T110000", "ID": MARK, "Path": f"/x/{MARK}"}
    changes = [{**change, "Seq": 1}, {**change, "Seq": 2, "ID": "gone"}, {**change, "Seq": 3, "ID": "busy"}]
    tags = {"0010,0010": {"Name": MARK, "Type": "String", "Value": MARK}}
    asked: list[str] = []

    def answer(path: str) -> Reply:
        asked.append(path)
        if "/changes?last" in path:
            return _json({"Last": 3})
        if "/changes" in path:
            done = sum("/changes" in each for each in asked)
            return _json({"Changes": changes[:done], "Last": min(done, 3), "Done": False})
        if "gone" in path or "busy" in path:
            return Reply(MARK.encode(), 404 if "gone" in path else 500, {f"X-{MARK}": MARK})
        return _json(tags)

    with serving(answer) as server:
        own = Orthanc(url=server.url(""), poll_s=0.1)
        with ward.program("source", "orthanc", orthanc=own) as running:
            until(lambda: running.said('"gone"'), "gone", running)
            until(lambda: running.said('"source_waiting"'), "waiting", running)
            return _told(running)


def from_an_archive(ward: Ward) -> str:
    studies = [
        {**MODEL, "0020000D": {"Value": [uid]}} for uid in ("2.999.1", f"2.999.2{MARK}", "2.999.3", "2.999.4")
    ]
    series = [{**MODEL, "0020000E": {"Value": [MARK]}}]
    document = {
        **MODEL,
        "00080016": {"Value": ["1.2.840.10008.5.1.4.1.1.88.59"]},
        "00080018": {"Value": [MARK]},
    }

    def answer(path: str) -> Reply:
        if path.startswith("/studies?"):
            return _json(studies if "offset=0" in path else [])
        if path.endswith("/series"):
            return _json(series) if "2.999.3" not in path else Reply(MARK.encode(), 500)
        if path.endswith("/metadata"):
            return _json([{**MODEL, "00080018": {"Value": [MARK]}}] if quote(MARK) in path else [document])
        return Reply(MARK.encode(), 200, {"Content-Type": f"multipart/related; boundary={MARK}"})

    with serving(answer) as server, ExitStack() as held:
        own = Dicomweb(url=server.url(""))
        running = held.enter_context(ward.program("source", "dicomweb", dicomweb=own))
        assert running.wait() == 1
    return running.log.read_text("utf-8")


def _json(said: object) -> Reply:
    return Reply(json.dumps(said).encode(), 200, {"Content-Type": "application/json"})


# ---- a session --------------------------------------------------------------------------------------------


def from_a_session(ward: Ward) -> str:
    with Hub() as hub:
        hub.open("r1", STUDY)
        with ward.program("source", "fhircast", fhircast=Fhircast(url=hub.url, topic=TOPIC)) as running:
            until(lambda: hub.connected, "subscribed", running)
            for number, resource in enumerate(_shared()):
                url = f"ImagingSelection/{MARK}{number}"
                hub.share({"request": {"method": "PUT", "url": url}, "resource": resource})
            issue = [{"severity": "error", "diagnostics": MARK, "details": {"text": MARK}}]
            outcome = {"resourceType": "OperationOutcome", "issue": issue}
            hub.tell("SyncError", {"context": [{"key": "operationoutcome", "resource": outcome}]})
            hub.send(MARK)
            hub.send(json.dumps({"id": MARK, "event": {"hub.topic": MARK, "hub.event": MARK}}))
            hub.send(json.dumps({"id": MARK, "event": MARK, "timestamp": MARK}))
            for rule in ("sync_error", "no_event", "other_topic"):
                until(lambda rule=rule: running.said(f'"{rule}"'), rule, running)
            until(lambda: running.said('"source_sent"'), "sent", running)
            return _told(running)


def _shared() -> Iterator[dict[str, Any]]:
    instance = {"uid": f"{STUDY}.2.1", "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{CT}"}}
    sound = {
        "resourceType": "ImagingSelection",
        "id": MARK,
        "status": "available",
        "code": {"text": MARK},
        "subject": {"display": MARK},
        "studyUid": STUDY,
        "seriesUid": f"{STUDY}.2",
        "instance": [instance],
    }
    yield {**sound, "id": f"{MARK}0"}
    for number, (name, value) in enumerate(
        [
            ("seriesUid", MARK),
            ("studyUid", MARK),
            ("instance", [{"uid": MARK}]),
            ("instance", MARK),
            ("code", MARK),
        ],
        1,
    ):
        yield {**sound, "id": f"{MARK}{number}", name: value}
