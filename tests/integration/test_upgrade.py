"""`run` on a changelog that an earlier version wrote, and on one of a later version."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from confluent_kafka import Producer

from processors.avro.envelope import encode_state
from processors.pipeline.records import StateEntry
from processors.stream.changelog import to_record
from processors.wire.state import FORMAT
from tests.builders.upgrade import FORMATS, after, before, kept
from tests.golden.test_state_formats import first_half, member
from tests.integration.desk import Desk
from tests.integration.hospital import content_of, latest, undisturbed
from tests.integration.site import PATIENCE_S, Site, until


def _write(site: Site, entries: Iterable[StateEntry]) -> None:
    producer = Producer(site.kafka)
    for entry in entries:
        key, value, headers = to_record(entry)
        producer.produce(site.topic("changelog"), value, key, entry.home, headers=list(headers or []))
    assert producer.flush(PATIENCE_S) == 0


@pytest.mark.parametrize("site", [1], indirect=True)
@pytest.mark.parametrize("version", FORMATS)
def test_a_changelog_of_an_earlier_version_is_restored(site: Site, version: int) -> None:
    """What it had published is continued; what it had open is published."""
    _write(site, kept(version))
    for role in ("instances", "reports"):
        messages = [m for m in after() if m.topic == f"dicom-{role}"]
        site.send(role, ((m.key, m.value) for m in messages))
    whole = undisturbed(site.settings, [*before(), *after()])
    published = latest(first_half(member()))
    expected = {each for each, content in whole.items() if published.get(each) != content}

    def seen() -> dict[str, dict[str, Any]]:
        found = [json.loads(record.value) for record in site.read("fhir") if record.value]
        return {each["id"]: each for each in found}

    with Desk(site).run() as running:
        until(
            lambda: {i: content_of(r) for i, r in seen().items()} == {i: whole[i] for i in expected},
            "all that changed since",
            running,
        )
        assert running.stop() == 0
    begun_anew = {each for each, r in seen().items() if r["meta"]["versionId"] == "1"} & published.keys()
    assert not begun_anew


def test_a_changelog_of_a_later_version_stops_it_with_one_line(site: Site) -> None:
    _write(site, [StateEntry(0, "1.2|s", encode_state("s", b"of the future", version=FORMAT + 1))])
    with Desk(site).run() as running:
        assert running.wait() == 1
    assert "Traceback" not in running.log.read_text()
    assert running.said(f"an entry of format {FORMAT + 1}, and this version reads {FORMATS[0]} to {FORMAT}")
