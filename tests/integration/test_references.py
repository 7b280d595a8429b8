"""The product on a real broker: whatever happens, an undisturbed run's references, each revision once."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewPartitions

from processors.avro.facts import decode_fact
from processors.settings import printable
from processors.settings.sections import Completeness, Identity
from processors.stream.topics import Topics, wanted
from tests.builders.goldens import GOLDENS, Message, event
from tests.integration.faults import laws
from tests.integration.hospital import (
    STUDIES,
    Resources,
    content_of,
    documents,
    instance,
    morning,
    poison,
    undisturbed,
)
from tests.integration.site import PATIENCE_S, Program, Site, until

ROLES = {"dicom-instances": "instances", "dicom-reports": "reports"}
IDENTITY = Identity(
    patient_id_system="urn:oid:2.999.8", accession_system="urn:oid:2.999.7", site_time_zone="+01:00"
)


class Hospital:
    """A site that runs the product itself, and what a read_committed reader sees of it."""

    def __init__(self, site: Site, quiet_s: float = 1.0) -> None:
        self.site = site
        self.quiet_s = quiet_s

    def product(self, name: str = "a") -> Program:
        fast = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "group.instance.id": name}
        settings = _replace(
            self.site.settings,
            kafka={**self.site.settings.kafka, **fast},
            identity=IDENTITY,
            completeness=Completeness(quiet_s=self.quiet_s),
        )
        config = self.site.folder / f"{name}.toml"
        config.write_text(printable(settings), "utf-8")
        command = ["-m", "tests.integration.product", str(config)]
        return Program(self.site.folder / f"{name}.log", command)

    def send(self, messages: Iterable[Message], **config: Any) -> None:
        producer = Producer({**self.site.kafka, "partitioner": "murmur2_random", **config})
        for message in messages:
            topic = self.site.topic(ROLES[message.topic])
            headers: list[tuple[str, str | bytes | None]] = list(message.headers)
            producer.produce(topic, message.value, message.key, headers=headers)
        assert producer.flush(PATIENCE_S) == 0

    def expected(self, messages: Iterable[Message]) -> Resources:
        return undisturbed(_replace(self.site.settings, identity=IDENTITY), messages)

    def references(self) -> Resources:
        """The newest version of each, less version and time; every version must follow its predecessor."""
        found: Resources = {}
        revisions: Counter[str] = Counter()
        for seen in self.site.read("fhir"):
            resource = json.loads(seen.value or b"")
            reference_id = resource["id"]
            revisions[reference_id] += 1
            assert resource["meta"]["versionId"] == str(revisions[reference_id]), (
                "each revision once, in turn"
            )
            found[reference_id] = content_of(resource)
        return found

    def verify(self, messages: list[Message]) -> None:
        self.site.settled()
        assert self.references() == self.expected(messages)
        versions = Counter(
            (r["id"], int(r["meta"]["versionId"]))
            for r in (json.loads(seen.value or b"") for seen in self.site.read("fhir"))
        )
        facts = (decode_fact(seen.value or b"") for seen in self.site.read("analytics"))
        assert Counter((f["reference_id"], f["revision"]) for f in facts) == versions
        assert set(versions.values()) == {1}

    def wait_for(self, messages: list[Message], running: Program) -> None:
        expected = self.expected(messages)

        def difference() -> list[str]:
            found = self.references()
            return sorted(i for i in found.keys() | expected.keys() if found.get(i) != expected.get(i))

        until(lambda: difference() == [], "the references of an undisturbed run", running, found=difference)


def accounted(ended: Program) -> float:
    """Records by disposition, as the product says them at its end."""
    (line,) = [each for each in ended.lines() if each.startswith('{"accounted"')]
    return float(json.loads(line)["accounted"])


def _replace(settings: Any, **changes: Any) -> Any:
    """A frozen settings struct with some sections changed."""
    fields = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return type(settings)(**(fields | changes))


def _with_times_as_sent(site: Site) -> Site:
    """Another site whose input topics keep their producers' timestamps."""
    other = Site(site.bootstrap, f"sent-{site.suffix}", site.folder)
    as_sent = tuple(
        replace(
            each, spec=replace(each.spec, config={**each.spec.config, "message.timestamp.type": "CreateTime"})
        )
        for each in wanted(other.settings)
    )
    Topics(site.kafka, as_sent).create(3)
    return other


@pytest.fixture
def hospital(site: Site) -> Hospital:
    return Hospital(site)


def test_the_published_examples_come_out_of_a_broker(hospital: Hospital) -> None:
    """G1 to G6, each with its own run of the product over the same topics' successors."""
    for name in ("g1", "g2", "g3", "g4", "g5", "g6"):
        golden = GOLDENS[name]()
        site = Site(hospital.site.bootstrap, f"{name}-{hospital.site.suffix}", hospital.site.folder / name)
        site.folder.mkdir()
        site.create(3)
        own = Hospital(site)
        with own.product() as running:
            for batch in golden.batches:
                own.send(batch)
            expected = {resource["id"]: resource for resource in golden.expected}
            until(
                lambda own=own, expected=expected: expected.items() <= own.references().items(),
                f"{name} exactly",
                running,
            )


