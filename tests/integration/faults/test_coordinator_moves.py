"""A broker of three goes while it coordinates a member's group or its transactions, and comes back.

Rules of this file: moves between brokers; what one broker does alone is in `test_broker_faults`. Partitions
that the broker led, outputs and changelog among them, get another leader at the same time.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from confluent_kafka import KafkaException

from processors.stream import broker
from processors.stream.offsets import Offsets
from tests.broker import NoBroker
from tests.cluster import OF_GROUPS, OF_TRANSACTIONS, Cluster, cluster
from tests.integration.faults.crash_plan import AT_ANY_MOMENT, IN_A_BATCH
from tests.integration.faults.members import Member
from tests.integration.faults.scene import Scene, time_passes
from tests.integration.site import Site, until

MOVES = 3
"""Of one member, each at another point of its work."""
WITHIN_S = 1.5
MOVE_S = 120.0
"""Three brokers on a busy machine agree slowly."""


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        with cluster(tmp_path_factory.mktemp("cluster")) as running:
            yield running
    except NoBroker as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def cluster_of_three(three: Cluster) -> Cluster:
    """All of it, whatever the test before left."""
    three.mend()
    return three


@pytest.mark.nightly
@pytest.mark.parametrize("topic", [OF_GROUPS, OF_TRANSACTIONS], ids=["group", "transactions"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_the_coordinator_moves(
    cluster_of_three: Cluster, tmp_path: Path, fault_seed: int, topic: str, how: signal.Signals
) -> None:
    three = cluster_of_three
    site = Site(three.bootstrap, uuid.uuid4().hex[:8], tmp_path)
    site.create(3)
    scene, random = Scene(site, fault_seed), Random(f"{fault_seed} {topic} {how}")
    group = f"group-{site.suffix}"
    name = group if topic == OF_GROUPS else f"{group}-a-0"
    with scene.member() as member:
        assert member.ready() is not None
        for step in random.sample(IN_A_BATCH, MOVES):
            until(three.is_whole, "all replicas in sync", member, MOVE_S)
            node = three.coordinator(topic, name)
            print(f"broker {node} of {name}: {how.name} at {step}")  # noqa: T201 (shown when the test fails)
            _goes(three, node, how, scene, member, step, random)
            scene.heals(member, MOVE_S)
            three.brokers[node].start()
            scene.send()
            scene.heals(member, MOVE_S)
            scene.accounts(member)
        assert member.stop() == 0


@pytest.mark.nightly
def test_of_a_partition_whose_leader_was_killed_the_end_is_told_or_nothing(
    cluster_of_three: Cluster, tmp_path: Path
) -> None:
    """A place that is none would mean that all is read."""
    site = Site(cluster_of_three.bootstrap, uuid.uuid4().hex[:8], tmp_path)
    site.create(3)
    topic, offsets = site.topic("instances"), Offsets(site.kafka)
    for partition in range(3):
        site.send("instances", [(None, b"x")] * 2, partition)
    places = [(topic, partition) for partition in range(3)]
    answers = [offsets.end(places)]
    cluster_of_three.brokers[cluster_of_three.leader(topic, 0)].stop(signal.SIGKILL)

    def is_answered() -> bool:
        try:
            answers.append(offsets.end(places))
        except KafkaException:
            return False
        return True

    until(is_answered, "an answer", patience_s=MOVE_S)
    assert answers == [dict.fromkeys(places, 2)] * 2


@pytest.mark.nightly
def test_who_has_a_place_is_told_again_once_the_coordinator_has_moved(cluster_of_three: Cluster) -> None:
    """A member that lost its producer asks before it makes another; what it was told before is from a broker
    that may be gone.
    """
    three, group = cluster_of_three, uuid.uuid4().hex
    cluster = broker.Cluster({"bootstrap.servers": three.bootstrap})
    until(lambda: cluster.holder(group, "a") == "", "an answer", patience_s=MOVE_S)
    stands_still = three.brokers[three.coordinator(OF_GROUPS, group)].pid
    os.kill(stands_still, signal.SIGSTOP)
    try:
        until(lambda: cluster.holder(group, "a") == "", "an answer of the next one", patience_s=MOVE_S)
    finally:
        os.kill(stands_still, signal.SIGCONT)


def _goes(
    three: Cluster,
    node: int,
    how: signal.Signals,
    scene: Scene,
    member: Member,
    step: str,
    random: Random,
) -> None:
    """Before the member goes on, or while it does."""
    broker = three.brokers[node]
    if step == AT_ANY_MOMENT:
        scene.send(3)
        time_passes(random.uniform(0, WITHIN_S))
        broker.begin_to_stop(how)
    else:
        scene.pause(member, step, random.randint(1, 3))
        broker.begin_to_stop(how)
        time_passes(random.uniform(0, WITHIN_S))
        member.signal(signal.SIGCONT)
    scene.send(2)
    broker.stop(how)
