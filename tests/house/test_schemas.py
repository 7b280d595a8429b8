"""schemas/ says everything about the seven topics, and nothing else lies there."""

from __future__ import annotations

import base64
import csv
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from processors.avro.envelope import (
    IntakeEnvelope,
    StateEnvelope,
    decode_intake,
    decode_state,
    encode_intake,
    encode_state,
)
from processors.avro.events import decode_event, encode_event
from processors.avro.facts import decode_fact, encode_fact
from processors.avro.framing import Codec
from processors.core.events import Code, Concept, Measurement
from processors.core.fact import Fact, InputRange, as_mapping
from processors.errors import DeadLetterCode
from processors.fhir import r4, r5, r6
from processors.fhir.skeleton import validate
from processors.schema_files import Role, root, schema_texts, topic_specs
from processors.wire import event_fields, json_text
from tests.builders.references import MOST

TOPICS = {
    "dicom-instances": (Role.INPUT, "delete"),
    "dicom-reports": (Role.INPUT, "delete"),
    "imaging-reference-intake": (Role.INTERNAL, "delete"),
    "imaging-reference-changelog": (Role.INTERNAL, "compact"),
    "fhir-imaging-references": (Role.OUTPUT, "compact"),
    "analytics-imaging-references": (Role.OUTPUT, "delete"),
    "imaging-reference-dead-letters": (Role.OUTPUT, "delete"),
}
MIB = 2**20
EVENTS = {
    "instance.arrived",
    "instance.deleted",
    "instance.erased",
    "series.completed",
    "study.updated",
    "uid.changed",
    "patient.merged",
    "patient.unmerged",
    "report.arrived",
    "selection.made",
    "selection.withdrawn",
}


def files_of(topic: str) -> dict[str, str]:
    folder = root() / topic
    found = {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.is_file()}
    examples = (folder / "examples").iterdir()
    return found | {f"examples/{entry.name}": entry.read_text("utf-8") for entry in examples}


def examples(*topics: str) -> list[Any]:
    """Parsed examples, each under its path."""
    return [
        pytest.param(json.loads(text), id=f"{topic}/{name}")
        for topic in topics
        for name, text in files_of(topic).items()
        if name.startswith("examples/") and name.endswith(".json")
    ]


def test_the_contract_s_topics_and_no_orphan() -> None:
    assert {entry.name for entry in root().iterdir()} == set(TOPICS)
    for topic in TOPICS:
        own_schemas = topic_specs()[topic].schema_topic == topic
        described = (
            r"v[1-9][0-9]*\.avsc"
            if own_schemas
            else r"mapping(\.r[46])?\.csv"
            if "fhir" in topic
            else r"(?!)"
        )
        names = [name for name in files_of(topic) if name != "topic.toml"]
        orphans = [
            name for name in names if not re.fullmatch(rf"{described}|examples/[a-z0-9._]+\.json", name)
        ]
        assert orphans == []
        assert any(name.startswith("examples/") for name in names)


@pytest.mark.parametrize("topic", TOPICS)
def test_topic_settings_are_the_contract_s(topic: str) -> None:
    spec = topic_specs()[topic]
    role, cleanup = TOPICS[topic]
    assert (spec.name, spec.role, spec.config["cleanup.policy"], spec.partitions) == (
        topic,
        role,
        cleanup,
        12,
    )
    largest = 17 * MIB if topic == "imaging-reference-dead-letters" else 16 * MIB
    assert spec.config["max.message.bytes"] == str(largest)
    stamped = role is Role.INPUT or topic == "imaging-reference-intake"
    clock = "LogAppendTime" if stamped else "CreateTime"
    assert spec.config["message.timestamp.type"] == clock
    assert ("retention.ms" in spec.config) == (cleanup == "delete")
    if cleanup == "compact":
        assert spec.config["max.compaction.lag.ms"] == str(24 * 3600 * 1000)
    assert spec.doc
    assert spec.key
    assert spec.value
    assert spec.content_type


def types_of(schema: Any) -> Iterator[dict[str, Any] | str]:
    """Every type in a schema, also those inside unions, arrays and records."""
    if isinstance(schema, list):
        for branch in schema:
            yield from types_of(branch)
    else:
        yield schema
        if isinstance(schema, dict):
            for child in [schema.get("items", []), *[field["type"] for field in schema.get("fields", [])]]:
                yield from types_of(child)


