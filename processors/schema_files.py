"""Where the topics' own files are, and what a `topic.toml` says.

Rules of this file: only the standard library; it finds and reads, and knows nothing of Avro or Kafka. The
folder `schemas/` lies beside the package in a checkout and inside it, as `_schemas`, in a wheel.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType


class Role(StrEnum):
    INPUT = "input"
    INTERNAL = "internal"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """How one topic is made; `name` is the default, since names are settings."""

    name: str
    role: Role
    doc: str
    partitions: int
    key: str
    value: str
    content_type: str
    schema_topic: str
    """The topic whose folder holds the value's Avro schemas; empty: the value is no Avro of ours."""
    compatibility: str
    """What the next version of the schema must be to all before it, in the words of schema registries; empty:
    no version is read by anyone else, or the value is no Avro."""
    config: Mapping[str, str]
    """Topic configuration as the broker writes it: every value a text."""
    headers: Mapping[str, str]
    """Headers of the records we write there, with what they say."""

    def for_homes(self, partitions: int) -> TopicSpec:
        """At a site whose intake has so many partitions; 0: as it stands. Outputs need not have as many."""
        if not partitions or self.role is Role.OUTPUT:
            return self
        return replace(self, partitions=partitions)


@cache
def root() -> Traversable:
    """The folder with a folder a topic."""
    packaged = files("processors") / "_schemas"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "schemas"


@cache
def topic_specs() -> Mapping[str, TopicSpec]:
    """Every topic by its default name, in alphabetical order."""
    names = sorted(entry.name for entry in root().iterdir() if entry.is_dir())
    return MappingProxyType({name: _read(name) for name in names})


def schema_texts(topic: str) -> tuple[str, ...]:
    """The Avro schemas of a topic's values, oldest first; the last one is written, all are read."""
    folder = root() / (topic_specs()[topic].schema_topic or topic)
    versions = {int(entry.name[1:-5]): entry for entry in folder.iterdir() if entry.name.endswith(".avsc")}
    return tuple(versions[version].read_text("utf-8") for version in sorted(versions))


def examples(topic: str) -> Mapping[str, str]:
    """The examples of a topic's values: file name without its ending → JSON text."""
    found = sorted((root() / topic / "examples").iterdir(), key=lambda entry: entry.name)
    return {entry.name.removesuffix(".json"): entry.read_text("utf-8") for entry in found}


def _read(name: str) -> TopicSpec:
    parsed = tomllib.loads((root() / name / "topic.toml").read_text("utf-8"))
    record = parsed["record"]
    return TopicSpec(
        name=name,
        role=Role(parsed["role"]),
        doc=parsed["doc"],
        partitions=parsed["partitions"],
        key=record["key"],
        value=record["value"],
        content_type=record["content_type"],
        schema_topic=record.get("schema_topic", ""),
        compatibility=record.get("compatibility", ""),
        config=MappingProxyType({option: str(value) for option, value in parsed["config"].items()}),
        headers=MappingProxyType(parsed.get("headers", {})),
    )
