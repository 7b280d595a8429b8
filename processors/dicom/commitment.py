"""The Event Information of Storage Commitment (PS3.4 J.3.3): which objects are committed, and which not.

Rules of this file: the data set only; who keeps what is the source's to know.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

NO_SUCH_OBJECT = 0x0112
"""Failure Reason (0008,1197): the object was never received here."""


def commitment_result(
    transaction_uid: str, committed: Sequence[tuple[str, str]], failed: Sequence[tuple[str, str]]
) -> Dataset:
    """`committed`, `failed`: (SOP Class UID, SOP Instance UID) in the order of the request."""
    result = Dataset()
    result.TransactionUID = transaction_uid
    if committed:
        result.ReferencedSOPSequence = [_reference(*each) for each in committed]
    if failed:
        result.FailedSOPSequence = [_reference(*each) for each in failed]
        for item in result.FailedSOPSequence:
            item.FailureReason = NO_SUCH_OBJECT
    return result


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class_uid
    item.ReferencedSOPInstanceUID = sop_instance_uid
    return item
