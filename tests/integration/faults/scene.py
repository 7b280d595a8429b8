"""A site with its members and its load, and the check of everything that must hold on it.

Rules of this file: what the scenarios share; a scenario itself is a test.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from confluent_kafka import Producer, TopicPartition

from processors.settings import printable
from processors.settings.sections import Completeness
from tests.integration.faults import laws
from tests.integration.faults.load import Load, Sent, undisturbed
from tests.integration.faults.members import NEVER, Member
from tests.integration.faults.victim import Wire
from tests.integration.site import PATIENCE_S, Site, until

QUIET_S = 0.4
FAST = {
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 500,
    "transaction.timeout.ms": 10_000,
}


class Scene:
    """`kafka` and `sections` change the settings of every member."""

    def __init__(self, site: Site, seed: int, kafka: Mapping[str, object] | None = None) -> None:
        self.site = site
        self.load = Load(seed)
        self.sent: list[Sent] = []
        self._kafka = {**site.settings.kafka, **FAST, **(kafka or {})}
        self._producer = Producer({**site.kafka, "partitioner": "murmur2_random", "linger.ms": 1})

    def anew(self) -> Scene:
        """The same, whose sender knows of partitions that were added since."""
        other = Scene(self.site, 0, self._kafka)
        other.load, other.sent = self.load, self.sent
        return other

    def member(self, name: str = "a", wire: Wire = NEVER, log: str = "", **sections: object) -> Member:
        return Member(self.config(name, **sections), self.site.folder / f"{log or name}.log", wire)

    def config(self, name: str = "a", **sections: object) -> Path:
        """The settings file of a member."""
        kafka = self._kafka | {"group.instance.id": name}
        quick = {"completeness": Completeness(quiet_s=QUIET_S)}
        settings = msgspec.structs.replace(self.site.settings, kafka=kafka, **(quick | sections))
        config = self.site.folder / f"{name}.toml"
        config.write_text(printable(settings), "utf-8")
        return config

    def state_of(self, name: str = "a") -> Path:
        return self.site.folder / "state" / f"{name}-0"

    def send(self, rounds: int = 1) -> None:
        self.give(each for _ in range(rounds) for each in self.load.round())

    def give(self, records: Iterable[Sent]) -> None:
        for each in records:
            self.sent.append(each)
            self._produce(each)
        assert self._producer.flush(PATIENCE_S) == 0

    def _produce(self, record: Sent) -> None:
        self._producer.produce(self.site.topic(record.role), record.value, record.key, record.partition)

    def pause(self, member: Member, step: str, passes: int = 2) -> None:
        """Let it stand still at that step, with a transaction open where the step has one."""
        assert member.ready() is not None, member.tail()
        member.set(Wire(step, passes, signal.SIGSTOP))

        def paused() -> bool:
            self.send()
            member.gone(within_s=0.3)
            return member.paused

        until(paused, f"paused at {step}", member)

    def lose(self, records: Iterable[Sent]) -> None:
        """Retention takes these, and all before them, from the inputs."""
        for each in records:
            self._produce(each)
        assert self._producer.flush(PATIENCE_S) == 0
        ends = self.site.ends(laws.INPUTS)
        gone = [TopicPartition(topic, partition, end) for (topic, partition), end in ends.items()]
        for future in self.site.admin.delete_records(gone).values():
            future.result()

    def heals(self, member: Member, patience_s: float = PATIENCE_S) -> None:
        """Everything that must hold comes to hold, and `member` has no part in it but to run."""
        expected = undisturbed(self.site.settings, self.sent)
        what = "the references of an undisturbed run"
        until(
            lambda: laws.holds(self.site, expected),
            what,
            member,
            patience_s,
            lambda: laws.difference(self.site, expected),
        )
        laws.no_lag(self.site, patience_s)
        self.site.settled(patience_s=patience_s)
        laws.one_fact_for_each_revision(self.site)

    def accounts(self, member: Member) -> None:
        """Of a member alone since its start: its counters add up to the records that it took."""
        first = member.ready()
        assert first is not None
        taken = laws.records_between(self.site, first, laws.committed(self.site))
        # It counts a transaction a moment after the broker has it.
        until(lambda: member.accounted() >= taken, f"{taken} are counted", member, found=member.accounted)
        assert member.accounted() == taken


def time_passes(seconds: float) -> None:
    """Let a timeout of the broker run out: the one thing that only time can do."""
    threading.Event().wait(seconds)
