"""kill -9 at every step of the loop, with the state folder kept, lost, stale and corrupted.

Rules of this file: crash points in chains; each chain has its topics, each point is healed by the next
member, which then is the next to die. `--fault-seed` repeats a plan, `-m nightly` deals the long one.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from confluent_kafka import Consumer

from tests.integration.faults.crash_plan import (
    AT_ANY_MOMENT,
    AT_THE_START,
    IN_A_BATCH,
    IN_REBALANCE,
    CrashPoint,
    deal,
)
from tests.integration.faults.members import Member
from tests.integration.faults.scene import Scene
from tests.integration.faults.state_folder import StateFolder
from tests.integration.faults.victim import Wire
from tests.integration.site import Site, until

CHAIN = 10
"""Crash points on the same topics: more would only make their histories longer to check."""


@pytest.mark.parametrize("chain", range(3))
def test_killed_at_30_points(site: Site, fault_seed: int, chain: int) -> None:
    _die_and_heal(site, fault_seed, chain)


@pytest.mark.nightly
@pytest.mark.parametrize("chain", range(20))
def test_killed_at_200_points(site: Site, fault_seed: int, chain: int) -> None:
    _die_and_heal(site, fault_seed, chain)


def _die_and_heal(site: Site, seed: int, chain: int) -> None:
    points = deal(seed, (chain + 1) * CHAIN)[chain * CHAIN :]
    scene = Scene(site, seed + chain)
    folder = StateFolder(scene.state_of(), site.folder / "earlier", seed + chain)
    member = scene.member()
    for number, point in enumerate(points, chain * CHAIN):
        assert member.ready() is not None, member.tail()
        _die(scene, member, point)
        done = folder.meet(point.fate)
        print(f"seed {seed}, point {number}: {point} {done}")  # noqa: T201 (shown when the test fails)
        member = scene.member()
        scene.send()
        scene.heals(member)
        scene.accounts(member)
    assert member.stop() == 0


def _die(scene: Scene, member: Member, point: CrashPoint) -> None:
    wire = Wire(point.step, point.passes)
    if point.step in AT_THE_START:
        scene.send()
        member.kill()
        member = scene.member(wire=wire)
    elif point.step == AT_ANY_MOMENT:
        scene.send(3)
        moment = time.monotonic() + point.moment_s
        until(lambda: time.monotonic() > moment, "the moment has come")
        member.signal(signal.SIGKILL)
    elif point.step in IN_A_BATCH:
        member.set(wire)
        _until_dead(member, scene.send)
    elif point.step == IN_REBALANCE:
        member.set(wire)
        scene.send()
        _passer_by(scene, member)
    else:
        member.set(wire)
        scene.send()
        member.signal(signal.SIGTERM)
    assert member.wait() == -signal.SIGKILL, member.tail()


def _until_dead(member: Member, push: Callable[[], None]) -> None:
    """One push after the other, each answered by some batches, but not for ever."""

    def dead() -> bool:
        push()
        return member.gone(within_s=0.5)

    until(dead, "died in a batch", member)


def _passer_by(scene: Scene, member: Member) -> None:
    """A consumer that joins the group, so that the member must give back what it has; then it leaves."""
    own = {"group.id": f"group-{scene.site.suffix}", "partition.assignment.strategy": "range"}
    consumer = Consumer({**scene.site.kafka, **own, "enable.auto.commit": False, "session.timeout.ms": 6000})
    consumer.subscribe([scene.site.topic(role) for role in ("instances", "reports", "intake")])

    def dead() -> bool:
        consumer.poll(0.1)
        return not member.alive

    until(dead, "died in the rebalance", member)
    consumer.close()
