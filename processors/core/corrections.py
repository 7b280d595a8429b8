"""What sets right what was said before: patients that are one, instances that must go, as immutable values.

Rules of this file: as `core.events`, of which these are the rare ones. Fields of a UID that is empty mean
"any"; times are in the stamps.
"""

from __future__ import annotations

from typing import NamedTuple

from processors.core.events import DocumentPath, Event, Stamp


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


class InstanceErased(NamedTuple):
    """Nothing that happened to this instance up to then may be kept or shown (CONTRACT 2)."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    stamp: Stamp

    @property
    def path(self) -> DocumentPath:
        return DocumentPath(self.study_instance_uid, self.series_instance_uid, self.sop_instance_uid)


class ItemErased(NamedTuple):
    """An instance of another study, which documents of this study refer to, was erased; told by its home."""

    study_instance_uid: str
    path: DocumentPath
    stamp: Stamp


class ErasuresTold(NamedTuple):
    """What was erased of a study; told to others in which the same instances had or have other names."""

    study_instance_uid: str
    """Whom it is told."""
    erased: tuple[tuple[str, int], ...]
    """(hash of a path, until when), as `StudyState.erased` has them."""
    stamp: Stamp


class Scope(NamedTuple):
    """A study, one of its series or one of its instances, with all that lies in it."""

    study_instance_uid: str
    series_instance_uid: str = ""
    sop_instance_uid: str = ""


class UidChanged(NamedTuple):
    """What lay in `prior` lies in `present` now, under the same names below; told to every home."""

    prior: Scope
    present: Scope
    """Of the same depth."""
    stamp: Stamp

    @property
    def study_instance_uid(self) -> str:
        """Of no study."""
        return ""


class StudyTold(NamedTuple):
    """State entries of a study some of which lies elsewhere now, for the home of where it lies."""

    origin: str
    """The study."""
    entries: tuple[tuple[str, bytes | None], ...]
    """Key and value, as in its own home; None: the entry is gone."""
    stamp: Stamp
    """Of no event; its time is when this was told."""
    partly_erased: bool = False
    """Something of the study was: what is missing is to go, rather than to be withdrawn."""

    @property
    def study_instance_uid(self) -> str:
        """Of no one study."""
        return ""


Correction = (
    PatientMerged | PatientUnmerged | InstanceErased | ItemErased | ErasuresTold | UidChanged | StudyTold
)
AnyEvent = Event | Correction
