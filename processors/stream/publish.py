"""`publish`: DICOM files and event files to the input topics, keyed by study.

Rules of this file: finding, reading and sending; what a file means is only asked for its study and topic.
What cannot be read is sent all the same, without a key: saying what is wrong with it is the processor's task.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from processors.core.events import DocumentArrived
from processors.errors import Refused, Unavailable, UsageError
from processors.pipeline.building import decoder_of
from processors.pipeline.decode import Decoder, Ignored, split_event_file
from processors.pipeline.records import Headers, Record
from processors.settings import Settings
from processors.stream.broker import ANSWER_S, Cluster
from processors.stream.client import LOGGER, producer_config

INPUT_BYTES = 15 * 1024 * 1024
"""Largest value of an input (CONTRACT 2)."""

EVENT_SUFFIXES = (".json", ".ndjson")
_DICOM: Headers = [("content-type", b"application/dicom")]
_NONE: Headers = []


@dataclass(slots=True)
class Published:
    """What was sent: records the broker has, and files that are too large for a record."""

    records: int = 0
    too_large: int = 0


def publish(
    paths: Sequence[Path],
    settings: Settings,
    rate: float | None = None,
    progress: Callable[[Path], None] = lambda _: None,
) -> Published:
    """Send all and wait for the broker; at most `rate` records a second. `progress`: a file was handed over.

    Raises UsageError if a file cannot be read or was too large, Unavailable if the broker did not take all.
    """
    Cluster(settings.kafka)
    sender = _Sender(settings, rate)
    for path in _files(paths):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        is_events = path.suffix.lower() in EVENT_SUFFIXES
        for value in split_event_file(data) if is_events else (data,):
            sender.send(value, _NONE if is_events else _DICOM)
        progress(path)
    return sender.finish()


class _Sender:
    def __init__(self, settings: Settings, rate: float | None) -> None:
        self._topics = settings.topics
        self._decoder: Decoder = decoder_of(settings)
        self._producer = Producer(producer_config(settings.kafka), logger=LOGGER)
        self._interval_s = 1 / rate if rate else 0.0
        self._next_at = time.monotonic()
        self._pause = threading.Event()
        self._failed = ""
        self._published = Published()

    def send(self, value: bytes, headers: Headers) -> None:
        if len(value) > INPUT_BYTES:
            self._published.too_large += 1
            return
        topic, key = self._place(value, headers)
        while (left := self._next_at - time.monotonic()) > 0:
            self._pause.wait(left)
        self._next_at = max(self._next_at, time.monotonic() - 1) + self._interval_s
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._delivered, headers=list(headers))
            except BufferError:
                self._producer.poll(0.1)  # the queue is full: wait for the network
            except KafkaException as failed:
                raise Unavailable(f"{topic}: {failed.args[0].str()}") from failed
            else:
                break
        self._producer.poll(0)

    def finish(self) -> Published:
        left = self._producer.flush(6 * ANSWER_S)
        if left or self._failed:
            raise Unavailable(f"the broker did not take all records: {self._failed or f'{left} unanswered'}")
        if self._published.too_large:
            raise UsageError(
                f"{self._published.too_large} files above 15 MiB were not sent: "
                "publish them as events with `uri`"
            )
        return self._published

    def _place(self, value: bytes, headers: Headers) -> tuple[str, bytes | None]:
        """Topic and key: a document goes to the reports, its study's UID decides the partition."""
        now_ms = time.time_ns() // 1_000_000
        try:
            event = self._decoder.decode(Record("", -1, -1, now_ms, None, value, headers), now_ms)
        except Refused:
            return self._topics.instances, None
        if isinstance(event, Ignored):
            return self._topics.instances, None
        is_report = isinstance(event, DocumentArrived)
        topic = self._topics.reports if is_report else self._topics.instances
        return topic, event.study_instance_uid.encode()

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self._published.records += 1
        else:
            self._failed = error.name()


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Files as given, folders by path."""
    for path in paths:
        if path.is_dir():
            yield from sorted(member for member in path.rglob("*") if member.is_file())
        else:
            yield path
