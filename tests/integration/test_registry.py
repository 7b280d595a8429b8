"""A real schema registry beside the real broker: what a site with Confluent's serializers sends and reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from processors import schema_files
from processors.avro.facts import decode_fact
from processors.avro.registered import HEADER, Writers
from processors.errors import Unavailable
from processors.settings import Settings, printable
from processors.settings.sections import SchemaRegistry as RegistrySettings
from processors.stream import topics
from processors.stream.registry import ConfluentRegistry
from tests.integration.registry import SchemaRegistry
from tests.integration.site import PATIENCE_S, Program, Site, until

STUDY = "2.999.7"
JSON_SCHEMA = '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}'


def _settings(
    site: Site,
    registry: SchemaRegistry,
    facts: Literal["confluent", "header"] = "confluent",
    timeout_s: float = 30.0,
) -> Settings:
    section = RegistrySettings(url=registry.url, timeout_s=timeout_s, facts=facts)
    return msgspec.structs.replace(site.settings, schema_registry=section)


def _run(site: Site, settings: Settings) -> Program:
    config = site.folder / "settings.toml"
    config.write_text(printable(settings), "utf-8")
    return Program(site.folder / "run.log", ["-m", "processors", "run", "--config", str(config)])


def _arrival(series: int) -> dict[str, Any]:
    return {
        "event": "instance.arrived",
        "event_id": str(series),
        "source": "PACS",
        "occurred_at": "2024-03-11T09:15:00Z",
        "study_instance_uid": STUDY,
        "series_instance_uid": f"{STUDY}.{series}",
        "sop_instance_uid": f"{STUDY}.{series}.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "number_of_series_related_instances": 1,
    }


def _own_schema(field: str) -> str:
    """A sender's own schema: only what it has to say, and a `field` that we do not know."""
    names = [field, *reversed(_arrival(1))]
    fields = [{"name": name, "type": "long" if name.startswith("number") else "string"} for name in names]
    return json.dumps(
        {"type": "record", "name": "InputEvent", "namespace": "imaging_reference", "fields": fields}
    )


def _send(site: Site, value: bytes, headers: Mapping[str, bytes] | None = None) -> None:
    producer = Producer({**site.kafka, "partitioner": "murmur2_random"})
    producer.produce(site.topic("instances"), value, STUDY.encode(), headers=dict(headers or {}))
    assert producer.flush(PATIENCE_S) == 0


def _series(site: Site) -> set[str]:
    return {json.loads(seen.value or b"")["seriesUid"] for seen in site.read("fhir")}


@pytest.fixture
def client(schema_registry: SchemaRegistry) -> Iterator[SchemaRegistryClient]:
    with closing(SchemaRegistryClient({"url": schema_registry.url})) as client:
        yield client


def test_what_confluent_s_serializers_write_is_read_and_the_facts_are_read_by_theirs(
    site: Site, schema_registry: SchemaRegistry, client: SchemaRegistryClient
) -> None:
    settings = _settings(site, schema_registry)
    topics.create(settings)
    topics.create(settings)
    context = SerializationContext(site.topic("instances"), MessageField.VALUE)
    # Under a subject of its own: the topic's would refuse a schema without our optional members.
    to_avro = AvroSerializer(
        client, _own_schema("colour"), conf={"subject.name.strategy": lambda *_: f"sender-{site.suffix}"}
    )
    avro = to_avro({**_arrival(1), "colour": "red"}, context)
    assert avro is not None
    json_id = client.register_schema(f"json-{site.suffix}", Schema(JSON_SCHEMA, "JSON"))
    with _run(site, settings) as running:
        _send(site, avro)
        _send(site, b"\0" + json_id.to_bytes(4) + json.dumps(_arrival(2)).encode())
        avro = to_avro({**_arrival(3), "colour": "red"}, context)
        assert avro is not None
        _send(site, avro[5:], {HEADER: avro[:5]})
        _send(site, b"\0\0\x0f\xff\xffwhat?")
        until(lambda: _series(site) == {f"{STUDY}.{n}" for n in (1, 2, 3)}, "all three", running)
        until(lambda: len(site.read("dead_letters")) == 1, "the unknown schema is put aside", running)
        assert running.stop() == 0
    site.settled()
    from_avro = AvroDeserializer(client)
    facts = [seen.value or b"" for seen in site.read("analytics")]
    said = SerializationContext(site.topic("analytics"), MessageField.VALUE)
    theirs = {from_avro(value, said)["series_instance_uid"] for value in facts}
    with closing(ConfluentRegistry(settings.schema_registry)) as registry:
        ours = {decode_fact(value, None, Writers(registry))["series_instance_uid"] for value in facts}
    assert theirs == ours == _series(site)


