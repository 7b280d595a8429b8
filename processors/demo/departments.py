"""What the hospital is made of: patients, studies, series, and the events its machines send.

Rules of this file: invented people, UIDs below 2.25, everything from one seed; single events, no story.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple
from uuid import UUID

from processors.demo.dicom_json import DataSet
from processors.demo.documents import Identity, Place
from processors.wire.json_text import dump

OPENS_AT = datetime(2026, 1, 5, 8, 0, tzinfo=timezone(timedelta(hours=1)))
"""A working day of its own: the events' content does not depend on when the demonstration runs."""

_STORAGE = "1.2.840.10008.5.1.4.1.1"


class Machine(NamedTuple):
    """A modality as its AE title, its class of images and what it looks at."""

    ae_title: str
    modality: str
    sop_class_uid: str
    body_part: str
    frames: int | None = None


CT = Machine("CT1", "CT", f"{_STORAGE}.2", "CHEST")
MR = Machine("MR1", "MR", f"{_STORAGE}.4", "HEAD")
ULTRASOUND = Machine("US2", "US", f"{_STORAGE}.3.1", "HEART", frames=48)
RADIOGRAPHY = Machine("DX1", "DX", f"{_STORAGE}.1.1", "CHEST")
MACHINES = (CT, MR, ULTRASOUND, RADIOGRAPHY)


class Patient(NamedTuple):
    number: str
    name: str


class Study(NamedTuple):
    uid: str
    patient: Patient
    accession_number: str


class Series(NamedTuple):
    study: Study
    machine: Machine
    uid: str
    number: int
    images: tuple[str, ...]
    """SOP Instance UIDs by instance number, from 1."""
    frame_of_reference_uid: str

    def place(self, number: int, frames: tuple[int, ...] = ()) -> Place:
        sop_instance_uid = self.images[number - 1]
        return Place(self.study.uid, self.uid, sop_instance_uid, self.machine.sop_class_uid, frames)


class Message(NamedTuple):
    """One record on its way to an input topic."""

    topic: str
    """`instances` or `reports`, as in `[topics]`."""
    key: bytes | None
    value: bytes | None


_FAMILY_NAMES = ("Meier", "Rossi", "Novak", "Silva", "Okafor", "Lindqvist", "Dubois", "Tanaka")
_GIVEN_NAMES = ("Ada", "Bruno", "Carla", "Dario", "Elif", "Frieda", "Goran", "Hana")


class Departments:
    """Makes studies, images and reports; the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._now = OPENS_AT
        self._studies = 0
        self._events = 0

    def uid(self) -> str:
        """A UUID-derived UID (PS3.5 B.2)."""
        return f"2.25.{UUID(int=self._random.getrandbits(128), version=4).int}"

    def study(self) -> Study:
        self._studies += 1
        name = f"{self._random.choice(_FAMILY_NAMES)}^{self._random.choice(_GIVEN_NAMES)}"
        number = self._studies
        return Study(self.uid(), Patient(f"DEMO{number:04}", name), f"A{number:06}")

    def series(self, study: Study, machine: Machine, number: int, images: int) -> Series:
        in_space = machine.modality in ("CT", "MR")
        uids = tuple(self.uid() for _ in range(images))
        return Series(study, machine, self.uid(), number, uids, self.uid() if in_space else "")

    def choose(self, most: int) -> int:
        """A number from 1 to `most`."""
        return self._random.randint(1, most)

    def shuffled(self, messages: Iterable[Message]) -> list[Message]:
        mixed = list(messages)
        self._random.shuffle(mixed)
        return mixed

    # ---- events ----------------------------------------------------------------------------------------

    def arrived(self, series: Series, number: int, **more: Any) -> Message:
        """Image `number` of the series has arrived; `more`: further members, or others in their place."""
        machine = series.machine
        members = {
            "sop_instance_uid": series.images[number - 1],
            "sop_class_uid": machine.sop_class_uid,
            "instance_number": number,
            "number_of_frames": machine.frames,
            "modality": machine.modality,
            "series_number": series.number,
            "body_part_examined": machine.body_part,
            "frame_of_reference_uid": series.frame_of_reference_uid,
            "patient_id": series.study.patient.number,
            "accession_number": series.study.accession_number,
        }
        return self.event("instance.arrived", machine.ae_title, series, **{**members, **more})

    def event(self, name: str, source: str, series: Series, **members: Any) -> Message:
        """An event of a series, keyed as it should be."""
        where = {"study_instance_uid": series.study.uid, "series_instance_uid": series.uid}
        said = {**self._envelope(name, source), **where, **members}
        value = {member: value for member, value in said.items() if value not in (None, "")}
        return Message("instances", series.study.uid.encode(), dump(value))

    def reported(self, source: str, study: Study, dataset: DataSet) -> Message:
        envelope = self._envelope("report.arrived", source)
        return Message("reports", study.uid.encode(), dump({**envelope, "dataset": dataset}))

    def identity(self, study: Study, series_number: int, author: str) -> Identity:
        """A new document's place in the study, in a series of its own."""
        return Identity(
            patient_name=study.patient.name,
            patient_id=study.patient.number,
            accession_number=study.accession_number,
            study_instance_uid=study.uid,
            series_instance_uid=self.uid(),
            sop_instance_uid=self.uid(),
            series_number=series_number,
            author=author,
            written_at=self._now,
        )

    def _envelope(self, name: str, source: str) -> dict[str, Any]:
        self._events += 1
        self._now += timedelta(milliseconds=700)
        return {
            "event": name,
            "event_id": f"{source}-{self._events}",
            "source": source,
            "occurred_at": self._now.isoformat(timespec="milliseconds"),
        }
