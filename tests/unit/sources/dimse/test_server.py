"""The server as senders see it, over real associations on loopback; the broker is one that can be down."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association

from processors.core.events import InstanceArrived, Stamp
from processors.dicom import ReadingPolicy, event_of_object
from processors.errors import SettingsError, Unavailable
from processors.pipeline.records import Headers
from processors.settings.neighbours import Dimse
from processors.sources.dimse.commitment import STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
from processors.sources.dimse.server import AVAILABILITY, PROCEDURE_STEP, VERIFICATION, DimseServer
from processors.sources.ledger import Ledger
from tests.builders.images import ct

CT, PRIVATE = "1.2.840.10008.5.1.4.1.1.2", "1.2.826.0.1.3680043.8.498.1"
STEP = "2.999.5.1"
WITHIN_S = 60.0


class Broker:
    """Takes what it is given, unless it is down."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.down = False

    def deliver(self, value: bytes, headers: Headers) -> None:
        if self.down:
            raise Unavailable("the broker did not take a record (_MSG_TIMED_OUT)")
        self.values.append(value)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(value) for value in self.values]


class Site:
    """A server that can be started again, and the ways to it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.broker = folder, Broker()
        self.settings = Dimse(port=0)
        self.start()

    def start(self, **settings: Any) -> None:
        self.settings = replace(self.settings, **settings)
        self.ledger = Ledger(self.folder, "test")
        self.server = DimseServer(self.settings, self.ledger, self.broker)

    def stop(self) -> None:
        self.server.close()
        self.ledger.close()

    def associate(self, *contexts: Any, caller: str = "SCANNER", **more: Any) -> Association:
        ae = AE(ae_title=caller)
        for context in contexts:
            ae.add_requested_context(*context if isinstance(context, tuple) else (context,))
        return ae.associate("127.0.0.1", self.server.port, **more)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.stop()


def image(number: int) -> Dataset:
    dataset = ct(number)
    dataset.BitsAllocated = 8
    dataset.PixelData = b"PIXELDATA!" * 1000
    return dataset


def step(status: str, **series: int) -> Dataset:
    """N-SET of a step; `series`: name → number of images."""
    changed = Dataset()
    changed.PerformedProcedureStepStatus = status
    changed.PerformedSeriesSequence = []
    for name, count in series.items():
        item = Dataset()
        item.SeriesInstanceUID = f"2.999.1.{name.removeprefix('s')}"
        item.ReferencedImageSequence = references(item.SeriesInstanceUID, count)
        changed.PerformedSeriesSequence.append(item)
    return changed


def references(series: str, count: int) -> list[Dataset]:
    made = []
    for number in range(1, count + 1):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, f"{series}.{number}"
        made.append(item)
    return made


def begun(*studies: str) -> Dataset:
    created = Dataset()
    created.PerformedProcedureStepStatus = "IN PROGRESS"
    created.ScheduledStepAttributesSequence = []
    for study in studies:
        item = Dataset()
        item.StudyInstanceUID = study
        created.ScheduledStepAttributesSequence.append(item)
    return created


def counts(broker: Broker) -> dict[tuple[str, str], int]:
    return {
        (event["study_instance_uid"], event["series_instance_uid"]): event[
            "number_of_series_related_instances"
        ]
        for event in broker.events()
        if event["event"] == "series.completed"
    }


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_an_image_is_published_without_its_pixels_before_it_is_answered(site: Site, syntax: str) -> None:
    association = site.associate((CT, syntax))
    assert association.send_c_store(image(1)).Status == 0x0000
    (event,) = site.broker.events()
    association.release()
    assert (event["event"], event["source"]) == ("instance.arrived", "SCANNER")
    document = base64.b64decode(event["document"])
    assert b"PIXELDATA" not in document
    arrived = event_of_object(document, Stamp(0, False, "", "", b""), ReadingPolicy(), dated=True)
    assert isinstance(arrived, InstanceArrived)
    assert (arrived.study_instance_uid, arrived.sop_instance_uid) == ("2.999.1", "2.999.1.2.1")
    assert arrived.warnings == ()


def test_what_the_broker_does_not_take_is_a_failure(site: Site) -> None:
    association = site.associate(CT, PROCEDURE_STEP, AVAILABILITY)
    assert association.send_n_create(begun("2.999.1"), PROCEDURE_STEP, STEP)[0].Status == 0x0000
    site.broker.down = True
    assert association.send_c_store(image(1)).Status == 0xA700
    assert association.send_n_set(step("COMPLETED", s2=3), PROCEDURE_STEP, STEP)[0].Status == 0x0110
    site.broker.down = False
    assert association.send_c_store(image(1)).Status == 0x0000
    assert association.send_n_set(step("COMPLETED", s2=3), PROCEDURE_STEP, STEP)[0].Status == 0x0000
    association.release()
    assert [event["event"] for event in site.broker.events()] == ["instance.arrived", "series.completed"]


def test_private_classes_and_echo_are_taken(site: Site) -> None:
    association = site.associate(PRIVATE, VERIFICATION)
    assert association.send_c_echo().Status == 0x0000
    dataset = image(1)
    dataset.SOPClassUID = PRIVATE
    assert association.send_c_store(dataset).Status == 0x0000
    association.release()
    assert len(site.broker.values) == 1


def test_a_step_completes_its_series_also_over_a_restart(site: Site) -> None:
    association = site.associate(PROCEDURE_STEP)
    assert association.send_n_create(begun("2.999.1"), PROCEDURE_STEP, STEP)[0].Status == 0x0000
    assert association.send_n_create(begun("2.999.1"), PROCEDURE_STEP, STEP)[0].Status == 0x0111
    assert association.send_n_set(step("IN PROGRESS", s2=3), PROCEDURE_STEP, STEP)[0].Status == 0x0000
    association.release()
    assert counts(site.broker) == {}
    site.stop()
    site.start()
    association = site.associate(PROCEDURE_STEP)
    ended = step("DISCONTINUED", s2=3, s3=40, s4=0)
    assert association.send_n_set(ended, PROCEDURE_STEP, STEP)[0].Status == 0x0000
    assert association.send_n_set(ended, PROCEDURE_STEP, "2.999.5.2")[0].Status == 0x0112
    association.release()
    assert counts(site.broker) == {("2.999.1", "2.999.1.2"): 3, ("2.999.1", "2.999.1.3"): 40}
    kept = b"".join(path.read_bytes() for path in site.folder.iterdir())
    assert b"Doe" not in kept


@pytest.mark.parametrize("studies", [(), ("2.999.1", "2.999.2")])
def test_a_step_of_no_one_study_completes_nothing(site: Site, studies: tuple[str, ...]) -> None:
    association = site.associate(PROCEDURE_STEP)
    assert association.send_n_create(begun(*studies), PROCEDURE_STEP, STEP)[0].Status == 0x0000
    assert association.send_n_set(step("COMPLETED", s2=3), PROCEDURE_STEP, STEP)[0].Status == 0x0000
    association.release()
    assert site.broker.values == []


def test_an_availability_notice_completes_a_series(site: Site) -> None:
    notice = Dataset()
    notice.StudyInstanceUID = "2.999.1"
    series = Dataset()
    series.SeriesInstanceUID = "2.999.1.2"
    series.ReferencedSOPSequence = references("2.999.1.2", 4)
    for item, availability in zip(
        series.ReferencedSOPSequence, ["ONLINE", "NEARLINE", "UNAVAILABLE", "ONLINE"], strict=True
    ):
        item.InstanceAvailability = availability
    notice.ReferencedSeriesSequence = [series]
    association = site.associate(AVAILABILITY)
    assert association.send_n_create(notice, AVAILABILITY, "2.999.6.1")[0].Status == 0x0000
    association.release()
    assert counts(site.broker) == {("2.999.1", "2.999.1.2"): 3}


def test_only_allowed_callers_associate(site: Site) -> None:
    site.stop()
    site.start(callers=("SCANNER",), require_called_ae_title=True)
    assert site.associate(VERIFICATION, caller="OTHER", ae_title="IMAGINGREF").is_rejected
    assert site.associate(VERIFICATION, ae_title="ANOTHER").is_rejected
    association = site.associate(VERIFICATION, ae_title="IMAGINGREF")
    assert association.is_established
    association.release()


class Reports:
    """What a commitment's requestor hears."""

    def __init__(self) -> None:
        self.heard = threading.Event()
        self.event_type, self.result = 0, Dataset()
        self.listen: list[evt.EventHandlerType] = [(evt.EVT_N_EVENT_REPORT, self.take)]

    def take(self, event: evt.Event) -> tuple[int, None]:
        self.event_type, self.result = event.event_type or 0, event.event_information
        self.heard.set()
        return 0x0000, None