def test_a_registry_that_does_not_answer_delays_and_loses_nothing(
    site: Site, schema_registry: SchemaRegistry, client: SchemaRegistryClient
) -> None:
    own = f"sender-{site.suffix}"
    topics.create(_settings(site, schema_registry))
    settings = _settings(site, schema_registry, "header", timeout_s=1.0)
    to_avro = AvroSerializer(
        client, _own_schema(f"of_{own[-8:]}"), conf={"subject.name.strategy": lambda *_: own}
    )
    context = SerializationContext(site.topic("instances"), MessageField.VALUE)
    avro = to_avro({**_arrival(1), f"of_{own[-8:]}": ""}, context)
    assert avro is not None
    with _run(site, settings) as running:
        until(lambda: running.said('"partitions_assigned"'), "assigned", running)
        with schema_registry.paused():
            _send(site, avro)
            until(lambda: running.log.read_text().count('"registry_unanswered"') >= 2, "tried again", running)
            assert running.alive
            assert site.read("dead_letters") == site.read("fhir") == []
        until(lambda: _series(site) == {f"{STUDY}.1"}, "published at last", running)
        assert running.stop() == 0
    site.settled()
    assert site.read("dead_letters") == []
    assert len(site.read("fhir")) == len(site.read("analytics")) == 1


def test_the_subjects_are_checked_and_a_breaking_change_is_refused(
    site: Site,
    schema_registry: SchemaRegistry,
    client: SchemaRegistryClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = _settings(site, schema_registry)
    subjects = [f"{site.topic(role)}-value" for role in ("instances", "reports", "analytics")]
    assert _subjects(settings) == [f"{subject}: v1 is not registered" for subject in subjects]
    with _run(site, settings) as running:
        assert running.wait() == 1
    assert "run `imaging-reference topics create`" in running.lines()[-1]
    topics.create(settings)
    assert _subjects(settings) == []
    client.set_compatibility(subjects[2], "NONE")
    assert _subjects(settings) == [f"{subjects[2]}: compatibility: NONE, wanted FULL_TRANSITIVE"]

    topics.create(settings)
    texts = schema_files.schema_texts("analytics-imaging-references")
    broken = json.loads(texts[-1])
    broken["fields"].append({"name": "mandatory", "type": "string"})
    monkeypatch.setattr("processors.stream.registry.schema_texts", lambda _: (*texts, json.dumps(broken)))
    with pytest.raises(Unavailable, match=f"{subjects[2]}: v2 is refused as incompatible"):
        _register(settings, site)


def _subjects(settings: Settings) -> list[str]:
    """What is wrong with subjects; the site's topics have fewer partitions than they should."""
    return [line for line in topics.check(settings) if "-value: " in line]


def _register(settings: Settings, site: Site) -> None:
    spec = schema_files.topic_specs()["analytics-imaging-references"]
    with closing(ConfluentRegistry(settings.schema_registry)) as registry:
        registry.register(site.topic("analytics"), spec)


def test_an_address_that_is_no_registry_is_one_line(site: Site, tmp_path: Path) -> None:
    nobody = SchemaRegistry("http://127.0.0.1:9/none")
    with pytest.raises(Unavailable, match="schema registry: ConnectError"):
        topics.create(_settings(site, nobody))
