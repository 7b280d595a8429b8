"""The topics that others write or read as an AsyncAPI 3 document, made from `schemas/` and the site's names.

Rules of this file: no fact of its own: what a topic holds is said in its `topic.toml`, its schemas and its
examples; here is only AsyncAPI's form of it (asyncapi.com/docs/reference/specification/v3.0.0). The internal
topics are left out: they are nobody's interface.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from processors.schema_files import Role, TopicSpec, examples, schema_texts, topic_specs
from processors.settings import Settings

VERSION = "3.0.0"
KAFKA_BINDING = "0.5.0"
AVRO = "application/vnd.apache.avro;version=1.9.0"
JSON_SCHEMA = "application/schema+json;version=draft-07"
_ROLES = ("instances", "reports", "fhir", "analytics", "dead_letters")

Json = dict[str, Any]

_JSON_TYPES: Mapping[str, Json] = {
    "null": {"type": "null"},
    "string": {"type": "string"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "long": {"type": "integer"},
    "double": {"type": "number"},
}
_OTHER_IN_JSON: Mapping[str, Json] = {"dataset": {"type": "object"}}
"""Members that are JSON in a JSON event, and text in Avro (CONTRACT 3)."""


def document(settings: Settings, version: str) -> Json:
    """`version`: of the program whose topics these are."""
    topics = {role: getattr(settings.topics, role) for role in _ROLES}
    count = settings.topics.partitions
    specs = {role: topic_specs()[getattr(Settings().topics, role)].for_homes(count) for role in _ROLES}
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Imaging references",
            "version": version,
            "description": "DICOM image and report events in; FHIR imaging references and facts out. "
            "Outputs are written in transactions: read them with isolation.level=read_committed.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        **_servers(settings),
        "channels": {role: _channel(topics[role], specs[role]) for role in _ROLES},
        "operations": {role: _operation(role, specs[role]) for role in _ROLES},
        "components": {"messages": {name: m for spec in specs.values() for name, m in _messages(spec)}},
    }


def _servers(settings: Settings) -> Json:
    hosts = str(settings.kafka.get("bootstrap.servers", "")).split(",")
    secure = "SSL" in str(settings.kafka.get("security.protocol", "")).upper()
    protocol = "kafka-secure" if secure else "kafka"
    found = {f"broker{n}": {"host": host.strip(), "protocol": protocol} for n, host in enumerate(hosts, 1)}
    return {"servers": found} if hosts != [""] else {}


def _channel(name: str, spec: TopicSpec) -> Json:
    config = {option: int(value) if value.isdigit() else value for option, value in spec.config.items()}
    known = {"cleanup.policy", "retention.ms", "delete.retention.ms", "max.message.bytes"}
    binding: Json = {option: value for option, value in config.items() if option in known}
    binding["cleanup.policy"] = [binding["cleanup.policy"]]
    return {
        "address": name,
        "description": spec.doc,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name, _ in _messages(spec)},
        "bindings": {
            "kafka": {
                "topic": name,
                "partitions": spec.partitions,
                "topicConfiguration": binding,
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operation(role: str, spec: TopicSpec) -> Json:
    """As the program does it: what it receives, others send."""
    action = "receive" if spec.role is Role.INPUT else "send"
    return {"action": action, "channel": {"$ref": f"#/channels/{role}"}, "summary": spec.doc}


# ---- messages -----------------------------------------------------------------------------------------


def _messages(spec: TopicSpec) -> Iterator[tuple[str, Json]]:
    """Name and message of every form that the values of a topic have."""
    avro = json.loads(schema_texts(spec.name)[-1]) if spec.schema_topic else {}
    shared = {
        "summary": spec.value,
        **({"headers": _headers(spec.headers)} if spec.headers else {}),
        "bindings": {
            "kafka": {"key": {"type": "string", "description": spec.key}, "bindingVersion": KAFKA_BINDING}
        },
    }
    said = [(name, json.loads(text)) for name, text in examples(spec.name).items()]
    name = avro.get("name", "") or spec.name
    if spec.role is Role.INPUT:
        name = f"{spec.name}.{name}"
        payload = {"schemaFormat": JSON_SCHEMA, "schema": _in_json(avro, {})}
        told = [{"name": title, "payload": example} for title, example in said]
        yield (
            f"{name}.json",
            {**shared, "contentType": "application/json", "payload": payload, "examples": told},
        )
        yield (
            f"{spec.name}.dicom",
            {**shared, "contentType": "application/dicom", "payload": _binary("Part 10")},
        )
    if avro:
        payload = {"schemaFormat": AVRO, "schema": avro}
        yield f"{name}.avro", {**shared, "contentType": "application/avro", "payload": payload}
    elif spec.content_type.endswith("json"):
        told = [{"name": title, "payload": example} for title, example in said]
        resource = {"type": "object", "required": ["resourceType", "id"], "description": spec.value}
        yield name, {**shared, "contentType": spec.content_type, "payload": resource, "examples": told}
    elif spec.role is Role.OUTPUT:
        told = [{"name": title, "headers": example["headers"]} for title, example in said]
        yield name, {**shared, "payload": _binary(spec.value), "examples": told}


def _binary(what: str) -> Json:
    return {"type": "string", "format": "binary", "description": what}


def _headers(said: Mapping[str, str]) -> Json:
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": doc} for name, doc in said.items()},
    }


def _in_json(type_: Any, records: dict[str, Json]) -> Json:
    """JSON Schema of the JSON form of an Avro type; members of other names are allowed, and ignored.

    `records`: those met so far, since Avro names a record once and refers to it afterwards.
    """
    if isinstance(type_, list):
        return _in_json(next(branch for branch in type_ if branch != "null"), records)
    if isinstance(type_, str):
        return records[type_] if type_ in records else _JSON_TYPES[type_]
    if type_["type"] == "array":
        return {"type": "array", "items": _in_json(type_["items"], records)}
    if type_["type"] != "record":
        return _in_json(type_["type"], records)
    members = {}
    for field in type_["fields"]:
        described = _OTHER_IN_JSON.get(field["name"]) or _in_json(field["type"], records)
        members[field["name"]] = described | {"description": field["doc"]}
    records[type_["name"]] = {
        "type": "object",
        "description": type_["doc"],
        "required": [field["name"] for field in type_["fields"] if "default" not in field],
        "properties": members,
    }
    return records[type_["name"]]
