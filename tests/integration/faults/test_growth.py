"""The state moved to another partition count: whatever was under way, nothing is lost or published again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from processors.avro.facts import decode_fact
from processors.pipeline.entries import HELD_KEY
from processors.settings.sections import Completeness
from processors.stream.changelog import DUE
from tests.integration.faults import laws
from tests.integration.faults.load import Sent
from tests.integration.faults.scene import Scene, time_passes
from tests.integration.hospital import STUDIES, instance
from tests.integration.site import PATIENCE_S, ROOT, Seen, Site, until

SLOW = Completeness(quiet_s=8.0)
"""What came last is still open when its member stops."""


def grow(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "processors", "topics", "grow", "--config", str(config), *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]


def dies_growing(config: Path, target: tuple[int, str, str], step: str, passes: int) -> None:
    told = {"config": str(config), "target": target, "kill": [step, passes]}
    command = [sys.executable, "-m", "tests.integration.grower", json.dumps(told)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=2 * PATIENCE_S, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def once_nobody_is_there(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What it says when the group has forgotten members that were killed or refused."""
    done: list[subprocess.CompletedProcess[str]] = []

    def is_told() -> bool:
        done.append(grow(config, *arguments))
        return "stop them all first" not in last_line(done[-1])

    until(is_told, "an answer other than that there are members")
    assert done[-1].returncode == 0, done[-1].stderr
    return done[-1]


def refused(scene: Scene, reason: str, log: str) -> None:
    """No member can begin."""
    with scene.member(log=log) as member:
        assert member.wait() == 1
        assert member.said(reason), member.tail()


def no_revision_says_what_the_last_one_said(site: Site) -> None:
    contents = defaultdict(list)
    for each in site.read("fhir"):
        resource = json.loads(each.value or b"{}")
        meta = resource.get("meta", {})
        meta.pop("versionId", None)
        meta.pop("lastUpdated", None)
        contents[each.key].append(resource)
    assert [one for found in contents.values() for one, other in pairwise(found) if one == other] == []


def published(site: Site) -> int:
    return len(site.read("fhir"))


def something_of_everything(scene: Scene) -> None:
    """Published, open, parked, merged; and unread, in the inputs and in the intake."""
    with scene.member() as member:
        scene.send(4)
        scene.heals(member)
        assert member.stop() == 0
    with scene.member(completeness=SLOW) as member:
        assert member.ready() is not None
        running = grow(scene.config(), "--partitions", "5")
        assert running.returncode == 1
        assert "has 1 members: stop them all first" in last_line(running)
        scene.send(2)
        laws.no_lag(scene.site)
        assert member.stop() == 0
    scene.send(2)


@pytest.mark.parametrize(
    ("step", "passes"),
    [
        ("copying", 3),
        pytest.param("drained", 1, marks=pytest.mark.nightly),
        pytest.param("sealed", 1, marks=pytest.mark.nightly),
        pytest.param("copied", 1, marks=pytest.mark.nightly),
        pytest.param("moved", 1, marks=pytest.mark.nightly),
    ],
)
def test_from_three_to_five_to_four(site: Site, fault_seed: int, step: str, passes: int) -> None:
    scene = Scene(site, fault_seed)
    something_of_everything(scene)
    config, five = scene.config(), site.with_names(intake=f"i-{site.suffix}", changelog=f"c-{site.suffix}")
    names = five.topic("intake"), five.topic("changelog")
    dies_growing(config, (5, *names), step, passes)
    if step == "copying":
        refused(scene, "is being moved to another number of partitions", "while")
    options = ("--partitions", "5", "--intake", names[0], "--changelog", names[1])
    done = once_nobody_is_there(config, *options)
    assert done.stdout == f'[topics]\nintake = "{names[0]}"\nchangelog = "{names[1]}"\npartitions = 5\n'
    assert last_line(grow(config, *options)).startswith("the state was moved before")
    assert any(DUE in each.headers for each in five.read("changelog")), "clocks of what is open"

    refused(scene, f"set topics.intake to {names[0]}", "after")
    scene.site = five
    with scene.member() as member:
        scene.heals(member)
        scene.send(2)
        scene.heals(member)
        assert member.stop() == 0

    before = published(five)
    four = site.with_names(intake=f"i-{site.suffix}-4", changelog=f"c-{site.suffix}-4")
    once_nobody_is_there(scene.config(), "--partitions", "4")
    scene.site = four
    with scene.member() as member:
        laws.no_lag(four)
        assert published(four) == before, "all was said"
        scene.send()
        scene.heals(member)
        assert member.stop() == 0
    no_revision_says_what_the_last_one_said(four)


