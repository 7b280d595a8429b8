"""librdkafka's in-process cluster: a broker for the demo and for fast tests, gone with the process.

Rules of this file: starting it and making topics. It knows groups and transactions, makes a topic when it is
first asked for (with a number of partitions of its own), and does not hide aborted records: guarantees are
tested on a real broker.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException, Producer

from processors.errors import Unavailable
from processors.stream.client import LOGGER

START_S = 10.0


class EmbeddedBroker:
    """Runs in threads of this process from construction until `close`; `bootstrap` is its address."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._producer: Producer | None = Producer(
            {"test.mock.num.brokers": 1, "bootstrap.servers": "embedded"}, logger=LOGGER
        )
        try:
            (broker,) = self._producer.list_topics(timeout=START_S).brokers.values()
            for topic in topics:
                self._producer.list_topics(topic, timeout=START_S)
        except KafkaException as failed:
            raise Unavailable(f"the embedded broker did not start: {failed.args[0].name()}") from failed
        self.bootstrap = f"{broker.host}:{broker.port}"

    def close(self) -> None:
        """Everything on its topics is gone; stop its clients first."""
        self._producer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
