"""A shadow of the processor: input records through the same topology, over a folder that is thrown away.

Rules of this file: time and order of a replay; nothing is read from or sent to Kafka. The shadow's time is
that of its records, so that what is passed on between homes is no later than they are. What its outputs mean
is the caller's part. Nothing is purged: partitions are not read at one pace, and the fastest would purge what
the others are still to bring.

Memory: `state.cached_instances`, a batch and what it closes; all else is in the stores' files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from processors.core.corrections import InstanceErased, PatientMerged, PatientUnmerged, UidChanged
from processors.core.events import StudyUpdated
from processors.errors import Delayed, Refused, Unavailable
from processors.pipeline.building import decoder_of, pipeline_of
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputRecord, Record
from processors.settings import Settings
from processors.stream.registries import registry_of
from processors.stream.store import SqliteStore, path_of

_NAMES = (b"patient.merged", b"patient.unmerged", b"uid.changed", b"instance.erased", b"study.updated")
"""In the bytes of each event that tells of more than the images it comes with, in whatever encoding."""
_FAR_REACHING = (PatientMerged, PatientUnmerged, UidChanged, InstanceErased, StudyUpdated)


class Shadow:
    """`take` gets the outputs of each step, and whether they are of clocks that had not run out by `now_ms`.

    `partitions`: of the input topic; records keyed as they should be are at home where they lie. Used by one
    thread; close it. Raises Unavailable while the schema registry that a value needs does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        partitions: int,
        folder: Path,
        now_ms: int,
        take: Callable[[list[OutputRecord], bool], None],
    ) -> None:
        topics = settings.topics
        registry = registry_of(settings)
        self._settings = settings
        self._decoder = decoder_of(settings, registry)
        self._stores = [SqliteStore(path_of(folder, home), "replay") for home in range(partitions)]
        self._member = MemoryMember(
            lambda: pipeline_of(settings, partitions, registry, purges=False),
            partitions,
            topics.intake,
            self._stores,
        )
        self._places = [
            (topic, home)
            for topic in (topics.instances, topics.reports, topics.intake)
            for home in range(partitions)
        ]
        self._wall_ms = now_ms
        self._now_ms = 0
        self._take = take

    def close(self) -> None:
        for store in self._stores:
            store.close(current=False)

    def fold(self, records: Iterable[Record]) -> None:
        """All of these, closing series as their time goes on."""
        for batch in self._batches(records):
            newest_ms = max(record.timestamp_ms for record in batch)
            self._now_ms = min(self._wall_ms, max(self._now_ms, newest_ms))
            self._feed(batch)

    def fold_corrections(self, records: Iterable[Record]) -> None:
        """Of these, what tells of patients, studies and UIDs: it holds for images that come later, too."""
        self.fold(filter(self._is_far_reaching, records))

    def end(self) -> dict[tuple[str, str], int]:
        """No records follow: clocks run out by the wall clock, and then the others. How the records ended."""
        self._now_ms = self._wall_ms
        self._close_due()
        for outputs in self._member.running_out(self._wall_ms):
            self._take(outputs, True)
        return self._member.dispositions

    def _feed(self, batch: list[Record]) -> None:
        try:
            self._take(self._member.feed(batch, self._now_ms), False)
        except Delayed as failed:
            raise Unavailable(str(failed)) from failed
        self._close_due()

    def _close_due(self) -> None:
        """Every partition counts as read by now: closing early costs a revision, and changes no last one."""
        pipeline = self._member.pipeline
        while (due_ms := pipeline.next_due_ms()) is not None and due_ms <= self._now_ms:
            for topic, partition in self._places:
                pipeline.frontier(topic, partition, caught_up=True)
            self._take(self._member.tick(self._now_ms), False)

    def _batches(self, records: Iterable[Record]) -> Iterator[list[Record]]:
        batch: list[Record] = []
        held, most = 0, self._settings.state
        for record in records:
            batch.append(record)
            held += len(record.value or b"")
            if len(batch) >= most.batch_records or held >= most.batch_bytes:
                yield batch
                batch, held = [], 0
        if batch:
            yield batch

    def _is_far_reaching(self, record: Record) -> bool:
        value = record.value or b""
        if not any(name in value for name in _NAMES):
            return False
        try:
            return isinstance(self._decoder.decode(record, self._wall_ms), _FAR_REACHING)
        except Refused:
            return False
        except Delayed as failed:
            raise Unavailable(str(failed)) from failed
