"""A change of a schema that would break a reader or a writer is red here, without a registry."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse
from fastavro import parse_schema
from fastavro.schema import fingerprint, to_parsing_canonical_form

from processors.schema_files import root, schema_texts, topic_specs

OWN = sorted({spec.schema_topic for spec in topic_specs().values()} - {""})
"""Topics whose folder holds schemas."""
PUBLIC = [(name, spec.compatibility) for name, spec in topic_specs().items() if spec.compatibility]


def readable(reader: str, writer: str) -> bool:
    """By Apache Avro's own rules (Avro 1.11, Schema Resolution)."""
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    verdict = checker.get_compatibility(parse(reader), parse(writer))
    return verdict.compatibility is SchemaCompatibilityType.compatible


def broken(texts: tuple[str, ...], compatibility: str) -> list[str]:
    """Pairs of versions that do not read each other as `compatibility` asks; versions count from 1."""
    found = []
    for new in range(1, len(texts)):
        for old in range(new):
            if not readable(texts[new], texts[old]):
                found.append(f"v{new + 1} cannot read v{old + 1}")
            if compatibility == "FULL_TRANSITIVE" and not readable(texts[old], texts[new]):
                found.append(f"v{old + 1} cannot read v{new + 1}")
    return found


@pytest.mark.parametrize("topic", OWN)
def test_a_schema_that_was_written_with_is_never_changed(topic: str) -> None:
    recorded = tomllib.loads((root() / topic / "topic.toml").read_text("utf-8"))["record"]["versions"]
    actual = [
        fingerprint(to_parsing_canonical_form(parse_schema(json.loads(text))), "CRC-64-AVRO")
        for text in schema_texts(topic)
    ]
    assert actual == recorded, (
        "values written with the recorded versions could not be read any more: leave those files as they "
        "were, add the next vN.avsc, and its fingerprint to topic.toml"
    )


@pytest.mark.parametrize(("topic", "compatibility"), PUBLIC)
def test_versions_are_compatible_as_topic_toml_says(topic: str, compatibility: str) -> None:
    assert compatibility in ("BACKWARD_TRANSITIVE", "FULL_TRANSITIVE")
    assert broken(schema_texts(topic), compatibility) == []


def test_the_topics_others_read_or_write_say_so() -> None:
    roles = {name: spec.role for name, spec in topic_specs().items() if spec.schema_topic}
    assert [name for name, _ in PUBLIC] == [name for name, role in roles.items() if role != "internal"]


def _without(name: str) -> Callable[[Any], None]:
    def change(schema: Any) -> None:
        schema["fields"] = [field for field in schema["fields"] if field["name"] != name]

    return change


def _with(**field: Any) -> Callable[[Any], None]:
    return lambda schema: schema["fields"].append(field)


def _typed(name: str, type_: str) -> Callable[[Any], None]:
    def change(schema: Any) -> None:
        next(field for field in schema["fields"] if field["name"] == name)["type"] = type_

    return change


@pytest.mark.parametrize(
    ("change", "backward", "forward"),
    [
        (_with(name="more", type=["null", "string"], default=None), True, True),
        (_without("modality"), True, True),
        (_with(name="more", type="string"), False, True),
        (_without("revision"), True, False),
        (_typed("revision", "string"), False, False),
        (_typed("revision", "double"), True, False),
        (lambda schema: schema.update(name="Fact"), False, False),
    ],
    ids=["optional more", "optional less", "required more", "required less", "type", "wider type", "name"],
)
def test_the_checker_sees_breaking_changes(
    change: Callable[[Any], None], backward: bool, forward: bool
) -> None:
    (text,) = schema_texts("analytics-imaging-references")
    schema = json.loads(text)
    change(schema)
    said = broken((text, json.dumps(schema)), "FULL_TRANSITIVE")
    assert said == [*(["v2 cannot read v1"] * (not backward)), *(["v1 cannot read v2"] * (not forward))]
    assert broken((text, json.dumps(schema)), "BACKWARD_TRANSITIVE") == said[: not backward]
