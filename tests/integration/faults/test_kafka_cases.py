"""Faults of Kafka and Avro that others have reported in public: what they sent, and what must come of it.

Rules of this file: strange records, and crashes around one. Zombies are in `test_member_faults`; brokers
that go away and input that retention took are in `test_broker_faults`.
"""

from __future__ import annotations

import json
import signal

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from processors.avro.facts import decode_fact
from processors.settings.sections import Completeness
from tests.integration.faults import laws
from tests.integration.faults.load import Sent
from tests.integration.faults.scene import Scene
from tests.integration.faults.victim import Wire
from tests.integration.hospital import STUDIES, instance
from tests.integration.site import PATIENCE_S, Site, until

FRAMES = {
    "empty": b"",
    "one byte of a frame": b"\x00",
    "no magic that anyone uses": b"\x01\x00\x00\x00\x02x",
    "schema no one knows": b"\x00\xff\xff\xff\xff\x02x",
    "body cut short": b"\x00\x00\x00\x00\x01\x40x",
    "single object of a schema no one knows": b"\xc3\x01" + bytes(8) + b"x",
}
TEXTS = {
    "no UTF-8": b'{"event": "\xff\xfe"}',
    "cut short": b'{"event": "instance.arrived", "event_id": "1"',
    "an array": b"[1, 2]",
    "a number": b"7",
    "nested beyond all use": b'{"event":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
}
UNKNOWN = {
    "unknown event": b'{"event": "x", "event_id": "1"}',
    "said twice, the last counts": b'{"event": "instance.arrived", "event_id": "1", "event": "x"}',
}


def image(number: int, key: bytes | None = b"", study: str = STUDIES[0], at: str = "10:00") -> Sent:
    """`key` empty: the study's, as it should be."""
    message = instance(study, 1, number, at)
    return Sent("instances", message.key if key == b"" else key, message.value)


@pytest.mark.parametrize(("values", "code"), [
    (FRAMES, "undecodable_record"), (TEXTS, "undecodable_record"), (UNKNOWN, "unknown_event"),
])  # fmt: skip
def test_a_value_that_is_no_event_is_put_aside_and_reading_goes_on(
    site: Site, fault_seed: int, values: dict[str, bytes], code: str
) -> None:
    scene = Scene(site, fault_seed)
    scene.give([image(1), *(Sent("instances", b"k", value) for value in values.values()), image(2)])
    with scene.member() as member:
        scene.heals(member)
        scene.accounts(member)
    put_aside = site.read("dead_letters")
    assert sorted(each.value or b"" for each in put_aside) == sorted(values.values())
    assert {each.headers["__imaging.errors.code"] for each in put_aside} == {code.encode()}
    where = {(s.partition, s.offset) for s in site.read("instances") if s.key == b"k"}
    headers = "__streams.errors.partition", "__streams.errors.offset"
    assert {tuple(int(each.headers[name]) for name in headers) for each in put_aside} == where


def test_null_values_and_strange_keys(site: Site, fault_seed: int) -> None:
    """A null value is no event; a key is the sender's affair, and no output goes without one."""
    scene = Scene(site, fault_seed)
    nothing = [Sent("instances", b"some series", None), Sent("instances", None, None)]
    scene.give([*nothing, image(1, None), image(2, b"\xff\xfe\x00"), image(3, b"\x00")])
    with scene.member() as member:
        scene.heals(member)
        scene.accounts(member)
    assert site.read("dead_letters") == []
    written = [(role, each) for role in ("fhir", "changelog", "analytics") for each in site.read(role)]
    assert [(role, each.value) for role, each in written if not each.key] == []


def _keeps_times(site: Site, producer: Producer) -> bool:
    """Whether the broker has taken up the topic's new setting, by a record where no study of the test is."""
    types: list[int] = []
    producer.produce(
        site.topic("instances"), None, b"", 2, on_delivery=lambda _, told: types.append(told.timestamp()[0])
    )
    return producer.flush(PATIENCE_S) == 0 and types == [TIMESTAMP_CREATE_TIME]


def test_timestamps_that_are_none(site: Site, fault_seed: int) -> None:
    """None, of the year 2099, of 1970, an hour back: the series is closed once, with all of its images."""
    scene = Scene(site, fault_seed)
    as_sent = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, site.topic("instances"), incremental_configs=[as_sent])
    site.admin.incremental_alter_configs([topic])[topic].result()
    usual_ms = 1_767_344_400_000  # when the images say that they were sent
    producer = Producer(site.kafka)
    until(lambda: _keeps_times(site, producer), "the topic keeps times as they are sent")
    times = (usual_ms, -1, 4_070_908_800_000, 1, usual_ms - 3_600_000, usual_ms + 1000)
    for number, timestamp_ms in enumerate(times, 1):
        scene.sent.append(image(number))
        sent = scene.sent[-1]
        producer.produce(site.topic("instances"), sent.value, sent.key, 0, timestamp=timestamp_ms)
    assert producer.flush(PATIENCE_S) == 0
    with scene.member(completeness=Completeness(quiet_s=10.0)) as member:
        scene.heals(member)
    facts = [decode_fact(each.value or b"") for each in site.read("analytics")]
    assert [(fact["revision"], fact["instance_count"]) for fact in facts] == [(1, 6)]
    assert "timestamp_unusable" in facts[0]["warnings"]


def test_what_is_not_done_is_not_committed(site: Site, fault_seed: int) -> None:
    """Neither a place beyond a record that is still worked on, nor one short of the last that is done."""
    scene = Scene(site, fault_seed)
    images = [image(number, study=study) for number in (1, 2) for study in STUDIES[:3]]
    scene.give(images)
    with scene.member(wire=Wire("before_commit")) as first:
        assert first.wait() == -signal.SIGKILL
    assert sum(laws.committed(site).values()) == 0
    with scene.member() as member:
        scene.heals(member)
        scene.accounts(member)
    assert sum(laws.committed(site).values()) >= len(images)


def test_killed_between_a_reference_and_its_fact(site: Site, fault_seed: int) -> None:
    """Readers of either topic see both or none, and never a second time."""
    scene = Scene(site, fault_seed)
    scene.give([image(number) for number in (1, 2, 3)])
    with scene.member(wire=Wire("produced fhir")) as first:
        assert first.wait() == -signal.SIGKILL
    with scene.member() as member:
        scene.heals(member)
    resources = [json.loads(each.value or b"") for each in site.read("fhir")]
    assert [len(resource["instance"]) for resource in resources] == [3]
    until(lambda: len(site.read("analytics")) == 1, "one fact")