@pytest.mark.parametrize("topic", [name for name, spec in topic_specs().items() if spec.schema_topic])
def test_avro_schemas_avoid_the_known_traps(topic: str) -> None:
    for text in schema_texts(topic):
        types = list(types_of(json.loads(text)))
        assert not {"int", "float"}.intersection(t for t in types if isinstance(t, str)), (
            "they overflow silently"
        )
        for record in [t for t in types if isinstance(t, dict) and t["type"] == "record"]:
            assert record["doc"]
            for field in record["fields"]:
                assert field["doc"], field["name"]
                nullable = isinstance(field["type"], list)
                assert ("default" in field) == nullable, field["name"]
                if nullable:
                    assert field["type"][0] == "null", "a default is of the first branch (Avro 1.11)"
                    assert field["default"] is None
                if field["name"].endswith("_at") and field["type"] != "string":
                    assert "timestamp-micros" in str(field["type"]), field["name"]


def test_every_version_reads_the_ones_before() -> None:
    """A new field without a default would raise here, not in production."""
    for topic in {spec.schema_topic for spec in topic_specs().values()} - {""}:
        texts = schema_texts(topic)
        newest = Codec(texts)
        for text in texts:
            least = {
                field["name"]: _least(field["type"])
                for field in json.loads(text)["fields"]
                if "default" not in field
            }
            assert least.items() <= newest.decode(Codec([text]).encode(least)).items()


def _least(type_: Any) -> Any:
    if isinstance(type_, dict) and type_["type"] == "record":
        return {
            field["name"]: None if "default" in field else _least(field["type"]) for field in type_["fields"]
        }
    name = type_["type"] if isinstance(type_, dict) else type_
    return {"string": "", "long": 0, "bytes": b"", "array": []}[name]


@pytest.mark.parametrize("event", examples("dicom-instances", "dicom-reports"))
def test_event_examples_go_through_avro_and_both_are_read_alike(event: dict[str, Any]) -> None:
    members = decode_event(encode_event(event))
    assert members == event
    assert event_fields.from_mapping(members) == event_fields.decode(json_text.dump(event))


def test_every_event_has_an_example() -> None:
    params = examples("dicom-instances", "dicom-reports")
    assert {param.values[0]["event"] for param in params} == EVENTS
    assert event_fields.NAMES == EVENTS


def bodied(example: dict[str, Any]) -> dict[str, Any]:
    return example | {"body": base64.b64decode(example["body"], validate=True)}


@pytest.mark.parametrize("example", examples("imaging-reference-intake"))
def test_intake_examples(example: dict[str, Any]) -> None:
    envelope = IntakeEnvelope(**bodied(example))
    assert decode_intake(encode_intake(envelope)) == envelope


@pytest.mark.parametrize("example", examples("imaging-reference-changelog"))
def test_changelog_examples(example: dict[str, Any]) -> None:
    entry = StateEnvelope(**bodied(example))
    value = encode_state(entry.kind, entry.body, version=entry.version, stamp_ms=entry.stamp_ms)
    assert decode_state(value) == entry


@pytest.mark.parametrize("example", examples("analytics-imaging-references"))
def test_fact_examples(example: dict[str, Any]) -> None:
    fact = fact_of(example)
    assert as_mapping(fact) == example
    assert decode_fact(encode_fact(fact)) == example


def fact_of(example: dict[str, Any]) -> Fact:
    def code(members: dict[str, Any] | None) -> Code | None:
        return Code(**members) if members else None

    def concept(members: dict[str, Any]) -> Concept:
        return Concept(code(members["coding"]), members["text"] or "")

    readers: dict[str, Callable[[Any], Any]] = {
        "code": concept,
        "body_site": concept,
        "measurements": lambda rows: tuple(Measurement(code(r["name"]), r["value"], r["unit"]) for r in rows),
        "inputs": lambda rows: tuple(InputRange(**row) for row in rows),
    }
    said: dict[str, Any] = {name: value for name, value in example.items() if value is not None}
    for name, value in said.items():
        if name in readers:
            said[name] = readers[name](value)
        elif isinstance(value, list):
            said[name] = tuple(value)
    return Fact(**said)


