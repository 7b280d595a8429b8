"""Events that set right what was said before: their fields, checked, as corrections of the core (CONTRACT 3).

Rules of this file: from fields to values. Unlike an arrival's, every field that is named here is needed, so
what is unusable refuses the record.
"""

from __future__ import annotations

from processors.core.corrections import (
    Correction,
    InstanceErased,
    PatientId,
    PatientMerged,
    PatientUnmerged,
    Scope,
    UidChanged,
)
from processors.core.events import Stamp
from processors.errors import DeadLetterCode, Refused
from processors.wire import uids
from processors.wire.event_fields import CorrectionFields
from processors.wire.texts import bare, has_control


def correction_of(fields: CorrectionFields, stamp: Stamp) -> Correction:
    """Raises Refused: undecodable_record with the field as tag, and the codes of UIDs."""
    name = str(fields.event)
    if name == "instance.erased":
        return InstanceErased(
            uids.required(fields.study_instance_uid, uids.STUDY)[0],
            uids.required(fields.series_instance_uid, uids.SERIES)[0],
            uids.required(fields.sop_instance_uid, uids.SOP_INSTANCE)[0],
            stamp,
        )
    if name == "uid.changed":
        return _changed(fields, stamp)
    if name == "patient.merged":
        prior, survivor = _patients(fields)
        if not survivor.value:
            raise _missing("patient_id")
        return PatientMerged(prior, survivor, stamp)
    return PatientUnmerged(*_patients(fields), stamp)


def _patients(fields: CorrectionFields) -> tuple[PatientId, PatientId]:
    """(prior, survivor)."""
    prior = PatientId(
        _text(fields.prior_patient_id, "prior_patient_id"),
        _text(fields.issuer_of_prior_patient_id, "issuer_of_prior_patient_id"),
    )
    if not prior.value:
        raise _missing("prior_patient_id")
    survivor = PatientId(
        _text(fields.patient_id, "patient_id"), _text(fields.issuer_of_patient_id, "issuer_of_patient_id")
    )
    return prior, survivor


def _changed(fields: CorrectionFields, stamp: Stamp) -> UidChanged:
    """A UID that is said on one side only is the same on the other."""
    levels = [
        (uids.STUDY, fields.prior_study_instance_uid, fields.study_instance_uid),
        (uids.SERIES, fields.prior_series_instance_uid, fields.series_instance_uid),
        (uids.SOP_INSTANCE, fields.prior_sop_instance_uid, fields.sop_instance_uid),
    ]
    while len(levels) > 1 and not (levels[-1][1] or levels[-1][2]):
        levels.pop()
    prior = (uids.required(old or new, tag)[0] for tag, old, new in levels)
    present = (uids.required(new or old, tag)[0] for tag, old, new in levels)
    return UidChanged(Scope(*prior), Scope(*present), stamp)


def _text(value: str | None, field: str) -> str:
    text = bare(value or "")
    if has_control(text):
        raise Refused(DeadLetterCode.UNDECODABLE_RECORD, "this field has control characters", field)
    return text


def _missing(field: str) -> Refused:
    return Refused(DeadLetterCode.UNDECODABLE_RECORD, "this field is missing or empty", field)