def test_a_move_that_was_begun_can_be_given_up(site: Site, fault_seed: int) -> None:
    scene = Scene(site, fault_seed)
    with scene.member() as member:
        scene.send()
        scene.heals(member)
        assert member.stop() == 0
    config, names = scene.config(), (f"i-{site.suffix}", f"c-{site.suffix}")
    assert "nothing to cancel" in last_line(grow(config, "--cancel"))
    dies_growing(config, (5, *names), "copied", 1)
    assert grow(config, "--cancel").returncode == 0
    with scene.member() as member:
        scene.send()
        scene.heals(member)
        assert member.stop() == 0
    done = grow(config, "--partitions", "5", "--intake", names[0], "--changelog", names[1])
    assert done.returncode == 0, done.stderr
    assert "was moved" in last_line(grow(config, "--cancel"))
    scene.site = site.with_names(intake=names[0], changelog=names[1])
    with scene.member() as member:
        scene.send()
        scene.heals(member)
        assert member.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--partitions", "3"), "has 3 partitions already"),
        (("--partitions", "5", "--intake", "instances-{}"), "is one of this site's topics"),
        (("--partitions", "5", "--intake", "x", "--changelog", "x"), "give them two names"),
        (("--partitions", "5", "--cancel"), "give either --partitions or --cancel"),
        ((), "give either --partitions or --cancel"),
    ],
)
def test_wrong_use_is_one_line(site: Site, arguments: tuple[str, ...], said: str) -> None:
    config = Scene(site, 1).config()
    done = grow(config, *(each.format(site.suffix) for each in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_member_that_soon_comes_back_with_other_topics(site: Site, fault_seed: int) -> None:
    """The group keeps its place, and would give it what it had before."""
    with Scene(site, fault_seed).member() as member:
        assert member.ready() is not None
        member.kill()
    own = {role: f"{role}-{site.suffix}-own" for role in ("instances", "intake", "changelog")}
    scene = Scene(site.with_names(**own), fault_seed)
    scene.site.create(3)
    scene.send()
    with scene.member() as member:
        scene.heals(member)
        assert member.stop() == 0


def test_what_came_while_nobody_ran_is_waited_for(site: Site, fault_seed: int) -> None:
    """Its study's new home has no partition of the inputs to read, or another one."""
    scene = Scene(site, fault_seed)

    def images(number: int) -> list[Sent]:
        said = [(message.key, message.value) for message in (instance(s, 1, number) for s in STUDIES)]
        return [Sent("instances", key, value) for key, value in said]

    with scene.member(completeness=SLOW) as member:
        assert member.ready() is not None
        scene.give(images(1))
        laws.no_lag(site)
        assert member.stop() == 0
    scene.give(images(2))
    names = f"i-{site.suffix}", f"c-{site.suffix}"
    config = scene.config(completeness=SLOW)
    done = grow(config, "--partitions", "7", "--intake", names[0], "--changelog", names[1])
    assert done.returncode == 0, done.stderr
    time_passes(SLOW.quiet_s)
    scene.site = site.with_names(intake=names[0], changelog=names[1])
    with scene.member(completeness=SLOW) as member:
        scene.heals(member)
        until(lambda: not any(each.value for each in held_entries(scene.site)), "no clock is held", member)
        assert member.stop() == 0
    facts = [decode_fact(each.value or b"") for each in site.read("analytics")]
    assert {(fact["revision"], fact["instance_count"]) for fact in facts} == {(1, 2)}


def held_entries(site: Site) -> list[Seen]:
    """The last of each home."""
    found = {each.partition: each for each in site.read("changelog") if each.key == HELD_KEY.encode()}
    assert len(found) == 7
    return list(found.values())
