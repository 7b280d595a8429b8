"""What many events of one kind cost: four times as many are four times the work, whatever came before them.

Rules of this file: work is counted in calls of functions, which are the same on every machine; never timed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import pytest

from processors.core.corrections import AnyEvent, Scope, UidChanged
from processors.core.events import DocumentPath
from processors.core.policy import Policy
from processors.dicom import ReadingPolicy
from processors.pipeline.decode import Decoder
from processors.pipeline.memory import MemoryMember
from processors.pipeline.topology import Limits, Pipeline
from processors.stream.store import SqliteStore
from tests.builders.events import SERIES, STUDY, arrived, document, item, key_images, reported, stamp
from tests.property.events import INTAKE, PARTITIONS, record_of
from tests.property.runs import NOW_MS

CACHED = 100_000
"""Instances: the studies stay in memory, as they do where they are warm."""

FEW = 50

ALLOWED = 6
"""In place of 4: a step may walk over its study's series. One that looks at all that is there makes it 13."""

Told = tuple[list[AnyEvent], list[list[AnyEvent]]]
"""What is there already, and what is counted, by steps."""


class Counted:
    """Calls of functions, generators' steps included."""

    def __init__(self) -> None:
        self.calls = 0

    def __enter__(self) -> Self:
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, *_: Any) -> None:
        self.calls += 1


def calls(folder: Path, told: Told) -> int:
    """Of the steps, each followed by time enough for every clock."""
    stores = [SqliteStore(folder / f"{home}.sqlite", "growth") for home in range(PARTITIONS)]
    decoder, limits = Decoder(ReadingPolicy()), Limits(CACHED, 1_000, 100_000)
    one = MemoryMember(
        lambda: Pipeline(Policy(), decoder, PARTITIONS, INTAKE, b"", limits),
        PARTITIONS,
        INTAKE,
        stores,
    )
    before, steps = told
    feed(one, before)
    with Counted() as counted:
        for events in steps:
            feed(one, events)
    for store in stores:
        store.close()
    return counted.calls


def feed(one: MemoryMember, events: Iterable[AnyEvent]) -> None:
    one.feed([record_of(event, one.consumed + n, NOW_MS) for n, event in enumerate(events)], NOW_MS)
    one.run_out(NOW_MS)


def images(count: int) -> list[AnyEvent]:
    return [arrived(f"3.{n}") for n in range(count)]


def split(count: int) -> Told:
    """A study's images to another one, each by itself."""
    return images(count), [[changed(f"3.{n}", ("1.2", "2.7", f"3.{n}")) for n in range(count)]]


def coercion(count: int) -> Told:
    """Every image of a study under a new UID."""
    return images(count), [[changed(f"3.{n}", (STUDY, SERIES, f"4.{n}")) for n in range(count)]]


def changed(sop: str, present: tuple[str, str, str]) -> AnyEvent:
    return UidChanged(Scope(STUDY, SERIES, sop), Scope(*present), stamp(5, event_id=sop))


def key_objects(count: int) -> Told:
    """One after the other, in one series and on the same images."""
    made = (document(key_images(item("3.0"), item("3.1")), sop=f"5.{n}") for n in range(count))
    return images(2), [[reported(each)] for each in made]


def reports_without_evidence(count: int) -> Told:
    """The same, each in a series of its own; what they name lies wherever it arrives."""
    group = key_images(item("3.0", study="", series=""))
    made = (document(group)._replace(path=DocumentPath(STUDY, f"2.9.{n}", f"5.{n}")) for n in range(count))
    return images(2), [[reported(each)] for each in made]


@pytest.mark.parametrize("kind", [split, coercion, key_objects, reports_without_evidence])
def test_four_times_as_many_are_four_times_the_work(kind: Callable[[int], Told], tmp_path: Path) -> None:
    few, many = (calls(tmp_path / f"{count}", kind(count)) for count in (FEW, 4 * FEW))
    assert many < ALLOWED * few, "what is done for one grows with how many there were"
