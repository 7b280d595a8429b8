"""What a report costs, by kind: read, and all the way to its references; beside pydicom on the same bytes.

*read* is `event_of_object`: bytes to groups. *pipeline* is that, folding, evaluation, FHIR and facts, checked
and encoded, and the rows of a store in memory. *dcmread* is pydicom's on the same bytes: it leaves sequences
that have a length unread. *delimited* is dcmread where sequences end by delimiters, as many writers have it:
then it reads them. *every element* is dcmread and a look at all elements.

Rules of this file: no broker; CPU time, the least of some rounds; a document's size is counted in what it is
made of, and growth is what four times as many cost.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import NamedTuple

import numpy as np
from highdicom.sr import (
    FindingSite,
    ImageRegion,
    Measurement,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    SourceImageForRegion,
    TrackingIdentifier,
)
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from processors.core.events import Stamp
from processors.dicom import ReadingPolicy, event_of_object
from processors.pipeline.building import pipeline_of
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputTopic, Record
from processors.settings import Settings
from tests.builders.images import ct, encoded
from tests.builders.key_objects import key_objects
from tests.builders.presentation_states import annotation, graphic, presentation_state
from tests.builders.segmentations import bare_segmentation, derived, reference, referenced_series, segment
from tests.builders.structure_sets import contour, roi, structure_set
from tests.builders.structured_reports import LENGTH, MASS, MILLIMETRE, report

NOW_MS = 1_767_348_000_000
_DICOM = [("content-type", b"application/dicom")]
_STAMP = Stamp(NOW_MS * 1000, False, "PACS", "e1", b"12345678")
_CONTOUR_POINTS = 100


class Kind(NamedTuple):
    name: str
    of: str
    """What its size counts."""
    size: int
    make: Callable[[int], Dataset]


class Cost(NamedTuple):
    """Of one document, in milliseconds of CPU time."""

    read: float
    pipeline: float
    dcmread: float
    delimited: float
    every_element: float
    references: int


def _key_objects(images: int) -> Dataset:
    return key_objects("2.999.1.200.1", [ct(number) for number in range(1, images + 1)])


def _report(groups: int) -> Dataset:
    images = [ct(number) for number in range(1, groups + 1)]
    return report("2.999.1.100.1", [_group(image) for image in images], images)


def _group(image: Dataset) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """TID 1410: a tracked, sited finding with a polyline and three measurements."""
    corners = np.array([[10.1, 20.2], [30, 20.2], [30, 40], [10.1, 20.2]])
    source = SourceImageForRegion(image.SOPClassUID, image.SOPInstanceUID)
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=f"2.999.1.77.{image.InstanceNumber}", identifier="lesion"),
        referenced_region=ImageRegion(graphic_type="POLYLINE", graphic_data=corners, source_image=source),
        finding_type=MASS,
        finding_sites=[FindingSite(codes.SCT.Lung, laterality=codes.SCT.Left)],
        measurements=[Measurement(name=LENGTH, value=20.5, unit=MILLIMETRE) for _ in range(3)],
    )


def _segmentation(segments: int) -> Dataset:
    """On two frames each, of an image each."""
    images = [ct(number) for number in range(1, 2 * segments + 1)]
    numbered = [segment(number) for number in range(1, segments + 1)]
    return bare_segmentation(numbered, [referenced_series(images)], [derived(reference(i)) for i in images])


def _presentation_state(graphics: int) -> Dataset:
    images = [ct(1), ct(2)]
    drawn = [graphic("POLYLINE", (100.5, 100.5, 140, 100.5, 140, 130.25 + n)) for n in range(graphics)]
    return presentation_state(images, [annotation(drawn, images[:1])])


def _structure_set(points: int) -> Dataset:
    """One region of interest, closed contours of a hundred points."""
    drawn = [
        contour("CLOSED_PLANAR", [f"{n * 0.37 + at:.2f}" for n in range(3 * _CONTOUR_POINTS)])
        for at in range(points // _CONTOUR_POINTS)
    ]
    return structure_set([roi(1, "GTV")], {1: drawn})


KINDS = (
    Kind("KOS", "images", 10, _key_objects),
    Kind("TID 1500 SR", "groups", 20, _report),
    Kind("SEG", "segments", 50, _segmentation),
    Kind("GSPS", "graphics", 5, _presentation_state),
    Kind("RTSTRUCT", "points", 5_000, _structure_set),
)


def cost(data: bytes, rounds: int) -> Cost:
    """Raises AssertionError if the document is not applied."""
    pipeline, topic = pipeline_of(Settings(), 1), Settings().topics.intake
    record = Record("reports", 0, 0, NOW_MS, None, data, _DICOM)
    with_delimiters = _delimited(data)
    published: list[int] = []

    def through() -> None:
        member = MemoryMember(lambda: pipeline, 1, topic)
        outputs = member.feed([record], NOW_MS)
        assert member.dispositions == {("applied", ""): 1}
        published.append(sum(output.topic is OutputTopic.FHIR for output in outputs))

    return Cost(
        _least_ms(lambda: event_of_object(data, _STAMP, ReadingPolicy(), dated=True), rounds),
        _least_ms(through, rounds),
        _least_ms(lambda: dcmread(BytesIO(data)), rounds),
        _least_ms(lambda: dcmread(BytesIO(with_delimiters)), rounds),
        _least_ms(lambda: list(dcmread(BytesIO(data)).iterall()), rounds),
        published[-1],
    )


def _delimited(data: bytes) -> bytes:
    """The same, with delimiters instead of lengths."""
    dataset = dcmread(BytesIO(data))
    for element in dataset.iterall():
        if element.VR == "SQ":
            element.value.is_undefined_length = element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
    return encoded(dataset)


def report_lines(rounds: int) -> Iterator[str]:
    """A line a kind, and one on how each grows."""
    growth = []
    for name, of, size, make in KINDS:
        data, four = encoded(make(size)), encoded(make(4 * size))
        ours, big = cost(data, rounds), cost(four, rounds)
        yield (
            f"{name:11} {size:5} {of:8} {len(data) / 1024:5.1f} KiB {ours.references:3} references: "
            f"{1000 / ours.pipeline:4.0f} documents/s, "
            f"read {ours.read:5.2f} ms, pipeline {ours.pipeline:5.2f} ms"
        )
        for work, took in (("read", ours.read), ("pipeline", ours.pipeline)):
            yield (
                f"    {work:8} : dcmread {took / ours.dcmread:5.1f}, delimited {took / ours.delimited:5.2f}, "
                f"every element {took / ours.every_element:5.2f}"
            )
        growth.append(f"{name} {big.read / ours.read:.1f} and {big.pipeline / ours.pipeline:.1f}")
    yield "four times as much costs, to read and through the pipeline: " + "; ".join(growth)


def _least_ms(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return max(min(taken), 1e-6) * 1000
