"""Input topics that are filled at once, so that a run finds all it will read.

Rules of this file: one topic, one producer; what the records hold is `load`'s.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.bench.load import EVENTS_A_SECOND

PARTITIONS = 4
_OWN = {
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    "linger.ms": 20,
    "enable.idempotence": True,  # or a batch sent anew to a topic just made comes out of order
}


def producer_to(bootstrap: str, linger_ms: int = 20) -> Producer:
    return Producer({"bootstrap.servers": bootstrap} | _OWN | {"linger.ms": linger_ms})


def create(bootstrap: str, topic: str) -> None:
    """With timestamps of the sender's."""
    wanted = NewTopic(topic, PARTITIONS, config={"message.timestamp.type": "CreateTime"})
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([wanted])[topic].result()


def fill(bootstrap: str, topic: str, count: int, records: Iterable[tuple[str, bytes]]) -> None:
    """`records`: (key, value). They arrived at EVENTS_A_SECOND, up to ten seconds ago, by their timestamps,
    so that series are closed while others are still read.
    """
    create(bootstrap, topic)
    producer = producer_to(bootstrap)
    began_ms = time.time_ns() // 1_000_000 - count * 1000 // EVENTS_A_SECOND - 10_000
    for number, (key, value) in enumerate(records):
        put(producer, topic, key, value, began_ms + number * 1000 // EVENTS_A_SECOND)
    assert producer.flush(60) == 0


def put(producer: Producer, topic: str, key: str, value: bytes, at_ms: int) -> None:
    """Waits while the producer's queue is full."""
    while True:
        try:
            producer.produce(topic, value, key, timestamp=at_ms)
        except BufferError:
            producer.poll(0.1)
        else:
            return


def tick(producer: Producer, topic: str, at_ms: int) -> None:
    """A record in each partition, for jobs whose clock is that of their records."""
    for partition in range(PARTITIONS):
        value = b'{"sop_instance_uid":"tick-%d"}' % at_ms
        producer.produce(topic, value, f"tick-{partition}", partition, timestamp=at_ms)
    producer.poll(0)
