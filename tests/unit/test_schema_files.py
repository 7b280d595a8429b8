"""Finding schemas/ in a checkout and in a wheel, and reading topic.toml."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from processors import schema_files
from processors.schema_files import Role, TopicSpec, root, schema_texts, topic_specs


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with its own `_schemas`, as a wheel has."""
    folder = tmp_path / "_schemas" / "heartbeats"
    folder.mkdir(parents=True)
    (folder / "topic.toml").write_text(
        'role = "output"\ndoc = "why"\npartitions = 3\n'
        '[record]\nkey = "k"\nvalue = "v"\ncontent_type = "text/plain"\nschema_topic = "heartbeats"\n'
        '[config]\n"retention.ms" = 1_000\n"cleanup.policy" = "delete"\n'
    )
    for version in (10, 9, 1):
        (folder / f"v{version}.avsc").write_text(str(version))
    monkeypatch.setattr(schema_files, "files", lambda package: tmp_path)
    for cached in (root, topic_specs):
        cached.cache_clear()
    yield tmp_path / "_schemas"
    for cached in (root, topic_specs):
        cached.cache_clear()


def test_a_wheel_s_own_folder_wins(packaged: Path) -> None:
    assert root() == packaged
    assert dict(topic_specs()) == {
        "heartbeats": TopicSpec(
            "heartbeats",
            Role.OUTPUT,
            "why",
            3,
            "k",
            "v",
            "text/plain",
            "heartbeats",
            "",
            {"retention.ms": "1000", "cleanup.policy": "delete"},
            {},
        )
    }


def test_versions_are_in_numeric_order(packaged: Path) -> None:
    assert schema_texts("heartbeats") == ("1", "9", "10")


def test_a_spec_cannot_be_changed() -> None:
    spec = topic_specs()["dicom-instances"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.partitions = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        spec.config["retention.ms"] = "1"  # type: ignore[index]


def test_reports_share_the_instances_schema() -> None:
    assert schema_texts("dicom-reports") == schema_texts("dicom-instances") != ()
    assert schema_texts("fhir-imaging-references") == ()
