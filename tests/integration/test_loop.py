"""The loop on a real broker: exactly once through kills, rebalances, lost state and strange producers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time

import pytest
from confluent_kafka import TopicPartition

from tests.integration.site import PATIENCE_S, Program, Site, until

STUDIES = [f"2.25.{n}" for n in range(1, 13)]


def _records(items: int, studies: list[str] = STUDIES) -> list[tuple[bytes | None, bytes | None]]:
    return [(s.encode(), f"{s}/{n}".encode()) for n in range(items) for s in studies]


def _round(number: int) -> list[tuple[bytes | None, bytes | None]]:
    return [(s.encode(), f"{s}/{number - 1}".encode()) for s in STUDIES]


def _expected(items: int) -> dict[bytes, list[str]]:
    return {study.encode(): sorted(str(n) for n in range(items)) for study in STUDIES}


def _published(site: Site) -> dict[bytes, list[str]]:
    """The newest version by study."""
    return {seen.key or b"": json.loads(seen.value or b"") for seen in site.read("fhir")}


def _until_published(site: Site, items: int, what: str, member: Program) -> None:
    until(lambda: _published(site) == _expected(items), what, member, found=lambda: _published(site))


def _verify(site: Site, items: int) -> None:
    site.settled()
    assert _published(site) == _expected(items)
    versions = [(seen.key, seen.value) for seen in site.read("fhir")]
    assert len(versions) == len(set(versions)), "a version was published twice"
    assert sorted(versions) == sorted((s.key, s.value) for s in site.read("analytics"))


def test_passthrough_then_clean_stop(site: Site) -> None:
    site.send("instances", [*_records(3), *_records(2), (b"k", b"no slash"), (None, None)])
    with site.member() as member:
        _until_published(site, 3, "all published", member)
        until(lambda: len(site.read("dead_letters")) >= 2, "what is in other partitions", member)
        assert member.stop() == 0
    _verify(site, 3)
    dead = [seen.value for seen in site.read("dead_letters")]
    assert sorted(dead, key=str) == [None, b"no slash"]
    group = site.admin.describe_consumer_groups([f"group-{site.suffix}"])[f"group-{site.suffix}"].result()
    assert group.members == [], "left the group"


@pytest.mark.parametrize("turn_s", [30.0, 0.0])
def test_a_batch_folded_in_slices_or_given_back_is_folded_once(site: Site, turn_s: float) -> None:
    site.send("instances", _records(40))
    with site.member(slice_s=0.0, turn_s=turn_s) as member:
        _until_published(site, 40, "all published", member)
        assert member.stop() == 0
    lines = [json.loads(line) for line in member.lines() if '"transaction_committed"' in line]
    assert sum(line["records"] for line in lines) == len(_records(40))


def test_the_largest_input_is_read_and_put_aside_untouched(site: Site) -> None:
    largest = os.urandom(15 * 1024 * 1024).replace(b"/", b"-")
    site.send("instances", [(b"k", largest), *_records(1)])
    with site.member() as member:
        _until_published(site, 1, "all published", member)
        until(lambda: [seen.value for seen in site.read("dead_letters")] == [largest], "put aside", member)


def test_records_that_are_not_home_are_forwarded(site: Site) -> None:
    everything = _records(4)
    site.send("instances", [(None, value) for _, value in everything[::2]])
    site.send("reports", [(b"another key", value) for _, value in everything[1::2]], partition=1)
    with site.member() as member:
        _until_published(site, 4, "all published", member)
    assert len(site.read("intake")) > 0


@pytest.mark.parametrize(
    "step", ["after_poll", "before_produce", "before_commit", "after_commit", "after_store_commit"]
)
@pytest.mark.parametrize("keep_state", [True, False])
def test_kill_at_a_step(site: Site, step: str, keep_state: bool) -> None:
    rounds, until_s = 0, time.monotonic() + PATIENCE_S
    with site.member(kill=[step, 4]) as member:
        while member.alive and time.monotonic() < until_s:
            rounds += 1
            site.send("instances", _round(rounds))
        assert member.wait() == -signal.SIGKILL
    if not keep_state:
        shutil.rmtree(site.folder / "state-a")
    with site.member() as member:
        site.send("instances", [*_round(rounds), *_round(rounds + 1)])
        _until_published(site, rounds + 1, "all published", member)
        assert member.stop() == 0
    _verify(site, rounds + 1)


def test_members_join_and_leave(site: Site) -> None:
    with site.member("a") as first:
        site.send("instances", _records(2))
        _until_published(site, 2, "first round", first)
        with site.member("b") as second:
            until(lambda: second.said("partitions_assigned"), "second joined", second)
            site.send("instances", _records(4))
            _until_published(site, 4, "second round", second)
            assert first.stop() == 0
            site.send("instances", _records(6))
            _until_published(site, 6, "third round", second)
            second.kill()
        with site.member("c") as third:
            site.send("instances", _records(7))
            _until_published(site, 7, "after the kill", third)
    _verify(site, 7)


def test_a_silent_study_closes_after_a_kill(site: Site) -> None:
    with site.member(quiet_ms=4000) as member:
        until(lambda: member.said('"restored"'), "ready: the clocks run from what is sent on", member)
        site.send("instances", _records(1))
        until(lambda: len(site.read("changelog")) >= len(STUDIES), "state written", member)
        member.kill()
    assert site.read("fhir") == []
    with site.member(quiet_ms=4000) as member:
        _until_published(site, 1, "closed by the clock", member)
    _verify(site, 1)


def test_input_lost_to_retention_is_reported(site: Site) -> None:
    study = STUDIES[0]
    site.send("instances", [(b"", f"{study}/{n}".encode()) for n in range(3)], partition=0)
    with site.member() as member:
        until(lambda: _published(site) == {study.encode(): ["0", "1", "2"]}, "first three", member)
        assert member.stop() == 0
    site.send("instances", [(b"", f"{study}/{n}".encode()) for n in range(3, 6)], partition=0)
    gone = TopicPartition(site.topic("instances"), 0, 5)
    for future in site.admin.delete_records([gone]).values():
        future.result()
    shutil.rmtree(site.folder / "state-a")
    with site.member() as member:
        until(lambda: _published(site).get(study.encode()) == ["0", "1", "2", "5"], "the rest", member)
        assert member.said('"committed": 3, "event": "input_lost", "first": 5')


def test_another_partition_count_stops_with_one_line(site: Site) -> None:
    with site.member() as member:
        until(lambda: len(site.read("changelog")) >= 3, "layout recorded", member)
        assert member.stop() == 0
    for role in ("intake", "changelog"):
        from confluent_kafka.admin import NewPartitions

        for future in site.admin.create_partitions([NewPartitions(site.topic(role), 5)]).values():
            future.result()
    with site.member("b") as member:
        assert member.wait() == 1
        assert member.said("the state was made for")
