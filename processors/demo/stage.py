"""The stage: broker, processor, sender and reader, set up and taken down together.

Rules of this file: lifecycle and waiting; no story, no printing. The processor runs in a thread of this
process with the loop, transactions, store and changelog of `run`. Waiting always ends by what was read,
never by a time that passed; PATIENCE_S only bounds it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from processors.demo.departments import Message
from processors.demo.reading import DeadLetter, Published, Reader
from processors.demo.report import Report, report_of
from processors.demo.tally import Tally
from processors.errors import Unavailable
from processors.pipeline.records import OutputTopic
from processors.settings import Settings
from processors.settings.sections import Completeness, Documents, Identity, State, Topics
from processors.stream.embedded import EmbeddedBroker
from processors.stream.inspection import Inspection
from processors.stream.loop import Loop
from processors.stream.runner import wiring_of
from processors.stream.sending import Sender
from processors.stream.tail import Tail
from processors.stream.topics import TOPICS

QUIET_S = 1.0
"""Short, so that nobody waits; shorter, and a busy machine might close a series between two of its images."""

PATIENCE_S = 60.0
"""A demonstration that stands still for so long has failed."""

_POLL_S = 0.05
_POLL_RECORDS = 500


def inputs_of(topics: Topics) -> tuple[str, str]:
    return topics.instances, topics.reports


def archive_of(folder: Path) -> Path:
    """Where the hospital's archive has the documents that are fetched from it."""
    return folder.resolve() / "archive"


def settings_of(bootstrap: str, folder: Path) -> Settings:
    return Settings(
        kafka={"bootstrap.servers": bootstrap},
        completeness=Completeness(quiet_s=QUIET_S),
        identity=Identity(patient_id_system="urn:oid:2.999.1", accession_system="urn:oid:2.999.2"),
        documents=Documents(root=str(archive_of(folder))),
        state=State(dir=str(folder)),
    )


class Stage:
    """`open` it, use it from one thread, `close` it. `folder` takes the processor's state and must be empty.

    Raises Unavailable when the processor ended or stands still.
    """

    def __init__(self, folder: Path) -> None:
        self._topics = Topics()
        self._names = {role: str(getattr(self._topics, role)) for role in TOPICS}
        self._broker = EmbeddedBroker(self._names.values())
        self.bootstrap = self._broker.bootstrap
        self._archive = archive_of(folder)
        self._archive.mkdir()
        self.settings = settings = settings_of(self.bootstrap, folder)
        wiring = wiring_of(settings, 0)
        self._tally = Tally(wiring.build)
        self.processor = Loop(replace(wiring, build=self._tally.around))
        """Also the `Health` of processors.http."""
        self.state = Inspection(wiring.state_dir, self.processor.homes, settings.policy().namespace)
        self._thread = threading.Thread(target=self._run, name="processor", daemon=True)
        self._failure: Exception | None = None
        self._sender = Sender(settings.kafka)
        self._tail = Tail(settings.kafka, [*inputs_of(self._topics), *(self._names[t] for t in OutputTopic)])
        self._reader = Reader(self._topics)
        self._sent = 0

    def open(self) -> None:
        """Returns when the processor is ready."""
        self._thread.start()
        until = time.monotonic() + PATIENCE_S
        while not self.processor.ready():
            self._go_on(until)
            self._thread.join(_POLL_S)

    def close(self) -> None:
        """Stops the processor as `run` does, then its broker; what is on the topics is gone."""
        self.processor.stop()
        if self._thread.is_alive():
            self._thread.join(PATIENCE_S)
        self._sender.close()
        self._tail.close()
        self._broker.close()

    def send(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._sender.send(self._names[message.topic], message.key, message.value)
            self._sent += 1
        self._sender.flush()

    def keep(self, documents: Iterable[tuple[str, bytes]]) -> None:
        """The archive has them from now on."""
        for name, content in documents:
            (self._archive / name).write_bytes(content)

    def outcome(self) -> Iterator[Published | DeadLetter]:
        """What comes of it, as it is read, until all that was sent is done with and no clock runs."""
        until = time.monotonic() + PATIENCE_S
        while not self._settled():
            self._go_on(until)
            for record in self._tail.poll(_POLL_RECORDS, _POLL_S):
                seen = self._reader.take(record)
                if seen is not None:
                    yield seen

    def report(self) -> Report:
        """What came of it; call it when `outcome` has ended."""
        return report_of(self._there, self._tally.totals(), self._reader, self._topics)

    # ---- inside ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self.processor.run()
        except Exception as failed:  # noqa: BLE001  raised again by the thread that waits for it
            self._failure = failed

    @property
    def _there(self) -> int:
        """Records on the input topics: ours, and those that somebody puts back (`dead-letters redrive`)."""
        return sum(self._reader.seen[topic] for topic in inputs_of(self._topics))

    def _settled(self) -> bool:
        totals, seen = self._tally.totals(), self._reader.seen
        there = self._there
        consumed = there >= self._sent and totals.consumed == there + totals.written[OutputTopic.INTAKE]
        read = all(seen[self._names[topic]] >= totals.written[topic] for topic in OutputTopic)
        return consumed and read and not totals.waiting

    def _go_on(self, until: float) -> None:
        if self._failure is not None:
            raise self._failure
        if not self._thread.is_alive():
            raise Unavailable("the processor ended before the demonstration did")
        if time.monotonic() > until:
            raise Unavailable(f"the demonstration stood still for {PATIENCE_S:.0f} s")
