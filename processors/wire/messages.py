"""Events as MessagePack, for the intake topic: what is forwarded, and what one study tells another.

Rules of this file: the kind is the event's class name; arrays, no meaning. FORMAT grows with any change;
members are only ever added at the end, with a default: what lies unread at an upgrade is read all the same.
"""

from __future__ import annotations

import msgspec

from processors.core.corrections import (
    AnyEvent,
    ErasuresTold,
    InstanceErased,
    ItemErased,
    PatientMerged,
    PatientUnmerged,
    StudyTold,
    UidChanged,
)
from processors.core.events import (
    DocumentArrived,
    DocumentsSuperseded,
    FragmentReported,
    InstanceArrived,
    InstanceDeleted,
    InstancesRejected,
    SelectionMade,
    SelectionWithdrawn,
    SeriesCompleted,
    StudyUpdated,
)
from processors.errors import DeadLetterCode, Refused

FORMAT = 5
"""3: without the volume of an instance; 4: of a document's former contents in another study, not when."""

READABLE = range(3, FORMAT + 1)

_TYPES: tuple[type[AnyEvent], ...] = (
    InstanceArrived,
    InstanceDeleted,
    SeriesCompleted,
    StudyUpdated,
    DocumentArrived,
    SelectionMade,
    SelectionWithdrawn,
    FragmentReported,
    InstancesRejected,
    DocumentsSuperseded,
    PatientMerged,
    PatientUnmerged,
    InstanceErased,
    ItemErased,
    ErasuresTold,
    UidChanged,
    StudyTold,
)
_DECODERS = {t.__name__: msgspec.msgpack.Decoder(t) for t in _TYPES}
_encode = msgspec.msgpack.Encoder().encode


def pack(event: object) -> tuple[str, bytes]:
    """(kind, body) of an event or of any value made of core types."""
    return type(event).__name__, _encode(event)


def unpack(kind: str, body: bytes) -> AnyEvent:
    """The event; raises Refused(undecodable_record) for what this version does not know."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "intake record of an unknown kind", "kind")
    try:
        event: AnyEvent = decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "intake record that cannot be read", kind) from error
    return event