def asking(*numbers: int) -> Dataset:
    request = Dataset()
    request.TransactionUID = "2.999.7.1"
    request.ReferencedSOPSequence = [references("2.999.1.2", number)[-1] for number in numbers]
    return request


def uids(sequence: Any) -> list[str]:
    return [item.ReferencedSOPInstanceUID for item in sequence]


def test_commitment_on_the_same_association(site: Site) -> None:
    reports = Reports()
    association = site.associate(CT, STORAGE_COMMITMENT, evt_handlers=reports.listen)
    assert association.send_c_store(image(1)).Status == 0x0000
    site.broker.down = True
    assert association.send_c_store(image(2)).Status == 0xA700
    bad, _ = association.send_n_action(asking(), 1, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE)
    assert bad.Status == 0x0115
    status, _ = association.send_n_action(asking(1, 2), 1, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE)
    assert status.Status == 0x0000
    assert reports.heard.wait(WITHIN_S)
    assert (reports.event_type, reports.result.TransactionUID) == (2, "2.999.7.1")
    assert uids(reports.result.ReferencedSOPSequence) == ["2.999.1.2.1"]
    assert uids(reports.result.FailedSOPSequence) == ["2.999.1.2.2"]
    assert reports.result.FailedSOPSequence[0].FailureReason == 0x0112
    association.release()


