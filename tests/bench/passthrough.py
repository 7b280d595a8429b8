"""The ceiling: the same client, one process, each value read and produced again in a transaction, no state.

`python -m tests.bench.passthrough '<json>'`; takes what the member takes: records at a time, commit interval.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.bench.stopwatch import Stopwatch

CALL_S = 30.0


def main() -> None:
    told: dict[str, Any] = json.loads(sys.argv[1])
    kafka = {"bootstrap.servers": told["bootstrap"]}
    consumer = Consumer(
        kafka
        | {
            "group.id": told["group"],
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 10,  # with the default it waits for the network much of the time
        }
    )
    consumer.subscribe([told["from"]])
    own = {"transactional.id": told["group"], "compression.type": "lz4", "linger.ms": 20}
    producer = Producer(kafka | own | {"queue.buffering.max.messages": 500_000})
    producer.init_transactions(CALL_S)
    stopwatch = Stopwatch()
    _pass(consumer, producer, told, stopwatch)
    consumer.close()
    stopwatch.tell()


def _pass(consumer: Consumer, producer: Producer, told: dict[str, Any], stopwatch: Stopwatch) -> None:
    left, interval_s, opened = told["events"], told["commit_interval_ms"] / 1000, 0.0
    moved: dict[int, int] = {}
    produce: Callable[[str, bytes | None], None] = producer.produce
    while left:
        messages = consumer.consume(told["records"], 0.05)
        if not messages:
            continue
        stopwatch.start()
        if not moved:
            producer.begin_transaction()
            opened = time.monotonic()
        for message in messages:
            assert message.error() is None
            produce(told["to"], message.value())
            moved[message.partition()] = message.offset() + 1  # type: ignore[index, operator]
        left -= len(messages)
        if not left or time.monotonic() - opened >= interval_s:
            offsets = [TopicPartition(told["from"], *each) for each in moved.items()]
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), CALL_S)
            producer.commit_transaction(CALL_S)
            moved.clear()
            stopwatch.lap()


if __name__ == "__main__":
    main()
