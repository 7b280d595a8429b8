"""`run --from-beginning`: the whole input again, into topics of its own.

Rules of this file: questions to the broker before a start, which need no rights but a member's; nothing is
changed. A group without commits reads from the earliest record anyway: what is asked is whether it is such a
group, and has the topics that it writes to itself.
"""

from __future__ import annotations

from contextlib import closing

from confluent_kafka import Consumer, TopicPartition

from processors.errors import Unavailable
from processors.settings import Settings
from processors.stream.broker import ANSWER_S, Cluster
from processors.stream.client import LOGGER, changelog_config, group_of
from processors.stream.offsets import Offsets, Partition, told
from processors.stream.scan import answer


def require_fresh(settings: Settings) -> None:
    """Raises Unavailable when the group has read before, or a topic of its own already holds something."""
    topics, group = settings.topics, group_of(settings.kafka)
    own = (topics.intake, topics.changelog, topics.fhir, topics.analytics, topics.dead_letters)
    counts, offsets = Cluster(settings.kafka).partitions, Offsets(settings.kafka)
    places = {
        topic: [(topic, number) for number in range(counts.get(topic, 0))]
        for topic in (topics.instances, topics.reports, *own)
    }
    read = [place for topic in (topics.instances, topics.reports, topics.intake) for place in places[topic]]
    if _has_committed(settings, group, read):
        raise Unavailable(
            f"--from-beginning: group {group} has read before; give kafka.group.id a new name, "
            "or leave the option out to go on"
        )
    asked = [place for topic in own for place in places[topic]]
    first, end = answer(lambda: (offsets.first(asked), offsets.end(asked)))
    written = sorted({place[0] for place in asked if end[place] > first[place]})
    if written:
        raise Unavailable(
            f"--from-beginning: {', '.join(written)} already hold records; "
            "give all but the inputs new names in [topics], and run `imaging-reference topics create`"
        )


def _has_committed(settings: Settings, group: str, partitions: list[Partition]) -> bool:
    config = {**changelog_config(settings.kafka, group), "group.id": group}
    asked = [TopicPartition(*each) for each in partitions]
    with closing(Consumer(config, logger=LOGGER)) as consumer:
        found = answer(lambda: told(consumer.committed(asked, ANSWER_S)))
    return any(each.offset >= 0 for each in found)
