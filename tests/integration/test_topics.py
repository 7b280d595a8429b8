"""Topics made from `schemas/` on a real broker, and each difference named."""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec
import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, ResourceType

from processors.errors import SettingsError, Unavailable
from processors.settings import Settings
from processors.settings.sections import Topics
from processors.stream import topics
from tests.broker import Broker
from tests.integration.site import ROLES, Site, until


@pytest.fixture
def settings(kafka: Broker) -> Settings:
    suffix = uuid.uuid4().hex[:8]
    names = {role: f"{role}-{suffix}" for role in ROLES}
    return Settings(kafka={"bootstrap.servers": kafka.bootstrap}, topics=msgspec.convert(names, Topics))


def test_what_was_created_checks_clean_and_is_left_alone(settings: Settings) -> None:
    assert len(topics.check(settings)) == len(ROLES)
    assert all(line.endswith(": missing") for line in topics.check(settings))
    assert sorted(topics.create(settings)) == sorted(getattr(settings.topics, role) for role in ROLES)
    assert topics.check(settings) == []
    assert topics.create(settings) == []


def test_each_difference_is_a_line(settings: Settings, tmp_path: Path) -> None:
    topics.create(settings)
    site = Site(str(settings.kafka["bootstrap.servers"]), "", tmp_path)
    fhir, intake = settings.topics.fhir, settings.topics.intake
    change = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, fhir, incremental_configs=[change])
    site.admin.incremental_alter_configs([resource])[resource].result()
    site.admin.create_partitions([NewPartitions(intake, 13)])[intake].result()
    differences = [
        f"{intake}: partitions: 13, wanted 12",
        f"{fhir}: cleanup.policy: delete, wanted compact",
    ]
    until(lambda: topics.check(settings) == differences, "both differences named")


def test_a_site_has_as_many_partitions_as_it_says(settings: Settings) -> None:
    topics.create(settings)
    more = msgspec.structs.replace(settings.topics, partitions=24)
    wider = msgspec.structs.replace(settings, topics=more)
    roles = ("instances", "reports", "intake", "changelog")
    assert topics.check(wider) == [f"{getattr(more, r)}: partitions: 12, wanted 24" for r in roles]


@pytest.mark.parametrize(
    ("kafka_section", "error", "said"),
    [
        ({}, SettingsError, "bootstrap.servers is not set"),
        ({"bootstrap.servers": "127.0.0.1:1", "no.such": "x"}, SettingsError, "no.such"),
        ({"bootstrap.servers": "127.0.0.1:1"}, Unavailable, "no broker answers at 127.0.0.1:1"),
    ],
)
def test_no_way_to_a_broker_is_one_line(
    kafka_section: dict[str, str], error: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processors.stream.broker.ANSWER_S", 1.0)
    with pytest.raises(error, match=said) as raised:
        topics.check(Settings(kafka=dict(kafka_section)))
    assert "\n" not in str(raised.value)
