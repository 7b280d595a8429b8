"""The topics as their `topic.toml` wants them, made and compared on a real broker.

Rules of this file: `create` makes what is missing and changes nothing that is there; `check` names every
difference. What a topic is to be is said in `schemas/`, never here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    ConfigResource,
    NewTopic,
    ResourceType,
)

from processors.errors import Unavailable
from processors.schema_files import TopicSpec, topic_specs
from processors.settings import Settings
from processors.stream.broker import ANSWER_S, Cluster
from processors.stream.registries import registry_of

if TYPE_CHECKING:
    from processors.stream.registry import ConfluentRegistry

TOPICS = ("instances", "reports", "intake", "changelog", "fhir", "analytics", "dead_letters")
"""Keys of `[topics]`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic under the name the settings give it."""

    name: str
    spec: TopicSpec


def create(settings: Settings) -> list[str]:
    """Names of the topics that were missing and are there now; schemas go to the registry, if any."""
    made = Topics(settings.kafka, wanted(settings)).create()
    for registry, each in _registered(settings):
        registry.register(each.name, each.spec)
    return made


def check(settings: Settings) -> list[str]:
    """One line for each difference between the topics, and their subjects, and their `topic.toml`."""
    found = Topics(settings.kafka, wanted(settings)).check()
    for registry, each in _registered(settings):
        found += registry.differences(each.name, each.spec)
    return found


def _registered(settings: Settings) -> Iterator[tuple[ConfluentRegistry, Wanted]]:
    """The topics whose schemas belong in the registry; none where there is no registry."""
    found = registry_of(settings)
    if found is None:
        return
    with closing(found) as registry:
        for each in wanted(settings):
            if each.spec.compatibility:
                yield registry, each


def wanted(settings: Settings) -> tuple[Wanted, ...]:
    """The seven topics under their names in the settings; a default name is its folder's in `schemas/`."""
    default, named, specs = Settings().topics, settings.topics, topic_specs()
    return tuple(
        Wanted(getattr(named, role), specs[getattr(default, role)].for_homes(named.partitions))
        for role in TOPICS
    )


class Topics:
    """Raises Unavailable when no broker answers or it refuses."""

    def __init__(self, kafka: Mapping[str, str | int | float | bool], wanted: tuple[Wanted, ...]) -> None:
        self._cluster = Cluster(kafka)
        self._admin = self._cluster.admin
        self._wanted = wanted

    def create(self, partitions: int | None = None) -> list[str]:
        """Names of the topics made; `partitions`: in place of every topic's own count.

        Replication is the broker's default.
        """
        new = [
            NewTopic(each.name, partitions or each.spec.partitions, config=dict(each.spec.config))
            for each in self._wanted
        ]
        made = []
        for name, future in self._admin.create_topics(new, request_timeout=ANSWER_S).items():
            try:
                future.result()
            except KafkaException as failed:
                if failed.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise Unavailable(f"topic {name} cannot be made: {failed.args[0].str()}") from failed
            else:
                made.append(name)
        self._cluster.await_topics(each.name for each in self._wanted)
        return sorted(made)

    def check(self) -> list[str]:
        """One line a difference, in the order of the topics; empty: all is as it must be."""
        return list(self._differences())

    def _differences(self) -> Iterator[str]:
        counts = self._cluster.partitions
        for each in self._wanted:
            if each.name not in counts:
                yield f"{each.name}: missing"
                continue
            if counts[each.name] != each.spec.partitions:
                yield f"{each.name}: partitions: {counts[each.name]}, wanted {each.spec.partitions}"
            actual = self._config(each.name)
            for option, value in sorted(each.spec.config.items()):
                if actual.get(option) != value:
                    yield f"{each.name}: {option}: {actual.get(option)}, wanted {value}"

    def _config(self, name: str) -> dict[str, str]:
        resource = ConfigResource(ResourceType.TOPIC, name)
        try:
            entries = self._admin.describe_configs([resource], request_timeout=ANSWER_S)[resource].result()
        except KafkaException as failed:
            raise Unavailable(f"topic {name}: {failed.args[0].str()}") from failed
        return {option: str(entry.value) for option, entry in entries.items()}
