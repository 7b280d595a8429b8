"""The association acceptor: C-ECHO, C-STORE, MPPS, IAN, Storage Commitment.

Rules of this file: negotiation and status codes. Success is answered when the broker has the event, and never
before: what was not published gets a failure, and its sender keeps it.
"""

from __future__ import annotations

import logging
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pynetdicom import AE, _config, evt

from processors import telemetry
from processors.dicom.file_meta import file_meta
from processors.errors import Unavailable
from processors.settings.neighbours import Dimse
from processors.sources.dimse.commitment import STORAGE_COMMITMENT, Commitments
from processors.sources.dimse.completion import STEPS_KEPT_S, ProcedureSteps, UnknownStep, of_availability
from processors.sources.dimse.tuning import tune
from processors.sources.events import Outgoing, arrival_of
from processors.sources.forwarding import Publisher
from processors.sources.ledger import Ledger

KIND = "dimse"
VERIFICATION = "1.2.840.10008.1.1"
PROCEDURE_STEP, AVAILABILITY = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.5.1.4.33"
"""SOP classes: Modality Performed Procedure Step, Instance Availability Notification (PS3.4 F, R)."""
SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
"""Of C-STORE (PS3.4 B.2.3)."""
PROCESSING_FAILURE, DUPLICATE, NO_SUCH_INSTANCE, INVALID_ARGUMENT = 0x0110, 0x0111, 0x0112, 0x0115
"""Of DIMSE-N (PS3.7 C)."""
PDU_BYTES = 1 << 17
"""Largest PDU we take. The usual 16 KiB is some thirty PDUs for a slice, each of which costs a turn."""
TIDY_S = 3600.0

logging.getLogger("pynetdicom").setLevel(logging.ERROR)  # senders that break off are no news
_config.LOG_HANDLER_LEVEL = "none"
_config.UNRESTRICTED_STORAGE_SERVICE = True  # private and future storage classes too: nothing is turned away


class DimseServer:
    """Listens from construction until `close`. Raises SettingsError, Unavailable if its address is taken."""

    def __init__(self, settings: Dimse, ledger: Ledger, publisher: Publisher) -> None:
        self._settings, self._publisher, self._ledger = settings, publisher, ledger
        self._steps = ProcedureSteps(ledger)
        tls, days = _tls_of(settings), settings.commitment_days
        self._commitments = (
            Commitments(ledger, settings.ae_title, settings.peers, days * 86_400.0) if days else None
        )
        ae = self._entity()
        try:
            self._server = ae.start_server(
                (settings.host, settings.port),
                block=False,
                evt_handlers=self._answers(),
                ssl_context=tls,
            )
        except OSError as error:
            if self._commitments:
                self._commitments.close()
            raise Unavailable(
                f"{settings.host}:{settings.port} cannot be bound ({error.strerror}): set dimse.port"
            ) from error
        assert self._server is not None
        self.port = int(self._server.server_address[1])

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; associations that are open then are aborted, and their senders keep what is open."""
        while not stop.wait(TIDY_S):
            self._ledger.forget_older("step/", STEPS_KEPT_S)
        self.close()

    def close(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        if self._commitments:
            self._commitments.close()

    def _entity(self) -> AE:
        ae = AE(ae_title=self._settings.ae_title)
        ae.maximum_pdu_size = PDU_BYTES
        ae.maximum_associations = self._settings.max_associations
        ae.require_called_aet = self._settings.require_called_ae_title
        ae.require_calling_aet = list(self._settings.callers)
        for sop_class in (VERIFICATION, PROCEDURE_STEP, AVAILABILITY):
            ae.add_supported_context(sop_class)
        if self._commitments:
            ae.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
        return ae

    def _answers(self) -> list[evt.EventHandlerType]:
        return [
            (evt.EVT_CONN_OPEN, tune),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_N_CREATE, self._create),
            (evt.EVT_N_SET, self._set),
            (evt.EVT_N_ACTION, self._act),
        ]

    def _store(self, event: evt.Event) -> int:
        request: Any = event.request
        sop = (request.AffectedSOPClassUID, request.AffectedSOPInstanceUID)
        meta = file_meta(event.context.transfer_syntax, *sop)
        outgoing = arrival_of(meta + request.DataSet.getvalue(), _sender(event), datetime.now(UTC))
        if outgoing is None:
            telemetry.source_left_out(KIND, "too_large")
            return CANNOT_UNDERSTAND
        if not self._published([outgoing]):
            return OUT_OF_RESOURCES
        if self._commitments:
            self._commitments.remember(*sop)
        return SUCCESS

    def _create(self, event: evt.Event) -> tuple[int, None]:
        request: Any = event.request
        said = event.attribute_list
        if request.AffectedSOPClassUID == AVAILABILITY:
            return self._answer(of_availability(said, _sender(event), datetime.now(UTC)))
        if not self._steps.begin(request.AffectedSOPInstanceUID, said):
            return DUPLICATE, None
        return SUCCESS, None

    def _set(self, event: evt.Event) -> tuple[int, None]:
        request: Any = event.request
        try:
            events = self._steps.completed(
                request.RequestedSOPInstanceUID, event.modification_list, _sender(event), datetime.now(UTC)
            )
        except UnknownStep:
            return NO_SUCH_INSTANCE, None
        return self._answer(events)

    def _act(self, event: evt.Event) -> tuple[int, None]:
        if event.action_type != 1 or self._commitments is None:
            return PROCESSING_FAILURE, None
        asked = self._commitments.ask(event.action_information, _sender(event), event.assoc)
        return (SUCCESS if asked else INVALID_ARGUMENT), None

    def _answer(self, events: list[Outgoing]) -> tuple[int, None]:
        return (SUCCESS if self._published(events) else PROCESSING_FAILURE), None

    def _published(self, events: list[Outgoing]) -> bool:
        try:
            for each in events:
                self._publisher.deliver(each.value, each.headers)
        except Unavailable as failed:
            telemetry.broker_unreachable(str(failed))
            return False
        telemetry.source_sent(KIND, len(events))
        return True


def _sender(event: evt.Event) -> str:
    return str(event.assoc.requestor.ae_title).strip()


def _tls_of(settings: Dimse) -> ssl.SSLContext | None:
    """TLS with the site's certificate; with `tls_ca_file` callers must show one of that authority."""
    if not settings.tls_cert_file:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file or None)
        if settings.tls_ca_file:
            context.load_verify_locations(Path(settings.tls_ca_file))
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise Unavailable(f"dimse.tls_…_file cannot be used: {error.strerror or error}") from error
    return context
