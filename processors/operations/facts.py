"""The analytics topic as read: a revision each, with the change that its headers tell.

Rules of this file: reading and naming; what follows from the facts is the other files' task.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from processors.avro.facts import decode_fact
from processors.avro.registered import Writers
from processors.errors import Delayed, Refused, Unavailable
from processors.pipeline.records import Record


class Revision(NamedTuple):
    change: str
    """published, revised, withdrawn, revived or erased."""
    fact: dict[str, Any]
    """By the names of CONTRACT 6; times are µs UTC."""


def header(record: Record, name: str) -> str:
    """The last header of this name, or empty."""
    values = [value for key, value in record.headers or () if key == name]
    return values[-1].decode(errors="replace") if values else ""


def revision_of(record: Record, writers: Writers | None = None) -> Revision | None:
    """None for what is no fact: anyone who may write can put a record there.

    Raises Unavailable when the registry does not answer.
    """
    try:
        fact = decode_fact(record.value or b"", record.headers, writers)
    except Refused:
        return None
    except Delayed as failed:
        raise Unavailable(str(failed)) from failed
    return Revision(header(record, "ce_type").rpartition(".")[2], fact)
