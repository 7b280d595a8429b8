"""The whole input again, on a real broker: the same references, and what other settings would make of it."""

from __future__ import annotations

import json
import re
import resource
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from msgspec.structs import replace

from processors.settings import printable
from processors.settings.sections import Completeness, Fhir, Identity, Reports
from processors.stream import topics
from tests.broker import Broker
from tests.builders.goldens import Message, event, g3, g7, rejection, reported
from tests.builders.images import ct
from tests.builders.key_objects import PATIENT_SAFETY, QUALITY
from tests.builders.segmentations import golden_segmentation
from tests.integration.desk import called
from tests.integration.hospital import STUDIES, Resources, content_of, instance, morning, undisturbed
from tests.integration.site import PATIENCE_S, Program, Site, until

IDENTITY = Identity(site_time_zone="+01:00", patient_id_system="urn:oid:2.999.8")
OWN = ("intake", "changelog", "fhir", "analytics", "dead_letters")
"""Topics that a run writes to itself, by their keys in `[topics]`."""
OF_PUBLICATION = re.compile(rb'"meta":\{"versionId":"\d+","lastUpdated":"[^"]+"(,?)')

LATE = "1.2.840.99999.9"
"""A study that comes after the others."""
FIRST = [
    *morning(1, 2),
    instance(STUDIES[3], 3, 1),
    *g3().records,
    *g7().records,
    reported(golden_segmentation(), "11:35"),
]
SECOND = [
    *morning(3, 3),
    rejection("8", QUALITY, [ct(2)], "12:00"),
    rejection("3", PATIENT_SAFETY, [ct(7, "2.999.1.3", 3)], "12:00"),
    event(
        "instance.deleted",
        "12:01",
        STUDIES[0],
        series_instance_uid=f"{STUDIES[0]}.1",
        sop_instance_uid=f"{STUDIES[0]}.1.1",
    ),
    event("patient.merged", "12:02", "", patient_id="P9", prior_patient_id="P2"),
    event(
        "instance.erased",
        "12:03",
        STUDIES[2],
        series_instance_uid=f"{STUDIES[2]}.1",
        sop_instance_uid=f"{STUDIES[2]}.1.2",
    ),
    event(
        "instance.erased",
        "12:03",
        STUDIES[3],
        series_instance_uid=f"{STUDIES[3]}.3",
        sop_instance_uid=f"{STUDIES[3]}.3.1",
    ),
    event(
        "uid.changed",
        "12:04",
        STUDIES[4],
        prior_study_instance_uid=STUDIES[4],
        prior_series_instance_uid=f"{STUDIES[4]}.2",
        series_instance_uid=f"{STUDIES[4]}.7",
    ),
    instance(LATE, 1, 1, "12:05"),
]


