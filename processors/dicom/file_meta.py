"""Preamble and File Meta Information (PS3.10 7.1) around a data set that has none.

Rules of this file: bytes only. pydicom's writer checks and sorts each element, which takes longer than all
else that is done to an image on its way in.
"""

from __future__ import annotations

import struct

EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_PREAMBLE = 128


def file_meta(transfer_syntax_uid: str, sop_class_uid: str = "", sop_instance_uid: str = "") -> bytes:
    """What precedes a data set in a Part 10 object; empty UIDs are left out."""
    elements = b"".join(
        struct.pack("<HH2sH", 0x0002, element, b"UI", len(value)) + value
        for element, uid in (
            (0x0002, sop_class_uid),
            (0x0003, sop_instance_uid),
            (0x0010, transfer_syntax_uid),
        )
        if (value := _even(uid.encode("ascii", "replace")))
    )
    length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(elements))
    return bytes(_PREAMBLE) + b"DICM" + length + elements


def _even(value: bytes) -> bytes:
    return value + b"\0" if len(value) % 2 else value
