"""Three brokers of which any two go on without the third: for what only a move between brokers can show.

Rules of this file: starting the cluster, and who coordinates what; nothing of the product.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import AdminClient

from tests.broker import Broker, KRaftBroker, Place, _jars, an_id, free_port

NODES = (1, 2, 3)
OF_GROUPS, OF_TRANSACTIONS = "__consumer_offsets", "__transaction_state"
"""Where coordinators keep what they know: whoever leads a partition coordinates what is in it."""
HEAP_MIB = 256

_PROPERTIES = """
node.id={node}
controller.quorum.bootstrap.servers={controllers}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
replica.lag.time.max.ms=5000
auto.leader.rebalance.enable=true
leader.imbalance.check.interval.seconds=5
"""
"""A killed broker is noticed after 3 s and not 9; one that is back leads again after 5 s and not 300."""


class Cluster(Broker):
    """`bootstrap` names all of them. Raises NoBroker where there is no JDK or no Maven."""

    def __init__(self, folder: Path) -> None:
        cluster, jars = an_id(), _jars()
        places = {node: Place(free_port(), free_port(), cluster) for node in NODES}
        controllers = [f"127.0.0.1:{place.controller}" for place in places.values()]
        quorum = [f"{node}@127.0.0.1:{place.controller}:{an_id()}" for node, place in places.items()]
        self.brokers: dict[int, KRaftBroker] = {}
        for node, place in places.items():
            own = folder / str(node)
            own.mkdir()
            more = _PROPERTIES.replace("{node}", str(node)).replace("{controllers}", ",".join(controllers))
            voters = ["--initial-controllers", ",".join(quorum)]
            self.brokers[node] = KRaftBroker(jars, own, more, voters, place=place, heap_mib=HEAP_MIB)
        super().__init__(",".join(broker.bootstrap for broker in self.brokers.values()))

    def start(self) -> None:
        for broker in self.brokers.values():
            broker.launch()
        for broker in self.brokers.values():
            broker.await_answer()

    def mend(self) -> None:
        """Who is away comes back."""
        for broker in self.brokers.values():
            if not broker.runs:
                broker.start()

    def kill(self) -> None:
        """The last one to be told to stop would wait minutes for somebody to hand over to."""
        for broker in self.brokers.values():
            broker.stop(signal.SIGKILL)

    def coordinator(self, topic: str, name: str) -> int:
        """Node that coordinates this group, or the transactions of this id.

        Kafka puts a name into partition `hashCode mod n` (GroupMetadataManager, TransactionStateManager).
        """
        partitions = self._admin().list_topics(topic, 10).topics[topic].partitions
        return self.leader(topic, abs(_hash_code(name)) % len(partitions))

    def leader(self, topic: str, partition: int) -> int:
        return self._admin().list_topics(topic, 10).topics[topic].partitions[partition].leader

    def is_whole(self) -> bool:
        """Every broker is there and has all that it should have."""
        metadata = self._admin().list_topics(timeout=10)
        partitions = [p for topic in metadata.topics.values() for p in topic.partitions.values()]
        return len(metadata.brokers) == len(NODES) and all(len(p.isrs) == len(p.replicas) for p in partitions)

    def _admin(self) -> AdminClient:
        """A new one: it is not to remember who led before."""
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})


def _hash_code(text: str) -> int:
    """Java's, of a string in ASCII."""
    code = 0
    for byte in text.encode("ascii"):
        code = (31 * code + byte) & 0xFFFF_FFFF
    return code - (1 << 32) if code >= 1 << 31 else code


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """`folder` is empty and for its data."""
    made = Cluster(folder)
    try:
        made.start()
        yield made
    finally:
        made.kill()
