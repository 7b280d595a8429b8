"""What a broker does to its members: it is away, stands still, forgets, compacts; each heals by itself.

Rules of this file: faults of the broker and its topics; those of members are in `test_member_faults`.
"""

from __future__ import annotations

import os
import shutil
import signal

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.broker import KRaftBroker
from tests.integration.faults.scene import Scene, time_passes
from tests.integration.faults.victim import Wire
from tests.integration.site import Site, until

SHORT = {"transaction.timeout.ms": 3000}
AWAY_S = 6.0
"""Beyond that timeout, and the coordinator's next look at it."""


@pytest.mark.parametrize(
    "step",
    [
        "before_commit",
        "sent_offsets",
        pytest.param("produced fhir", marks=pytest.mark.nightly),
        pytest.param("committing", marks=pytest.mark.nightly),
        pytest.param("after_commit", marks=pytest.mark.nightly),
    ],
)
def test_away_for_longer_than_a_transaction_lives(
    site: Site, own: KRaftBroker, fault_seed: int, step: str
) -> None:
    """The broker stops in order: one killed alone (Kafka 4.4.0) recovers its logs after its coordinator.

    The coordinator then closes the aborted transaction without a marker in the partitions not yet back,
    and the next commit of the same producer shows readers what was aborted. With replicas another leads.
    """
    scene = Scene(site, fault_seed, SHORT)
    with scene.member() as member:
        scene.pause(member, step)
        own.stop(signal.SIGTERM)
        member.signal(signal.SIGCONT)
        time_passes(AWAY_S)
        own.start()
        scene.send()
        scene.heals(member)
        scene.accounts(member)
        assert member.stop() == 0


def test_standing_still_in_the_middle_of_a_load(site: Site, own: KRaftBroker, fault_seed: int) -> None:
    scene = Scene(site, fault_seed, SHORT)
    with scene.member() as member:
        assert member.ready() is not None
        scene.send(5)
        os.kill(own.pid, signal.SIGSTOP)
        try:
            time_passes(AWAY_S)
        finally:
            os.kill(own.pid, signal.SIGCONT)
        scene.send()
        scene.heals(member)
        scene.accounts(member)
        assert member.stop() == 0


@pytest.mark.parametrize("reader", ["down", "standing still"])
def test_retention_takes_what_was_not_read(site: Site, fault_seed: int, reader: str) -> None:
    """It is reported, and the rest is as if it had never been sent."""
    scene = Scene(site, fault_seed)
    member = scene.member()
    scene.send(2)
    scene.heals(member)
    if reader == "down":
        assert member.stop() == 0
        shutil.rmtree(scene.state_of())
    else:
        member.signal(signal.SIGSTOP)
        time_passes(2.0)  # no fetch of it waits at the broker any more
    scene.lose(scene.load.round())
    scene.send(2)
    if reader == "down":
        member = scene.member()
    else:
        member.signal(signal.SIGCONT)
    scene.heals(member)
    assert member.said('"input_lost"')
    assert member.stop() == 0


@pytest.mark.parametrize("state", ["lost", "stale"])
def test_the_changelog_is_compacted_under_a_restore(site: Site, fault_seed: int, state: str) -> None:
    scene = Scene(site, fault_seed)
    _changelog(site, {"segment.ms": "500", "min.cleanable.dirty.ratio": "1.0"})
    folder, earlier = scene.state_of(), site.folder / "earlier"
    with scene.member() as member:
        scene.send()
        scene.heals(member)
        assert member.stop() == 0
    shutil.copytree(folder, earlier)
    with scene.member() as member:
        for _ in range(4):
            scene.send(5)
            scene.heals(member)
        member.kill()
    shutil.rmtree(folder)
    if state == "stale":
        shutil.copytree(earlier, folder)
    before = len(site.read("changelog"))
    with scene.member(wire=Wire("restoring", 1, signal.SIGSTOP)) as member:
        until(lambda: member.paused, "in the restore", member)
        _changelog(site, {"min.cleanable.dirty.ratio": "0.001", "max.compaction.lag.ms": "1"})
        until(lambda: len(site.read("changelog")) < before, "compacted")
        member.signal(signal.SIGCONT)
        scene.send()
        scene.heals(member)
        assert member.stop() == 0


def _changelog(site: Site, config: dict[str, str]) -> None:
    changes = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in config.items()
    ]
    topic = ConfigResource(ResourceType.TOPIC, site.topic("changelog"), incremental_configs=changes)
    site.admin.incremental_alter_configs([topic])[topic].result()
