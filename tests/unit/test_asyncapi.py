"""The AsyncAPI document: valid by AsyncAPI's own parser, the site's names, true to what is written."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from processors.asyncapi import document
from processors.avro.facts import FactFraming
from processors.avro.registered import HEADER
from processors.errors import DeadLetterCode, Refused
from processors.fhir.releases import R5
from processors.pipeline.dead_letters import of_record
from processors.pipeline.publishing import Background, Publisher
from processors.pipeline.records import OutputTopic, Record, Step
from processors.schema_files import topic_specs
from processors.settings import Settings
from processors.settings.sections import Topics
from tests.asyncapi_parser import NoParser, complaints
from tests.builders.references import MOST

SITE = Settings(
    kafka={"bootstrap.servers": "a:9093, b:9093", "security.protocol": "sasl_ssl"},
    topics=Topics(fhir="references"),
)
DOCUMENT = document(SITE, "1.2.3")
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]


def complaints_of(changed: dict[str, Any]) -> list[str]:
    try:
        return complaints(json.dumps(changed))
    except NoParser as missing:
        pytest.fail(str(missing), pytrace=False)


def test_it_is_valid() -> None:
    assert complaints_of(DOCUMENT) == []


def test_the_parser_sees_what_is_wrong() -> None:
    changed = json.loads(json.dumps(DOCUMENT))
    changed["operations"]["instances"]["action"] = "eat"
    changed["components"]["messages"]["ImagingReferenceFact.avro"]["payload"]["schema"]["fields"] = 5
    said = " ".join(complaints_of(changed))
    assert "operations.instances.action" in said
    assert "ImagingReferenceFact.avro.payload" in said


def test_names_and_servers_are_the_site_s() -> None:
    addresses = {role: channel["address"] for role, channel in DOCUMENT["channels"].items()}
    assert addresses["fhir"] == "references"
    assert addresses["instances"] == "dicom-instances"
    assert DOCUMENT["servers"] == {
        "broker1": {"host": "a:9093", "protocol": "kafka-secure"},
        "broker2": {"host": "b:9093", "protocol": "kafka-secure"},
    }
    assert "servers" not in document(Settings(), "1")


def test_internal_topics_are_nobody_s_interface() -> None:
    public = {name for name, spec in topic_specs().items() if spec.role != "internal"}
    assert {channel["address"] for channel in document(Settings(), "1")["channels"].values()} == public


@pytest.mark.parametrize("name", [name for name in MESSAGES if name.endswith(".json")])
def test_examples_of_events_fit_the_schema_that_was_made_of_avro(name: str) -> None:
    message = MESSAGES[name]
    check = jsonschema.Draft7Validator(message["payload"]["schema"])
    assert len(message["examples"]) >= 2
    for example in message["examples"]:
        assert list(check.iter_errors(example["payload"])) == []
        assert list(check.iter_errors(example["payload"] | {"source": 5}))
        assert list(check.iter_errors({**example["payload"], "occurred_at": None}))


def test_headers_are_those_that_are_written() -> None:
    step = Step()
    publisher = Publisher(b"", R5, FactFraming(b"", (HEADER, b"\0\0\0\0\1")))
    publisher.publish(step, MOST, None, Background(traceparent=b"00-1-1-01"), 1)
    for topic, role in ((OutputTopic.FHIR, "fhir"), (OutputTopic.ANALYTICS, "analytics")):
        (record,) = [each for each in step.outputs if each.topic is topic]
        described = topic_specs()[getattr(Settings().topics, role)].headers
        assert {name for name, _ in record.headers} == described.keys()
    refused = Refused(DeadLetterCode.MISSING_UID, "no study", "(0020,000D)")
    letter = of_record(Record("dicom-instances", 0, 0, 0, None, b""), refused, "decode", 0)
    described = topic_specs()["imaging-reference-dead-letters"].headers
    assert {name for name, _ in letter.headers} == described.keys()
