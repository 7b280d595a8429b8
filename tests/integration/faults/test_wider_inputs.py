"""The inputs get more partitions than the intake has, under way: nothing is lost, and nothing doubled."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest
from confluent_kafka.admin import NewPartitions

from tests.integration import kafka_tools
from tests.integration.faults.load import Sent
from tests.integration.faults.members import Member
from tests.integration.faults.scene import Scene
from tests.integration.hospital import STUDIES, instance
from tests.integration.site import ROOT, Site, until

WIDE = 5
SOON = {"topic.metadata.refresh.interval.ms": 500}
"""How soon new partitions are noticed."""
Grown = Callable[[], bool]


@contextmanager
def by_request(site: Site, role: str) -> Iterator[Grown]:
    """What Kafka's own tool asks the broker for."""
    future = site.admin.create_partitions([NewPartitions(site.topic(role), WIDE)])[site.topic(role)]
    yield future.done
    future.result()


@contextmanager
def by_command(site: Site, role: str) -> Iterator[Grown]:
    """The runbook's command."""
    command = f"--bootstrap-server {site.bootstrap} --alter --partitions {WIDE} --topic {site.topic(role)}"
    page = (ROOT / "deploy/README.md").read_text("utf-8")
    assert (
        f"$ kafka-topics --bootstrap-server broker:9092 --alter --partitions 24 --topic dicom-{role}" in page
    )
    tool = subprocess.Popen([*kafka_tools.tool(kafka_tools.TOOLS["kafka-topics"]), *command.split()])

    def done() -> bool:
        with suppress(subprocess.TimeoutExpired):
            tool.wait(0.1)
        return tool.returncode is not None

    yield done
    assert tool.returncode == 0


def sends_until(done: Grown, scene: Scene, member: Member) -> None:
    def is_done() -> bool:
        scene.send()
        return done()

    until(is_done, "the inputs are wider", member)


@pytest.mark.parametrize("grow", [by_request, pytest.param(by_command, marks=pytest.mark.nightly)])
def test_all_goes_on_while_the_inputs_grow(
    site: Site, fault_seed: int, grow: Callable[[Site, str], AbstractContextManager[Grown]]
) -> None:
    scene = Scene(site, fault_seed, SOON)
    with scene.member("a") as member, scene.member("b") as other:
        scene.send(3)
        scene.heals(member)
        for role in ("instances", "reports"):
            with grow(site, role) as done:
                sends_until(done, scene, member)
            until(lambda role=role: site.partitions(role) == WIDE, "the broker says so, too", member)
        scene = scene.anew()  # a sender that knows of the new partitions
        images = [instance(study, 1, 50) for study in STUDIES]
        scene.give(
            Sent("instances", image.key, image.value, partition)
            for image in images
            for partition in range(WIDE)
        )
        scene.send(3)
        scene.heals(member)
        assert [each.stop() for each in (member, other)] == [0, 0]
    with scene.member("a") as member:
        scene.send()
        scene.heals(member)
        assert member.stop() == 0
