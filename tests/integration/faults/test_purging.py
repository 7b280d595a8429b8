"""A study that leaves the state, on a real broker: killed before and after the commit, restored, erased."""

from __future__ import annotations

import json
import shutil
import signal
import time
from dataclasses import replace

import pytest
from confluent_kafka import Producer

from processors.pipeline.partitioning import home_of
from processors.settings.sections import State
from processors.stream.topics import Topics, wanted
from tests.builders.goldens import Message, event
from tests.integration.faults import laws
from tests.integration.faults.scene import Scene
from tests.integration.faults.victim import Wire
from tests.integration.hospital import STUDIES, instance
from tests.integration.site import PATIENCE_S, Seen, Site, until

DAY_MS = 86_400_000
OLD, NEW = STUDIES[:2]


@pytest.fixture
def kept_times(site: Site) -> Site:
    """A site whose inputs keep the times that records are sent with."""
    other = Site(site.bootstrap, f"sent-{site.suffix}", site.folder)
    as_sent = {"message.timestamp.type": "CreateTime"}
    specs = (
        replace(each, spec=replace(each.spec, config={**each.spec.config, **as_sent}))
        for each in wanted(other.settings)
    )
    Topics(site.kafka, tuple(specs)).create(3)
    return other


def send(site: Site, message: Message, days_ago: int = 0) -> None:
    producer = Producer({**site.kafka, "partitioner": "murmur2_random"})
    at_ms = time.time_ns() // 1_000_000 - days_ago * DAY_MS
    producer.produce(site.topic("instances"), message.value, message.key, timestamp=at_ms)
    assert producer.flush(PATIENCE_S) == 0


def told(site: Site, study: str) -> list[tuple[str, bool]]:
    """Revision of each record of the FHIR topic about this study, and whether it has a value."""
    found = [each for each in site.read("fhir") if each.headers["study_uid"].decode() == study]
    return [(each.headers["revision"].decode(), each.value is not None) for each in found]


def state(site: Site, study: str) -> list[str]:
    """Keys of what the changelog knows of a study, as compaction leaves it."""
    last: dict[bytes | None, Seen] = {each.key: each for each in site.read("changelog")}
    mine = f"{study}|".encode()
    return sorted(
        k.decode() for k, each in last.items() if k and k.startswith(mine) and each.value is not None
    )


def test_what_was_purged_stays_so_and_can_be_erased(kept_times: Site, fault_seed: int) -> None:
    site = kept_times
    scene = Scene(site, fault_seed)
    state_section = State(dir=site.settings.state.dir, retention_days=1)
    send(site, instance(OLD, 1, 1), days_ago=6)
    send(site, instance(NEW, 1, 1))
    for step in ("committing", "after_commit"):
        with scene.member(wire=Wire(step), state=state_section) as member:
            assert member.wait() == -signal.SIGKILL
    with scene.member(state=state_section) as member:
        until(lambda: state(site, OLD) == [f"{OLD}|p"], "the old study leaves the state", member)
        until(lambda: told(site, NEW) == [("1", True)], "the new one is published", member)
        member.signal(signal.SIGKILL)
        assert member.wait() == -signal.SIGKILL
    assert told(site, OLD) == [("1", True)]
    shutil.rmtree(scene.state_of())
    with scene.member(state=state_section) as member:
        for study in (OLD, NEW):
            send(site, instance(study, 1, 2))
        until(lambda: told(site, NEW) == [("1", True), ("2", True)], "the new one is revised", member)
        until(
            lambda: len(site.read("dead_letters")) == 1, "what is late for the old one is put aside", member
        )
        assert told(site, OLD) == [("1", True)]
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        said = {"series_instance_uid": f"{OLD}.1", "sop_instance_uid": f"{OLD}.1.1", "occurred_at": at}
        send(site, event("instance.erased", "10:00", OLD, **said))
        until(lambda: told(site, OLD) == [("1", True), ("2", False)], "it ends by a null value", member)
        until(lambda: state(site, OLD) == [], "and nothing names it", member)
        member.signal(signal.SIGTERM)
        assert member.wait() == 0
    (letter,) = site.read("dead_letters")
    assert (letter.headers["__imaging.errors.code"], letter.headers["__imaging.errors.stage"]) == (
        b"series_unknown",
        b"purge",
    )
    assert json.loads(letter.value or b"")["sop_instance_uid"] == f"{OLD}.1.2"
    assert letter.headers["__streams.errors.partition"] == str(home_of(OLD, 3)).encode()
    laws.no_lag(site)
    laws.one_fact_for_each_revision(site)
