"""What happens to members: they stand still, come back as zombies, are slow, come and go, run out of disk.

Rules of this file: faults of processes and their machine; kills at a step are in `test_crash_matrix`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from processors.settings.sections import State
from tests.integration.faults.members import Member
from tests.integration.faults.scene import Scene, time_passes
from tests.integration.faults.victim import Wire
from tests.integration.site import Site, until

SHORT = {"transaction.timeout.ms": 3000}
AWAY_S = 8.0
"""Beyond that timeout, and the group's for a session (6 s)."""


@pytest.mark.parametrize(
    "step",
    [
        "before_produce",
        pytest.param("sent_offsets", marks=pytest.mark.nightly),
        "committing",
        pytest.param("after_commit", marks=pytest.mark.nightly),
    ],
)
def test_standing_still_for_longer_than_its_place_is_kept(site: Site, fault_seed: int, step: str) -> None:
    scene = Scene(site, fault_seed, SHORT)
    with scene.member() as member:
        scene.pause(member, step)
        time_passes(AWAY_S)
        member.signal(signal.SIGCONT)
        scene.send()
        scene.heals(member)
        scene.accounts(member)
        assert member.stop() == 0


@pytest.mark.parametrize("step", ["sent_offsets", pytest.param("before_commit", marks=pytest.mark.nightly)])
def test_a_zombie_finds_its_place_taken_and_writes_nothing_more(
    site: Site, fault_seed: int, step: str
) -> None:
    """Its successor has its name, its transactional id and its folder."""
    scene = Scene(site, fault_seed, SHORT)
    with scene.member(log="zombie") as zombie:
        scene.pause(zombie, step)
        with scene.member() as member:
            scene.send()
            scene.heals(member)
            zombie.signal(signal.SIGCONT)
            assert zombie.wait() == 1
            assert zombie.said("another process runs as member a-0")
            scene.send()
            scene.heals(member)
            scene.accounts(member)
            assert member.stop() == 0


def test_slower_than_the_poll_interval(site: Site, fault_seed: int) -> None:
    """The group gives its partitions away while it still works on them; it gives up and joins again."""
    scene = Scene(site, fault_seed, {"max.poll.interval.ms": 6000})
    with scene.member() as member:
        assert member.ready() is not None
        member.set(Wire("before_produce", 2, 9.0))
        scene.send(3)
        until(lambda: member.said("MAXPOLL"), "given up by the group", member)
        scene.send()
        scene.heals(member)
        scene.accounts(member)
        assert member.stop() == 0


@pytest.mark.parametrize("for_s", [15.0, pytest.param(120.0, marks=pytest.mark.nightly)])
def test_three_members_come_and_go(site: Site, fault_seed: int, for_s: float) -> None:
    """They join, leave, are killed, and stand still for a while, at random; load goes on all the time."""
    scene = Scene(site, fault_seed, SHORT)
    random = Random(fault_seed)
    there: dict[str, Member] = {}
    until_s = time.monotonic() + for_s
    try:
        while time.monotonic() < until_s:
            _come_or_go(scene, there, random)
            scene.send()
            time_passes(random.uniform(0, 1.5))
        if not there:
            there["a"] = scene.member("a")
        scene.send()
        scene.heals(next(iter(there.values())))
    finally:
        for member in there.values():
            member.kill()


def _come_or_go(scene: Scene, there: dict[str, Member], random: Random) -> None:
    name = random.choice("abc")
    if name not in there:
        there[name] = scene.member(name)
        return
    what = random.choice(("stop", "kill", "pause", "nothing"))
    print(f"{name}: {what}")  # noqa: T201 (shown when the test fails)
    if what == "stop":
        assert there.pop(name).stop() == 0
    elif what == "kill":
        there.pop(name).kill()
    elif what == "pause":
        there[name].signal(signal.SIGSTOP)
        time_passes(random.uniform(0, 4))
        there[name].signal(signal.SIGCONT)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system: needs root")
def test_no_space_left_for_the_state(site: Site, fault_seed: int, tmp_path: Path) -> None:
    """It stands still, is not ready, and says why; when there is space again it goes on by itself."""
    scene = Scene(site, fault_seed, SHORT)
    with _small_disk(tmp_path / "disk", "16m") as disk:
        filler = disk / "filler"
        with scene.member(state=State(dir=str(disk))) as member:
            scene.send(2)
            scene.heals(member)
            filler.write_bytes(bytes(_free(disk)))
            scene.send(20)

            def out_of_space() -> bool:
                scene.send()
                member.gone(within_s=0.3)
                return member.said('"state_unavailable"')

            until(out_of_space, "out of space", member)
            filler.unlink()
            scene.send()
            scene.heals(member)
            scene.accounts(member)
            assert member.stop() == 0


@contextmanager
def _small_disk(where: Path, size: str) -> Iterator[Path]:
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)


def _free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize
