"""A day in the hospital: images arrive, people and machines refer to them, and things go wrong.

Rules of this file: the story, act by act, in the order a newcomer should see it; how an event looks is
`departments`'. An act begins when all that the one before brought about has been published.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from processors.demo.departments import (
    CT,
    MACHINES,
    MR,
    RADIOGRAPHY,
    ULTRASOUND,
    Departments,
    Message,
    Series,
)
from processors.demo.documents import (
    OF_INTEREST,
    REJECTED_FOR_QUALITY,
    REJECTED_FOR_SAFETY,
    Place,
    key_objects,
    measurement_report,
)

_OUTLINE = (201.5, 188.25, 224.0, 188.25, 224.0, 207.5, 201.5, 207.5, 201.5, 188.25)
r"""A nodule's outline, column\row pairs, closed."""
_VIEWER, _AI, _ARCHIVE = "VIEWER", "LUNG-AI", "ARCHIVE"


class Act(NamedTuple):
    title: str
    messages: tuple[Message, ...]
    documents: tuple[tuple[str, bytes], ...] = ()
    """What the archive can be asked for from then on: file names and contents."""


class Hospital:
    """The same seed gives the same day, byte for byte."""

    def __init__(self, seed: int, archive: str = "file:///archive") -> None:
        """`archive`: the uri below which its documents are."""
        self._departments = Departments(seed)
        self._archive = archive

    def day(self) -> Iterator[Act]:
        """The scenario of `demo --once`."""
        make = self._departments
        chest, head = make.study(), make.study()
        axial, coronal = make.series(chest, CT, 2, 25), make.series(chest, CT, 3, 12)
        brain = make.series(head, MR, 4, 20)
        heart = make.series(make.study(), ULTRASOUND, 1, 6)
        thorax = make.series(make.study(), RADIOGRAPHY, 1, 2)
        first_slices = [make.arrived(axial, number) for number in range(1, 25)]
        yield Act(
            "A CT with two series and an MR arrive.",
            (*first_slices, *self._counted(coronal), *self._completed(brain)),
        )
        yield Act(
            "An ultrasound, keyed by image where study was asked for, and an X-ray with series number 1.5.",
            (*self._keyed_by_image(heart), *self._numbered_oddly(thorax)),
        )
        yield Act(
            "A router sends 24 CT images three times more, in any order: nothing new to publish.",
            tuple(make.shuffled(first_slices * 3)),
        )
        yield Act("A late CT image: its series is amended.", (make.arrived(axial, 25),))
        yield Act(
            "A radiologist marks two CT images and three frames of an ultrasound (key objects).",
            (self._key_images(axial, coronal), self._key_frames(heart)),
        )
        yield Act(
            "She measures a nodule (structured report); an AI marks one in each of two images.",
            (self._measurement(axial), self._finding(axial, 12, "f1"), self._finding(axial, 19, "f2")),
        )
        yield Act(
            "The AI takes one back; an MR image is rejected for quality, the X-ray for patient safety.",
            (
                self._withdrawal(axial, "f2"),
                self._rejection(brain, (7,), REJECTED_FOR_QUALITY),
                self._rejection(thorax, (1, 2), REJECTED_FOR_SAFETY),
            ),
        )
        yield self._poison(make.series(chest, CT, 4, 3))

    def further(self) -> Iterator[Act]:
        """An archive that is down for a while, then study after study, without end."""
        make = self._departments
        yield from self._outage(make.series(make.study(), RADIOGRAPHY, 7, 1))
        while True:
            machine = MACHINES[make.choose(len(MACHINES)) - 1]
            images = 2 * make.choose(6)
            series = make.series(make.study(), machine, make.choose(4), images)
            yield Act(f"{machine.ae_title} sends {images} images.", self._counted(series))
            if make.choose(3) == 1:
                image = make.choose(images)
                yield Act("A radiologist marks one of them.", (self._key_images(series, at=image),))

    # ---- images ----------------------------------------------------------------------------------------

    def _counted(self, series: Series) -> tuple[Message, ...]:
        """A sender that says how many images there are: rule `counted`."""
        expected = len(series.images)
        return tuple(
            self._departments.arrived(series, number, number_of_series_related_instances=expected)
            for number in range(1, expected + 1)
        )

    def _completed(self, series: Series) -> tuple[Message, ...]:
        """A sender that says when it is done: rule `completed`."""
        make = self._departments
        images = [make.arrived(series, number) for number in range(1, len(series.images) + 1)]
        return (*images, make.event("series.completed", series.machine.ae_title, series))

    def _keyed_by_image(self, series: Series) -> tuple[Message, ...]:
        """Most of these are not home and are forwarded."""
        return tuple(
            message._replace(key=series.images[index].encode())
            for index, message in enumerate(self._counted(series))
        )

    def _numbered_oddly(self, series: Series) -> tuple[Message, ...]:
        return tuple(
            self._departments.arrived(series, number, series_number=1.5)
            for number in range(1, len(series.images) + 1)
        )

    # ---- reports and selections ------------------------------------------------------------------------

    def _key_images(self, *series: Series, at: int = 5) -> Message:
        make = self._departments
        study = series[0].study
        who = make.identity(study, 900, "Curie^Marie")
        images = [each.place(at) for each in series]
        return make.reported(_VIEWER, study, key_objects(who, OF_INTEREST, images, "Please discuss"))

    def _key_frames(self, series: Series) -> Message:
        make = self._departments
        who = make.identity(series.study, 900, "Curie^Marie")
        frames = [series.place(2, (12, 13, 40))]
        return make.reported(_VIEWER, series.study, key_objects(who, OF_INTEREST, frames))

    def _measurement(self, series: Series) -> Message:
        make = self._departments
        who = make.identity(series.study, 901, "Curie^Marie")
        report = measurement_report(who, series.place(12), _OUTLINE, 22.5)
        return make.reported(_VIEWER, series.study, report)

    def _rejection(self, series: Series, numbers: tuple[int, ...], title: tuple[str, str, str]) -> Message:
        make = self._departments
        who = make.identity(series.study, 999, "Curie^Marie")
        note = key_objects(who, title, [series.place(number) for number in numbers])
        return make.reported(_ARCHIVE, series.study, note)

    def _finding(self, series: Series, number: int, selection_id: str) -> Message:
        """A selection that needs no DICOM object."""
        image = {
            "sop_instance_uid": series.images[number - 1],
            "sop_class_uid": series.machine.sop_class_uid,
            "regions_2d": [{"region_type": "circle", "coordinates": [212.5, 198, 224, 198]}],
        }
        selection = {
            "selection_id": selection_id,
            "code": {"system": "SCT", "code": "27925004", "display": "Nodule"},
            "performer": {"type": "Device", "display": "Lung AI 2.1"},
            "instances": [image],
        }
        return self._departments.event("selection.made", _AI, series, selection=selection)

    def _withdrawal(self, series: Series, selection_id: str) -> Message:
        withdrawn = {"selection_id": selection_id}
        return self._departments.event("selection.withdrawn", _AI, series, selection=withdrawn)

    # ---- what goes wrong -------------------------------------------------------------------------------

    def _outage(self, series: Series) -> Iterator[Act]:
        """A dead letter that nobody but the archive is to blame for: a redrive mends it."""
        place = series.place(1)
        name, uri = "xray.dcm", f"{self._archive}/xray.dcm"
        envelope = self._departments.event("instance.arrived", _ARCHIVE, series, uri=uri)
        yield Act("The archive tells of an X-ray that has to be fetched from it, and goes down.", (envelope,))
        yield Act(
            "It is back. Put back what failed: dead-letters redrive --code document_unavailable",
            (),
            ((name, _image(place)),),
        )

    def _poison(self, series: Series) -> Act:
        make = self._departments
        first, second, third = self._counted(series)
        key = series.study.uid.encode()
        value = make.arrived(series, 1).value or b""
        poison = (
            Message("instances", key, value[: len(value) // 2]),
            make.event("instance.teleported", CT.ae_title, series),
            Message("instances", key, _cut_short(series.study.uid)),
            Message("instances", key, None),
        )
        title = "Broken JSON, an unknown event, a DICOM file cut short and an empty record, among good ones."
        return Act(title, (first, *poison[:2], second, *poison[2:], third))


def _image(place: Place) -> bytes:
    """A Part 10 object of the image, without its pixels."""
    return (
        bytes(128)
        + b"DICM"
        + _element(0x0002, 0x0010, b"1.2.840.10008.1.2.1")
        + _element(0x0008, 0x0016, place.sop_class_uid.encode())
        + _element(0x0008, 0x0018, place.sop_instance_uid.encode())
        + _element(0x0008, 0x0060, RADIOGRAPHY.modality.encode(), b"CS")
        + _element(0x0020, 0x000D, place.study_instance_uid.encode())
        + _element(0x0020, 0x000E, place.series_instance_uid.encode())
    )


def _cut_short(study_instance_uid: str) -> bytes:
    """A Part 10 object (PS3.10 7.1) that ends within its Study Instance UID."""
    meta = _element(0x0002, 0x0010, b"1.2.840.10008.1.2.1")
    study = _element(0x0020, 0x000D, study_instance_uid.encode())
    data_set = _element(0x0008, 0x0016, CT.sop_class_uid.encode()) + _element(0x0008, 0x0018, b"2.25.1")
    return bytes(128) + b"DICM" + meta + data_set + study[:-12]


def _element(group: int, element: int, value: bytes, vr: bytes = b"UI") -> bytes:
    """Explicit VR little endian (PS3.5 7.1.2), of even length."""
    padded = value + b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", group, element, vr, len(padded)) + padded
