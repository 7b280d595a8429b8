"""Clocks that are held after a move, until the group has read what waited in the inputs."""

from __future__ import annotations

from processors.core.policy import Policy
from processors.dicom import ReadingPolicy
from processors.errors import Unavailable
from processors.pipeline.decode import Decoder
from processors.pipeline.entries import HELD_KEY
from processors.pipeline.partitioning import home_of
from processors.pipeline.ports import MemoryStore
from processors.pipeline.records import OutputTopic, Record, Step
from processors.pipeline.topology import Limits, Pipeline
from processors.stream.holding import Holding, held
from processors.stream.offsets import Partition
from tests.unit.pipeline.site import INSTANCES, INTAKE, START_MS, STUDY, image

HOME = home_of(STUDY, 3)
LATER_MS = START_MS + 600_000


class Group:
    def __init__(self) -> None:
        self.read: dict[Partition, int] | None = {}
        """None: the broker does not answer."""
        self.asked = 0

    def ends(self) -> dict[Partition, int]:
        return {(INSTANCES, 1): 5}

    def has_read(self, goal: dict[Partition, int]) -> bool:
        self.asked += 1
        if self.read is None:
            raise Unavailable("the broker does not answer")
        return self.read == goal


class Member:
    def __init__(self, store: MemoryStore) -> None:
        self.group = Group()
        self.store = store
        pipeline = Pipeline(Policy(), Decoder(ReadingPolicy()), 3, INTAKE, b"", Limits(1_000, 1_000, 100_000))
        self.topology = Holding(pipeline, lambda: self.group)
        self.topology.assign(HOME, store)

    def tick(self) -> Step:
        """Its own partitions are read to the end."""
        for topic in (INSTANCES, INTAKE):
            self.topology.frontier(topic, HOME, caught_up=True)
        return self.topology.tick(LATER_MS)

    def commit(self) -> None:
        self.store.commit(0)
        self.topology.committed()

    def roll_back(self) -> None:
        self.store.rollback()
        self.topology.rolled_back()


def member(is_held: bool = True) -> Member:
    """With a series whose clock has long run out."""
    store = MemoryStore()
    store.put([held(HOME)] if is_held else [])
    made = Member(store)
    record = Record(INSTANCES, HOME, 0, START_MS, None, image(), None)
    made.topology.process([record], START_MS)
    made.commit()
    return made


def published(step: Step) -> int:
    return sum(output.topic is OutputTopic.FHIR for output in step.outputs)


def test_nothing_closes_before_the_group_has_read_what_waited() -> None:
    one = member()
    assert [published(one.tick()) for _ in range(3)] == [0, 0, 0]
    one.group.read = None
    assert published(one.tick()) == 0
    one.group.read = one.group.ends()
    assert published(one.tick()) == 0, "what was forwarded may not be seen yet"
    step = one.tick()
    assert published(step) == 1
    assert [(each.key, each.value) for each in step.entries if each.key == HELD_KEY] == [(HELD_KEY, None)]
    assert one.store.get(HELD_KEY) is None


def test_it_lets_go_again_after_a_rollback_and_not_after_a_commit() -> None:
    one = member()
    one.group.read = one.group.ends()
    one.tick()
    assert published(one.tick()) == 1
    one.roll_back()
    step = one.tick()
    assert published(step) == 1
    assert HELD_KEY in {each.key for each in step.entries}
    one.commit()
    asked = one.group.asked
    assert one.tick().entries == []
    assert one.group.asked == asked


def test_it_holds_through_a_restart() -> None:
    one = member()
    one.tick()
    again = Member(one.store)
    assert published(again.tick()) == 0


def test_a_home_that_is_not_held_asks_nobody() -> None:
    one = member(is_held=False)
    assert published(one.tick()) == 1
    assert one.group.asked == 0


def test_a_home_that_was_given_away_is_no_longer_held_here() -> None:
    one = member()
    one.topology.revoke(HOME)
    one.tick()
    assert one.group.asked == 0
