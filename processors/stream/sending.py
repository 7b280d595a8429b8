"""Sending records to the input topics as a producer outside the product does.

Rules of this file: an idempotent producer with Java's partitioner; no transaction, no DICOM.
"""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, Producer

from processors.errors import Unavailable
from processors.stream.client import LOGGER, producer_config

PATIENCE_S = 30.0
"""How long a broker may take to accept what was sent."""


class Sender:
    """Used by one thread. What was sent has arrived when `flush` returns."""

    def __init__(self, kafka: Mapping[str, str | int | float | bool]) -> None:
        self._producer = Producer(producer_config(kafka), logger=LOGGER)
        self._refused = ""

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """The key decides the partition; without one it is any."""
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(0.1)  # the queue is full: the network is the slower one
            else:
                return

    def flush(self) -> None:
        """Raises Unavailable if something was not accepted."""
        waiting = self._producer.flush(PATIENCE_S)
        if waiting or self._refused:
            raise Unavailable(f"the broker did not accept a record ({self._refused or 'no answer'})")

    def close(self) -> None:
        self._producer.close()

    def _delivered(self, error: KafkaError | None, _: object) -> None:
        if error is not None:
            self._refused = error.name()