class Live:
    """A site that ran and was stopped, with all its input in place."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.settings = replace(site.settings, identity=IDENTITY, completeness=Completeness(quiet_s=0.5))
        self.between_ms = 0
        """After the first half of the input."""

    def file(self, name: str, **changes: Any) -> Path:
        """Settings of the site with some sections changed."""
        path = self.site.folder / f"{name}.toml"
        path.write_text(printable(replace(self.settings, **changes)), "utf-8")
        return path

    def run(self, config: Path, *options: str) -> Program:
        words = ["-m", "processors", "run", "--config", str(config), *options]
        return Program(self.site.folder / f"{config.stem}.log", words)

    def send(self, messages: Iterable[Message]) -> None:
        roles = {"dicom-instances": "instances", "dicom-reports": "reports"}
        producer = Producer({**self.site.kafka, "partitioner": "murmur2_random"})
        for each in messages:
            headers: list[tuple[str, str | bytes | None]] = list(each.headers)
            producer.produce(self.site.topic(roles[each.topic]), each.value, each.key, headers=headers)
        assert producer.flush(PATIENCE_S) == 0

    def expected(self, messages: list[Message]) -> Resources:
        return undisturbed(self.settings, messages)

    def comes_to(self, messages: list[Message], what: str, running: Program) -> None:
        expected = self.expected(messages)

        def difference() -> list[str]:
            found = parsed(self.site)
            return sorted(i for i in found.keys() | expected.keys() if found.get(i) != expected.get(i))

        until(lambda: difference() == [], what, running, found=difference)

    def live(self) -> None:
        with self.run(self.file("live")) as running:
            self.send(FIRST)
            self.comes_to(FIRST, "the first half", running)
            self.between_ms = time.time_ns() // 1_000_000 + 1
            self.send(SECOND)
            self.comes_to([*FIRST, *SECOND], "all of it", running)
            assert running.stop() == 0

    def diff(self, config: Path, *options: str) -> tuple[int, list[dict[str, Any]], str]:
        """Exit code, lines and what was said beside them."""
        code, out, err = called("replay-diff", "--config", str(config), "--json", *options)
        return code, [json.loads(line) for line in out.splitlines()], err


def newest(site: Site) -> dict[bytes, bytes]:
    """Reference id → its last value, less version and time; nothing of what was erased."""
    found: dict[bytes, bytes] = {}
    for seen in site.read("fhir"):
        assert seen.key is not None
        if seen.value is None:
            found.pop(seen.key, None)
        else:
            found[seen.key] = OF_PUBLICATION.sub(rb'"meta":{', seen.value, count=1)
    return found


def parsed(site: Site) -> Resources:
    return {key.decode(): content_of(json.loads(value)) for key, value in newest(site).items()}


@pytest.fixture(scope="module")
def live(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Live:
    site = Site(kafka.bootstrap, uuid.uuid4().hex[:8], tmp_path_factory.mktemp("live"))
    site.create(3)
    live = Live(site)
    live.live()
    return live


def test_the_whole_input_again_gives_the_same_references_byte_for_byte(live: Live) -> None:
    site = Site(live.site.bootstrap, f"again-{live.site.suffix}", live.site.folder)
    names = replace(live.settings.topics, **{role: site.topic(role) for role in OWN})
    changes = {"topics": names, "kafka": site.settings.kafka, "state": site.settings.state}
    topics.Topics(site.kafka, topics.wanted(replace(live.settings, **changes))).create(3)
    again = live.file("again", **changes)
    with live.run(again, "--from-beginning") as running:
        until(lambda: newest(site) == newest(live.site), "the same references", running)
        assert running.stop() == 0
    withdrawn = [each for each in parsed(site).values() if each["status"] == "entered-in-error"]
    assert len(parsed(site)) > 2 * len(STUDIES) > len(withdrawn) >= 3
    with live.run(again, "--from-beginning") as refused:
        assert refused.wait() == 1
    assert "has read before" in refused.lines()[-1]


def test_topics_that_hold_anothers_state_are_refused(live: Live) -> None:
    other = {**live.settings.kafka, "group.id": f"other-{live.site.suffix}"}
    with live.run(live.file("other", kafka=other), "--from-beginning") as refused:
        assert refused.wait() == 1
    assert f"{live.site.topic('changelog')}, {live.site.topic('dead_letters')}" not in refused.lines()[-1]
    for role in ("changelog", "fhir", "analytics"):
        assert live.site.topic(role) in refused.lines()[-1]


def test_the_same_settings_would_change_nothing(live: Live) -> None:
    def everything() -> list[object]:
        return [live.site.read(role) for role in topics.TOPICS] + [
            live.site.committed(role) for role in ("instances", "reports", "intake")
        ]

    before = everything()
    code, lines, said = live.diff(live.file("same"), "--from", "2020-01-01")
    assert (code, lines) == (0, []), said
    assert f"references: same {len(newest(live.site)) + 1}" in said, "and one that was erased"
    assert "not read yet" not in said
    assert everything() == before


def test_other_settings_would_change_exactly_these(live: Live) -> None:
    tried = live.file(
        "tried", fhir=Fhir(endpoints={"PACS_A": "Endpoint/1"}), reports=Reports(quality_rejection="keep")
    )
    code, lines, said = live.diff(tried, "--from", "2020-01-01")
    assert code == 1
    assert {each["reference_id"] for each in lines} == {key.decode() for key in newest(live.site)}
    assert {each["change"] for each in lines} == {"changed"}
    assert {each["kind"] for each in lines} >= {"series", "key_images", "region", "segment"}
    assert all("endpoint" in each["elements"] for each in lines)
    (rejected,) = [
        each for each in lines if each["series_uid"] == ct(2).SeriesInstanceUID and each["kind"] == "series"
    ]
    assert "instance" in rejected["elements"]
    assert not re.search(r"P\d\b|Doe", said + json.dumps(lines))


def test_a_range_tells_what_it_does_not_cover(live: Live) -> None:
    tried = live.file("elsewhere", fhir=Fhir(endpoints={"PACS_A": "Endpoint/1"}))
    since = datetime.fromtimestamp(live.between_ms / 1000, UTC).isoformat()
    code, lines, said = live.diff(tried, "--from", since)
    found = {(each["change"], each["study_uid"]) for each in lines}
    assert code == 1, said
    assert {study for change, study in found if change == "changed"} == {LATE}
    assert {change for change, _ in found} == {"changed", "not covered"}
    assert "outside" in said, "the references of the first half alone"

    code, lines, said = live.diff(tried, "--from", "2020-01-01", "--to", since)
    found = {(each["change"], each["kind"]) for each in lines}
    assert code == 1
    assert {("changed", "segment"), ("not covered", "key_images"), ("not covered", "series")} <= found
    assert {change for change, _ in found} == {"changed", "not covered"}


def test_a_full_disk_is_one_line(live: Live) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    config = live.file("full")
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, hard))
    try:
        code, lines, said = live.diff(config, "--from", "2020-01-01")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (code, lines) == (1, [])
    assert said.endswith("the replay needs more space, name another folder by TMPDIR\n")
    assert said.count("\n") == 1


def test_a_time_that_has_not_come_is_wrong_use(live: Live) -> None:
    code, lines, said = live.diff(live.file("future"), "--from", "2999-01-01")
    assert (code, lines) == (2, [])
    assert said == "imaging-reference: --from must lie before --to, and before now\n"
