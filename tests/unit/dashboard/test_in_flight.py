"""Series that wait, from the entries that the processor itself writes."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from processors.core.series import CHUNK
from processors.core.vocabulary import KEY_OBJECT_SELECTION
from processors.dashboard.in_flight import InFlight
from processors.pipeline.records import Record, StateEntry
from processors.stream.changelog import to_record
from tests.unit.pipeline.site import INSTANCES, SERIES, START_MS, STUDY, Site, image


class Desk:
    """A pipeline whose changelog is followed."""

    def __init__(self) -> None:
        self.pipeline = Site(partitions=1).member.pipeline
        self.flight = InFlight()
        self._offset = 0

    def send(self, *values: bytes) -> None:
        records = []
        for value in values:
            records.append(Record(INSTANCES, 0, self._offset, START_MS + self._offset, None, value))
            self._offset += 1
        self.follow(self.pipeline.process(records, START_MS + self._offset).entries)

    def follow(self, entries: Iterable[StateEntry]) -> None:
        for entry in entries:
            key, value, headers = to_record(entry)
            self.flight.take(Record("changelog", 0, 0, 0, key, value, headers))


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_series_waits_until_it_is_closed(desk: Desk) -> None:
    more = CHUNK + 6
    for first in (1, 10, 60):
        desk.send(*(image(n, expected=100) for n in range(first, more + 1)))
    (waiting,) = desk.flight.waiting()
    assert (waiting.study_instance_uid, waiting.series_instance_uid) == (STUDY, SERIES)
    assert (waiting.modality, waiting.instances, waiting.expected) == ("CT", more, 100)
    assert waiting.reason.startswith(f"{100 - more} of 100 expected images have not come; closed when no new")
    assert waiting.until_ms == START_MS + more - 1 + 10_000
    assert desk.flight.waiting() == [waiting]

    desk.follow(desk.pipeline.run_out(START_MS + 60_000).entries)
    assert (desk.flight.waiting(), len(desk.flight)) == ([], 0)

    desk.send(image(99))
    (again,) = desk.flight.waiting()
    assert again.reason.startswith("changed after it was published; 29 of 100 expected")


def test_the_series_of_reports_do_not_wait(desk: Desk) -> None:
    desk.send(image(1, sop_class_uid=KEY_OBJECT_SELECTION))
    assert len(desk.flight) == 1, "its clock runs"
    assert (desk.flight.waiting(), len(desk.flight)) == ([], 0)


@pytest.mark.parametrize("value", [b"no entry of this program", None])
def test_what_another_program_writes_is_left_out(desk: Desk, value: bytes | None) -> None:
    headers = [("due_at_ms", b"5")]
    for key in (b"1.2|x|1.3", b"1.2|c|1.3|000000", b"odd", b"\xff"):
        desk.flight.take(Record("changelog", 0, 0, 0, key, value, headers))
    assert desk.flight.waiting() == []
