"""What the machines do: a broker that is killed or away for long, a member that is paused and replaced."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.broker import Broker, KRaftBroker
from tests.integration.site import Program, Site, until
from tests.integration.test_loop import _expected, _published, _round, _verify

TIMEOUTS = {"transaction.timeout.ms": 3000}
"""Short, so that a pause outlives it."""


@pytest.fixture
def own(kafka: Broker) -> KRaftBroker:
    """The broker, if it is ours to stop."""
    if not isinstance(kafka, KRaftBroker):
        pytest.fail("stops the broker: run with a JDK 17 and Maven, without KAFKA_BOOTSTRAP_SERVERS")
    return kafka


@contextmanager
def _paused(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _wait_s(seconds: float) -> None:
    """Let a timeout of the broker run out: the one thing that only time can do."""
    end = time.monotonic() + seconds
    until(lambda: time.monotonic() > end, "time has passed")


def _first_round(site: Site, member: Program) -> None:
    site.send("instances", _round(1))
    until(lambda: _published(site) == _expected(1), "first round", member)


def test_a_killed_broker_comes_back(site: Site, own: KRaftBroker) -> None:
    with site.member() as member:
        _first_round(site, member)
        own.stop(signal.SIGKILL)
        own.start()
        site.send("instances", _round(2))
        until(lambda: _published(site) == _expected(2), "second round", member)
        assert member.stop() == 0
    _verify(site, 2)


def test_a_broker_away_for_longer_than_a_transaction_lives(site: Site, own: KRaftBroker) -> None:
    with site.member(kafka=TIMEOUTS) as member:
        _first_round(site, member)
        site.send("instances", _round(2))
        with _paused(own.pid):
            _wait_s(8)
        site.send("instances", _round(3))
        until(lambda: _published(site) == _expected(3), "all rounds", member)
        assert member.stop() == 0
    _verify(site, 3)


@pytest.mark.parametrize("step", ["before_produce", "before_commit"])
def test_a_member_paused_within_a_transaction_goes_on(site: Site, step: str) -> None:
    with site.member(kafka=TIMEOUTS, stop=[step, 3]) as member:
        number = 0
        while not member.stopped and number < 500:
            number += 1
            site.send("instances", _round(number))
        _wait_s(8)
        member.signal(signal.SIGCONT)
        site.send("instances", _round(number + 1))
        until(lambda: _published(site) == _expected(number + 1), "all rounds", member)
        assert member.stop() == 0
    _verify(site, number + 1)


def test_a_replaced_member_leaves_and_writes_nothing_more(site: Site) -> None:
    with site.member(stop=["before_commit", 3], log="zombie") as zombie:
        number = 0
        while not zombie.stopped and number < 500:
            number += 1
            site.send("instances", _round(number))
        with site.member() as member:
            site.send("instances", _round(number + 1))
            until(lambda: _published(site) == _expected(number + 1), "the new one works", member)
            zombie.signal(signal.SIGCONT)
            assert zombie.wait() == 1
            assert zombie.said("another process runs as member a")
            site.send("instances", _round(number + 2))
            until(lambda: _published(site) == _expected(number + 2), "and goes on", member)
            assert member.stop() == 0
    _verify(site, number + 2)
