"""What makes an association quick: the socket, reading from it, and the answer to a C-STORE in bytes.

Rules of this file: the same bytes on the wire as without it, sooner. What is here stands in for pynetdicom's
own on a single association.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from pynetdicom import evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket

READ_BYTES = 1 << 17
WAIT_S = 0.001
"""How long an idle association waits for data before it looks at what else there is to do."""
C_STORE_RSP, NO_DATA_SET = 0x8001, 0x0101
"""Command Field, Command Data Set Type (PS3.7 E.1, 9.3.1.2)."""
_LAST_COMMAND_FRAGMENT = b"\x03"
"""Message Control Header (PS3.8 E.2)."""


def tune(event: evt.Event) -> None:
    """For EVT_CONN_OPEN. Nagle's algorithm would hold an answer back until the sender's delayed
    acknowledgement, some 40 ms.
    """
    dul, dimse = event.assoc.dul, event.assoc.dimse
    connection: Any = dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.__class__ = _PromptSocket
        dul._run_loop_delay = 0  # noqa: SLF001 (the socket waits instead)
    dimse.send_msg = partial(_send, dimse.send_msg, dul)  # type: ignore[method-assign]


class _PromptSocket(AssociationSocket):
    """Hears of data at once, where pynetdicom sleeps and looks again; reads more than its 4 KiB at a time,
    which are 130 system calls for a CT slice.
    """

    @property
    def ready(self) -> bool:
        connection: Any = self.socket
        with suppress(OSError, ValueError, TypeError):  # closed meanwhile: said by the other
            select.select([connection], [], [], WAIT_S)
        return super().ready

    def recv(self, nr_bytes: int) -> bytearray:
        data = bytearray()
        connection: Any = self.socket
        while len(data) < nr_bytes and (more := connection.recv(min(nr_bytes - len(data), READ_BYTES))):
            data += more
        return data


def _send(send: Callable[[Any, int], None], dul: Any, message: Any, context_id: int) -> None:
    """As DIMSEServiceProvider.send_msg. pydicom's writer, which checks each element, twice, takes a third of
    all that is done to an image; a C-STORE-RSP is always the same six elements, and fits any PDU.
    """
    if not isinstance(message, C_STORE) or message.MessageIDBeingRespondedTo is None:
        send(message, context_id)
        return
    fragment = P_DATA()
    fragment.presentation_data_value_list.append((context_id, _LAST_COMMAND_FRAGMENT + c_store_rsp(message)))
    dul.socket.send(P_DATA_TF(fragment).encode())  # from this thread: the other would have to wake up first


def c_store_rsp(message: C_STORE) -> bytes:
    """Its command set, in implicit VR little endian (PS3.7 6.3.1, 9.3.1.2)."""
    elements = b"".join(
        (
            _element(0x0002, _uid(message.AffectedSOPClassUID)),
            _element(0x0100, struct.pack("<H", C_STORE_RSP)),
            _element(0x0120, struct.pack("<H", message.MessageIDBeingRespondedTo)),
            _element(0x0800, struct.pack("<H", NO_DATA_SET)),
            _element(0x0900, struct.pack("<H", message.Status)),
            _element(0x1000, _uid(message.AffectedSOPInstanceUID)),
        )
    )
    return _element(0x0000, struct.pack("<I", len(elements))) + elements


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0x0000, number, len(value)) + value


def _uid(uid: str | None) -> bytes:
    value = str(uid or "").encode("ascii", "replace")
    return value + b"\0" if len(value) % 2 else value
