"""Records for the input topics, from `publish` and from every source: which topic, which key, and whether the
broker has them.

Rules of this file: what a value means is only asked for its study and topic, of the processor's own decoder.
What cannot be read is sent all the same, without a key: saying what is wrong with it is the processor's task.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from processors.core.events import DocumentArrived
from processors.errors import Refused, Unavailable
from processors.pipeline.building import decoder_of
from processors.pipeline.decode import Decoder, Ignored
from processors.pipeline.records import Headers, Record
from processors.settings import Settings
from processors.stream.broker import ANSWER_S, Cluster
from processors.stream.client import LOGGER, Config, producer_config
from processors.stream.rights import WRITE, is_refusal, refused

INPUT_BYTES = 15 * 1024 * 1024
"""Largest value of an input (CONTRACT 2)."""
NO_HEADERS: Headers = []
DICOM: Headers = [("content-type", b"application/dicom")]
_HEAR_S = 0.1


class InputProducer:
    """Idempotent, partitioned as Java does; a thread of its own hears the broker's answers until `close`.
    `send` and `deliver` may be called by many threads.

    Construction raises Unavailable if no broker answers, Forbidden without the right to write, SettingsError
    for a property that librdkafka does not know.
    """

    def __init__(self, settings: Settings, prompt: bool = False, timeout_s: float | None = None) -> None:
        """`prompt`: each record leaves at once; `timeout_s`: after which a record counts as not taken."""
        cluster = Cluster(settings.kafka)
        cluster.demand(
            dict.fromkeys((settings.topics.instances, settings.topics.reports), frozenset({WRITE}))
        )
        own: Config = {"linger.ms": 0} if prompt else {}
        if timeout_s is not None:
            own["message.timeout.ms"] = int(timeout_s * 1000)
        self._topics = settings.topics
        self._decoder: Decoder = decoder_of(settings)
        self._producer = Producer(producer_config(settings.kafka) | own, logger=LOGGER)
        self._lock = threading.Lock()
        self._delivered = 0
        self._failed: KafkaError | None = None
        self._closed = threading.Event()
        self._answers = threading.Thread(target=self._hear, name="answers", daemon=True)
        self._answers.start()

    @property
    def delivered(self) -> int:
        """Records of `send` that the broker has."""
        return self._delivered

    def place(self, value: bytes, headers: Headers) -> tuple[str, bytes | None]:
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

    def send(self, value: bytes, headers: Headers = NO_HEADERS) -> None:
        """Hand over; `flush` says whether it arrived. Blocks while the queue is full."""
        self._produce(value, headers, self._count)

    def deliver(self, value: bytes, headers: Headers = NO_HEADERS) -> None:
        """Blocks until the broker has the record; raises Unavailable if it does not take it in time."""
        done = threading.Event()
        failure: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failure.append(error)
            done.set()

        self._produce(value, headers, delivered)
        done.wait()  # librdkafka answers for every record, within its own time limit at the latest
        if failure:
            raise _not_taken("a record", failure[0])

    def flush(self, timeout_s: float = 6 * ANSWER_S) -> None:
        """Blocks until the broker has all; raises Unavailable if one sent since the last call failed."""
        if not self.answered(timeout_s):
            raise Unavailable("the broker did not take all records: some are unanswered")

    def answered(self, timeout_s: float) -> bool:
        """Whether the broker has all, waiting for so long at most; raises Unavailable as `flush`."""
        if self._producer.flush(timeout_s):
            return False
        failed, self._failed = self._failed, None
        if failed is not None:
            raise _not_taken("all records", failed)
        return True

    def close(self) -> None:
        """What the broker has not taken by now is given up."""
        self._closed.set()
        self._answers.join()
        self._producer.purge()
        self._producer.close()

    def _hear(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(_HEAR_S)

    def _produce(
        self, value: bytes, headers: Headers, delivered: Callable[[KafkaError | None, Message], None]
    ) -> None:
        topic, key = self.place(value, headers)
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=delivered, headers=list(headers))
            except BufferError:
                self._closed.wait(_HEAR_S)  # the queue is full: wait for the network
            except KafkaException as failed:
                raise Unavailable(f"{topic}: {failed.args[0].str()}") from failed
            else:
                return

    def _count(self, error: KafkaError | None, _: Message) -> None:
        with self._lock:  # callbacks run in whichever thread polls
            if error is None:
                self._delivered += 1
            else:
                self._failed = error


def _not_taken(what: str, error: KafkaError) -> Unavailable:
    if is_refusal(error):
        return refused(error, "the input topics")
    return Unavailable(f"the broker did not take {what} ({error.name()})")
