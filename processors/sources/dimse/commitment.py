"""Storage Commitment Push Model (PS3.4 J.3): a promise for what the broker has, and for nothing else.

Rules of this file: which objects were published, and the word of it to whoever asked. The promise is that the
event lasts in Kafka; the pixels are not kept here.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Mapping
from typing import Any

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import build_context, build_role

from processors import telemetry
from processors.dicom.commitment import commitment_result
from processors.errors import SettingsError
from processors.sources.ledger import Ledger

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
"""Storage Commitment Push Model SOP Class."""
WELL_KNOWN_INSTANCE = "1.2.840.10008.1.20.1.1"
"""Storage Commitment Push Model SOP Instance (PS3.4 J.3.5)."""
ALL_COMMITTED, SOME_FAILED = 1, 2
"""Event Type ID of the report."""
RETRY_S = 60.0
PENDING_S = 86_400.0
"""A report that could not be delivered for a day is given up: whoever waits for it has asked again."""


class Commitments:
    """`peers`: AE title → `host:port`, for those that want the report on an association of their own.

    Others get it on the one they asked on, where pynetdicom may take a request that crosses the report for
    its answer: that one is asked again. Reports leave from a thread of its own until `close`.

    Raises SettingsError for a peer without host or port.
    """

    def __init__(self, ledger: Ledger, ae_title: str, peers: Mapping[str, str], kept_s: float) -> None:
        for title, peer in peers.items():
            host, _, port = peer.rpartition(":")
            if not host or not port.isdecimal() or int(port) > 65_535:
                raise SettingsError(f"dimse.peers.{title}: expected host:port")
        self._ledger, self._ae_title, self._peers, self._kept_s = ledger, ae_title, peers, kept_s
        self._asked: queue.Queue[tuple[str, Association] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._report, name="commitment", daemon=True)
        self._thread.start()

    def remember(self, sop_class_uid: str, sop_instance_uid: str) -> None:
        """The broker has this object's event."""
        self._ledger.put([(f"sop/{sop_instance_uid}", sop_class_uid)])

    def ask(self, request: Any, ae_title: str, association: Association) -> bool:
        """Take a request (PS3.4 J.3.2); the report follows. False if it names no transaction or no object."""
        transaction = str(getattr(request, "TransactionUID", ""))
        named = [
            (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
            for item in getattr(request, "ReferencedSOPSequence", [])
        ]
        if not transaction or not named:
            return False
        key = f"commitment/{transaction}"
        self._ledger.put([(key, json.dumps({"ae_title": ae_title, "named": named}))])
        self._asked.put((key, association))
        return True

    def close(self) -> None:
        self._asked.put(None)
        self._thread.join()

    def _report(self) -> None:
        while True:
            try:
                asked = self._asked.get(timeout=RETRY_S)
            except queue.Empty:
                self._again()
                continue
            if asked is None:
                return
            key, association = asked
            self._deliver(key, self._ledger.get(key), association)

    def _again(self) -> None:
        """Reports that did not reach a peer, before a restart perhaps; what is too old is forgotten."""
        self._ledger.forget_older("commitment/", PENDING_S)
        self._ledger.forget_older("sop/", self._kept_s)
        for key, kept in self._ledger.scan("commitment/"):
            self._deliver(key, kept, None)

    def _deliver(self, key: str, kept: str | None, association: Association | None) -> None:
        if kept is None:
            return
        asked = json.loads(kept)
        committed = [tuple(each) for each in asked["named"] if self._is_ours(*each)]
        failed = [tuple(each) for each in asked["named"] if not self._is_ours(*each)]
        result = commitment_result(key.partition("/")[2], committed, failed)
        event_type = SOME_FAILED if failed else ALL_COMMITTED
        peer = self._peers.get(asked["ae_title"])
        try:
            if peer:
                delivered = self._over_a_new_one(peer, asked["ae_title"], result, event_type)
            else:
                delivered = association is not None and _send(association, result, event_type)
        except (ValueError, RuntimeError):  # pynetdicom's words for an association that is gone
            delivered = False
        if delivered:
            self._ledger.remove([key])
        telemetry.commitment_reported(len(committed), len(failed), delivered)

    def _is_ours(self, sop_class_uid: str, sop_instance_uid: str) -> bool:
        return self._ledger.get(f"sop/{sop_instance_uid}") == sop_class_uid

    def _over_a_new_one(self, peer: str, ae_title: str, result: Any, event_type: int) -> bool:
        """An association that we ask for as the SCP (PS3.7 D.3.3.4)."""
        host, _, port = peer.rpartition(":")
        ae = AE(ae_title=self._ae_title)
        ae.acse_timeout = ae.dimse_timeout = ae.connection_timeout = 10
        association = ae.associate(
            host,
            int(port),
            contexts=[build_context(STORAGE_COMMITMENT)],
            ae_title=ae_title,
            ext_neg=[build_role(STORAGE_COMMITMENT, scp_role=True)],
        )
        if not association.is_established:
            return False
        try:
            return _send(association, result, event_type)
        finally:
            association.release()


def _send(association: Association, result: Any, event_type: int) -> bool:
    status, _ = association.send_n_event_report(result, event_type, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE)
    return getattr(status, "Status", None) == 0x0000