@pytest.fixture
def scanner() -> Iterator[tuple[Reports, int]]:
    """A requestor that takes its report on an association of its own."""
    reports, ae = Reports(), AE(ae_title="SCANNER")
    ae.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
    listening = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=reports.listen)
    assert listening is not None
    yield reports, listening.server_address[1]
    listening.shutdown()


def test_commitment_on_a_new_association_to_a_known_peer(site: Site, scanner: tuple[Reports, int]) -> None:
    reports, port = scanner
    site.stop()
    site.start(peers={"SCANNER": f"127.0.0.1:{port}"})
    association = site.associate(CT, STORAGE_COMMITMENT)
    assert association.send_c_store(image(1)).Status == 0x0000
    status, _ = association.send_n_action(asking(1), 1, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE)
    association.release()
    assert status.Status == 0x0000
    assert reports.heard.wait(WITHIN_S)
    assert reports.event_type == 1
    assert uids(reports.result.ReferencedSOPSequence) == ["2.999.1.2.1"]


@pytest.mark.parametrize("peer", ["", "ct1", "ct1:", ":104", "ct1:dicom", "ct1:104000"])
def test_a_peer_without_a_place_is_a_mistake_of_the_settings(tmp_path: Path, peer: str) -> None:
    with pytest.raises(SettingsError, match=r"dimse\.peers\.CT1: expected host:port"):
        DimseServer(Dimse(port=0, peers={"CT1": peer}), Ledger(tmp_path, "other"), Broker())


def test_without_commitment_the_context_is_not_accepted(site: Site) -> None:
    site.stop()
    site.start(commitment_days=0)
    association = site.associate(STORAGE_COMMITMENT, VERIFICATION)
    assert [context.abstract_syntax for context in association.accepted_contexts] == [VERIFICATION]
    association.release()


def test_an_address_in_use_is_one_line(site: Site, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "other", "test")
    with pytest.raises(Unavailable, match="cannot be bound"):
        DimseServer(Dimse(port=site.server.port), ledger, site.broker)
    assert [thread.name for thread in threading.enumerate()].count("commitment") == 1
    ledger.close()
