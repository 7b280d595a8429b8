"""What a folder source sends, by a clock that the test moves; nothing of Kafka."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from processors.sources.events import Outgoing
from processors.sources.folder import OLD_S, FolderSource
from processors.sources.forwarding import Forwarder
from processors.sources.ledger import Ledger
from tests.builders.images import ct, encoded


class Taken(Forwarder):
    """A broker that takes what it is given unless it is `down`."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.records: list[Outgoing] = []
        self.down = False

    def forward(self, records: Sequence[Outgoing]) -> bool:
        if not self.down:
            self.records += records
        return not self.down

    def ids(self) -> list[str]:
        return [json.loads(record.value)["event_id"] for record in self.records]


class Watched:
    """A folder with its source, which can be made anew as after a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.taken, self.now = folder / "in", Taken(), 0.0
        self.folder.mkdir()
        self.start()

    def start(self) -> None:
        self.ledger = Ledger(self.folder.parent / "state", "test")
        self.source = FolderSource(
            [self.folder], "SCANNER", 3.0, self.ledger, self.taken, monotonic=lambda: self.now
        )

    def restart(self) -> None:
        self.ledger.close()
        self.start()
        self.source.scan()

    def put(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def after(self, seconds: float, *changed: Path) -> int:
        """How many records have been sent, so long after."""
        self.now += seconds
        self.source.look(changed)
        return len(self.taken.records)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path)
    yield watched
    watched.ledger.close()


def test_a_file_is_sent_once_nothing_changed_for_a_while(watched: Watched) -> None:
    path = watched.put("a/1.dcm", encoded(ct(1))[:300])
    assert watched.after(0, path) == 0
    path.write_bytes(encoded(ct(1)))
    assert watched.after(2.75, path) == 0
    assert watched.after(2.75) == 0
    assert watched.after(0.25) == 1
    assert watched.after(100, path) == 1
    event = json.loads(watched.taken.records[0].value)
    assert (event["event"], event["source"]) == ("instance.arrived", "SCANNER")


def test_a_file_that_is_open_for_writing_is_waited_for(watched: Watched) -> None:
    with (watched.folder / "1.dcm").open("wb") as file:
        file.write(encoded(ct(1))[:400])
        file.flush()
        watched.source.scan()
        assert watched.after(1000) == 0
        file.write(encoded(ct(1))[400:])
    assert watched.after(3) == 0
    assert watched.after(3) == 1


def test_a_restart_neither_misses_nor_doubles(watched: Watched) -> None:
    watched.put("1.dcm", encoded(ct(1)))
    watched.source.scan()
    assert watched.after(3) == 1
    watched.put("2.dcm", encoded(ct(2)))
    watched.restart()
    assert watched.after(3) == 2
    os.utime(watched.folder / "1.dcm")  # touched, and the same
    watched.restart()
    assert watched.after(3) == 2
    watched.put("1.dcm", encoded(ct(3)))
    watched.restart()
    assert watched.after(3) == 3
    assert len(set(watched.taken.ids())) == 3


def test_what_the_broker_did_not_take_is_sent_after_a_restart(watched: Watched) -> None:
    watched.taken.down = True
    watched.put("1.dcm", encoded(ct(1)))
    watched.source.scan()
    assert watched.after(3) == 0
    watched.taken.down = False
    watched.restart()
    assert watched.after(3) == 1


def test_a_file_that_went_and_came_back_counts_anew(watched: Watched) -> None:
    path = watched.put("1.dcm", encoded(ct(1)))
    watched.source.scan()
    assert watched.after(3) == 1
    path.unlink()
    watched.source.scan()
    watched.put("1.dcm", encoded(ct(1)))
    watched.source.scan()
    assert watched.after(3) == 2


def test_event_files_go_event_by_event_and_the_rest_as_it_is(watched: Watched) -> None:
    watched.put("events.ndjson", b'{"event":"a"}\n{"event":"b"}\n')
    watched.put("readme.txt", b"no DICOM")
    watched.source.scan()
    watched.after(3)
    assert [record.value for record in watched.taken.records] == [
        b'{"event":"a"}',
        b'{"event":"b"}',
        b"no DICOM",
    ]
    assert watched.taken.records[2].headers == [
        ("content-type", b"application/dicom"),
        ("source", b"SCANNER"),
    ]


def test_unfinished_names_links_and_empty_files_are_left_alone(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "secret.dcm").write_bytes(encoded(ct(1)))
    (watched.folder / "link.dcm").symlink_to(tmp_path / "secret.dcm")
    for name in (".1.dcm", "1.dcm.part", "2.DCM.tmp", ".hidden/1.dcm"):
        watched.put(name, encoded(ct(1)))
    watched.put("empty.dcm", b"")
    watched.source.scan()
    assert watched.after(3) == 0
    (watched.folder / "1.dcm.part").rename(watched.folder / "1.dcm")
    watched.source.scan()
    assert watched.after(3) == 1


def test_a_file_of_long_ago_is_taken_at_once(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    path = watched.put("1.dcm", encoded(ct(1)))
    monkeypatch.setattr("time.time", lambda: path.stat().st_ctime + OLD_S + 1)
    watched.source.scan()
    assert watched.after(0) == 1


def test_no_path_is_kept(watched: Watched) -> None:
    watched.put("DOE^JANE/1.dcm", encoded(ct(1)))
    watched.source.scan()
    assert watched.after(3) == 1
    watched.ledger.close()
    kept = b"".join(each.read_bytes() for each in (watched.folder.parent / "state").iterdir())
    assert b"DOE" not in kept
    watched.start()
