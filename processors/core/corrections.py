"""What sets right what was said before: patients that are one, as immutable values.

Rules of this file: as `core.events`, of which these are the rare ones. Fields of a UID that is empty mean
"any"; times are in the stamps.
"""

from __future__ import annotations

from typing import NamedTuple

from processors.core.events import Event, Stamp


class PatientId(NamedTuple):
    """Patient ID (0010,0020) with its issuer: a URI, an OID, a local name, or empty."""

    value: str
    issuer: str = ""


class PatientMerged(NamedTuple):
    """`prior` is no longer used: what was his is the survivor's (HL7 v2 A40). Told to every home."""

    prior: PatientId
    survivor: PatientId
    stamp: Stamp

    @property
    def study_instance_uid(self) -> str:
        """Of no study."""
        return ""


class PatientUnmerged(NamedTuple):
    """Takes a merge back (HL7 v2 A37)."""

    prior: PatientId
    survivor: PatientId
    """An empty value: whomever `prior` was merged into."""
    stamp: Stamp

    @property
    def study_instance_uid(self) -> str:
        """Of no study."""
        return ""


Correction = PatientMerged | PatientUnmerged
AnyEvent = Event | Correction