def test_members_join_and_leave_in_mid_stream(hospital: Hospital) -> None:
    first, second, third = morning(1, 2), [*morning(3, 4), *documents()], morning(5, 6)
    with hospital.product("a") as a:
        hospital.send(first)
        until(lambda: len(hospital.site.read("changelog")) > len(STUDIES), "first images folded", a)
        with hospital.product("b") as b:
            until(lambda: b.said("partitions_assigned"), "second member joined", b)
            hospital.send(second)
            hospital.wait_for([*first, *second], b)
            assert a.stop() == 0
            hospital.send(third)
            hospital.wait_for([*first, *second, *third], b)
            assert b.stop() == 0
            taken = accounted(a) + accounted(b)
    hospital.verify([*first, *second, *third])
    roles = ("instances", "reports", "intake")
    consumed = sum(max(offset, 0) for role in roles for offset in hospital.site.committed(role).values())
    markers = consumed - sum(len(hospital.site.read(role)) for role in roles)
    assert taken == consumed - markers, "every record ended as exactly one of the dispositions"


@pytest.mark.parametrize("strange", ["no key", "another partitioner", "another partition count"])
def test_a_producer_that_keys_its_own_way(hospital: Hospital, strange: str) -> None:
    sent = [*morning(1, 3), *documents()]
    if strange == "another partition count":
        wider = [NewPartitions(hospital.site.topic(role), 5) for role in ("instances", "reports")]
        for future in hospital.site.admin.create_partitions(wider).values():
            future.result()
        until(
            lambda: hospital.site.partitions("instances") == hospital.site.partitions("reports") == 5,
            "five partitions",
        )
    config = {"partitioner": "consistent_random"} if strange == "another partitioner" else {}
    keyless = [message._replace(key=None) for message in sent] if strange == "no key" else sent
    with hospital.product() as running:
        hospital.send(keyless, **config)
        hospital.wait_for(sent, running)
        assert running.stop() == 0
    hospital.verify(sent)
    assert len(hospital.site.read("intake")) > 0


def test_poison_between_good_records(hospital: Hospital) -> None:
    good = morning(1, 2)
    sent = [*good[:7], *poison(), *good[7:]]
    with hospital.product() as running:
        hospital.send(sent)
        hospital.wait_for(good, running)
        laws.no_lag(hospital.site)
        assert running.stop() == 0
        taken = accounted(running)
    hospital.verify(good)
    put_aside = [seen.value for seen in hospital.site.read("dead_letters")]
    assert sorted(put_aside, key=repr) == sorted((m.value for m in poison() if m.value), key=repr)
    assert taken == len(sent)
    assert sum(hospital.site.committed("instances").values()) == len(sent)


def test_the_last_series_of_the_night_closes_after_a_kill_in_the_silence(site: Site) -> None:
    hospital = Hospital(site, quiet_s=6.0)
    sent = [instance(STUDIES[0], 1, number) for number in (1, 2, 3)]
    with hospital.product() as running:
        until(lambda: running.said('"restored"'), "ready: the clocks run from what is sent on", running)
        hospital.send(sent)
        until(lambda: len(site.read("changelog")) > len(sent), "folded", running)
        running.kill()
    assert site.read("fhir") == [], "still open when the process died"
    with hospital.product() as running:
        hospital.wait_for(sent, running)
    hospital.verify(sent)
    facts = [decode_fact(seen.value or b"") for seen in site.read("analytics")]
    assert [fact["closed_by"] for fact in facts] == ["quiet"]


def test_a_merge_reaches_the_studies_of_every_partition_through_a_kill(site: Site) -> None:
    hospital = Hospital(site)
    images = [instance(study, 1, number, patient_id="P1") for study in STUDIES for number in (1, 2)]
    merged = event("patient.merged", "11:00", "", patient_id="P2", prior_patient_id="P1")
    late = instance(STUDIES[0], 2, 1, "12:00", patient_id="P1")
    with hospital.product("a") as first, hospital.product("b") as second:
        hospital.send(images)
        hospital.wait_for(images, first)
        hospital.send([merged])
        second.kill()
        hospital.wait_for([*images, merged], first)
        hospital.send([late])
        hospital.wait_for([*images, merged, late], first)
        assert first.stop() == 0
    hospital.verify([*images, merged, late])
    assert {r["subject"]["identifier"]["value"] for r in hospital.references().values()} == {"P2"}


def test_an_hours_backlog_closes_nothing_early(site: Site) -> None:
    """Read in seconds, it makes the revisions that it made, or would have made, when it happened."""
    hospital = Hospital(_with_times_as_sent(site), quiet_s=10.0)
    site = hospital.site
    start_ms = time.time_ns() // 1_000_000 - 3_600_000
    producer = Producer({**site.kafka, "partitioner": "murmur2_random"})
    sent: list[Message] = []
    # Four images 4 s apart, then 90 s of silence and a late one: two revisions when it happened.
    for number, after_s in enumerate((0, 4, 8, 12, 102), 1):
        for study in STUDIES:
            message = instance(study, 1, number)
            sent.append(message)
            at_ms = start_ms + after_s * 1000
            producer.produce(site.topic("instances"), message.value, message.key, timestamp=at_ms)
    assert producer.flush(PATIENCE_S) == 0
    with hospital.product() as running:
        hospital.wait_for(sent, running)
        assert running.stop() == 0
    hospital.verify(sent)
    revisions: defaultdict[str, list[int]] = defaultdict(list)
    for seen in site.read("analytics"):
        fact = decode_fact(seen.value or b"")
        revisions[fact["reference_id"]].append(fact["instance_count"])
    assert len(revisions) == len(STUDIES)
    assert all(counts == [4, 5] for counts in revisions.values()), dict(revisions)