ELEMENTS = {
    "ImagingSelection": "resourceType id meta extension identifier status subject issued performer basedOn "
    "category code studyUid derivedFrom endpoint seriesUid seriesNumber frameOfReferenceUid bodySite focus "
    "instance",
    "Basic": "resourceType id meta extension modifierExtension identifier code subject created",
}
MAPPED = dict.fromkeys(ELEMENTS["ImagingSelection"].split())


@pytest.mark.parametrize("name", [p.id for p in examples("fhir-imaging-references")])
def test_fhir_examples_are_valid_and_keep_their_form(name: str) -> None:
    example = json.loads(files_of("fhir-imaging-references")[name.partition("/")[2]])
    if ".r6." not in name:  # fhir.resources has no R6
        assert validate(example, whole=True) == []
    assert json_text.load(json_text.dump(example)) == example
    order = ELEMENTS[example["resourceType"]].split()
    assert list(example) == sorted(example, key=order.index), "FHIR's element order"


def test_the_mapping_names_every_element_and_a_clause() -> None:
    rows = list(csv.DictReader(files_of("fhir-imaging-references")["mapping.csv"].splitlines()))
    elements = {re.split(r"[.\[(]", row["fhir_path"])[0] for row in rows}
    assert elements == MAPPED.keys() - {"resourceType"}
    assert {row["fhir_path"] for row in rows if not row["clause"]} == set()
    for row in rows:
        assert re.fullmatch(r"(\([0-9A-F]{4},[0-9A-F]{4}\))?", row["dicom_tag"])
        assert bool(row["dicom_tag"]) == bool(row["dicom_keyword"])


def paths_of(name: str, column: str) -> set[str]:
    """Paths that a mapping names, less list indices."""
    rows = csv.DictReader(files_of("fhir-imaging-references")[name].splitlines())
    return {re.sub(r"\[\d\]", "", row[column]) for row in rows}


def extension_paths(content: dict[str, Any], path: str = "") -> Iterator[str]:
    for extension in content.get("extension", ()):
        if extension["url"] != "http://hl7.org/fhir/StructureDefinition/_datatype":
            own = f"{path}extension({extension['url'].rpartition('.')[2]})"
            yield own
            yield from extension_paths(extension, f"{own}.")


def test_the_mapping_of_r4_names_every_extension_and_no_other() -> None:
    content = r4.render(MOST._replace(description="", content_item_path=""))
    named = {path for path in paths_of("mapping.r4.csv", "r4_path") if path.startswith("extension(")}
    written = {path for path in extension_paths(content) if "/" not in path}
    parents = {f"extension({name})" for name in ("performer", "bodySite", "instance")}
    parents |= {f"extension(instance).extension(imageRegion{d}D)" for d in (2, 3)}
    assert named == (written - parents) | {"extension(instance).extension"}
    assert content.keys() - {"resourceType"} == {
        path.split(".")[0].split("(")[0] for path in paths_of("mapping.r4.csv", "r4_path")
    }


def test_the_mapping_of_r6_names_every_element_that_differs() -> None:
    before, after = r5.render(MOST), r6.render(MOST)
    differing = {element for element in after if before.get(element) != after[element]} - {"instance"}
    of_instances = {f"instance.{name}" for each in after["instance"] for name in each}
    of_instances -= {f"instance.{name}" for each in before["instance"] for name in each}
    named = paths_of("mapping.r6.csv", "r6_path")
    assert differing | of_instances <= named | {"imageRegion3D"}
    assert paths_of("mapping.r6.csv", "r5_path") <= paths_of("mapping.csv", "fhir_path") | named | {
        "derivedFrom",
        "instance.imageRegion3D",
    }


@pytest.mark.parametrize("example", examples("imaging-reference-dead-letters"))
def test_dead_letter_examples(example: dict[str, Any]) -> None:
    headers = example["headers"]
    assert headers["__imaging.errors.code"] in set(DeadLetterCode)
    streams = {f"__streams.errors.{n}" for n in "exception stacktrace message topic partition offset".split()}
    ours = {f"__imaging.errors.{n}" for n in "code tag stage attempts first_failed_at version".split()}
    assert streams | ours <= headers.keys()
    original = json_text.load(base64.b64decode(example["value_base64"], validate=True))
    if original["event"] in EVENTS:
        assert original["source"] == headers["source"]
    else:
        assert original["event"] == f"reference.{headers['__imaging.errors.code']}"
