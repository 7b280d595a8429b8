"""Encapsulated data (PS3.5 A.4): items without headers of their own kind, up to a delimiter.

Rules of this file: where it ends; what is in it is never read here.
"""

from __future__ import annotations

import struct

from processors.dicom.data_set import Buffer
from processors.dicom.element_headers import ITEM, SEQUENCE_END, UNDEFINED, Encoding
from processors.dicom.time_budget import TimeBudget

_HEADER = {True: struct.Struct("<HHI").unpack_from, False: struct.Struct(">HHI").unpack_from}
"""By whether it is little endian."""


def fragments_end(data: Buffer, at: int, end: int, encoding: Encoding, budget: TimeBudget) -> int:
    """Position after the sequence delimiter of encapsulated data from `at`; -1: none comes by `end`."""
    unpack = _HEADER[encoding.little]
    while at + 8 <= end:
        budget.step()
        group, element, length = unpack(data, at)
        tag = group << 16 | element
        if tag == SEQUENCE_END:
            return int(at + 8)
        if tag != ITEM or length == UNDEFINED:
            return -1
        at += 8 + length
    return -1
