"""A replay against what a run published: over memory, in every way a reference can differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydicom.sr.coding import Code

from processors.avro.facts import decode_fact
from processors.operations.fingerprints import Fingerprints
from processors.operations.replay import Shadow
from processors.operations.replay_spool import Compared, Spool, Verdict, verdict
from processors.pipeline.building import pipeline_of
from processors.pipeline.memory import MemoryMember
from processors.pipeline.records import OutputRecord, OutputTopic, Record
from processors.settings import Settings
from processors.settings.sections import Fhir, Identity, Reports, State
from tests.builders.goldens import Message, arrival, event, g3, rejection, reported
from tests.builders.images import ct
from tests.builders.key_objects import QUALITY, key_objects

START_MS = 1_767_348_000_000
END_MS = START_MS + 3_600_000
PARTITIONS = 3
TOPICS = {"dicom-instances": 0, "dicom-reports": 0}
SITE = Settings(identity=Identity(site_time_zone="+01:00"))


def records(messages: Sequence[Message], partition: int = 0) -> list[Record]:
    """A minute apart, at offsets 0, 1, …, of whichever topic."""
    return [
        Record(each.topic, partition, offset, START_MS + offset * 60_000, each.key, each.value, each.headers)
        for offset, each in enumerate(messages)
    ]


def published(settings: Settings, sent: Sequence[Record]) -> list[OutputRecord]:
    """What a run makes of them, record by record, and then by its clocks."""
    member = MemoryMember(lambda: pipeline_of(settings, PARTITIONS), PARTITIONS, settings.topics.intake)
    outputs = [output for each in sent for output in member.feed([each], END_MS)]
    return outputs + member.run_out(END_MS)


class Desk:
    """Compares a replay of `replayed` with what `outputs` say."""

    def __init__(self, folder: Path) -> None:
        self.prints = Fingerprints()
        self.spool = Spool(folder / "references.sqlite", self.prints)
        self.folder = folder

    def compare(
        self,
        settings: Settings,
        replayed: Sequence[Record],
        outputs: Sequence[OutputRecord],
        before: Sequence[Record] = (),
        now_ms: int = END_MS,
    ) -> list[tuple[Verdict, list[str]]]:
        shadow = Shadow(settings, PARTITIONS, self.folder, now_ms, self._made)
        shadow.fold_corrections(before)
        shadow.fold(replayed)
        self.dispositions = shadow.end()
        shadow.close()
        first = min((each.offset for each in replayed), default=0)
        spans = {(topic, p): (first, 100) for topic in TOPICS for p in range(PARTITIONS)}
        for output in outputs:
            if output.topic is OutputTopic.FHIR:
                assert output.key is not None
                self.spool.published(output.key, output.value, dict(output.headers), START_MS)
            elif output.topic is OutputTopic.ANALYTICS:
                self.spool.fact(decode_fact(output.value or b""), spans)
        return [self._told(*each) for each in self.spool.compared(END_MS)]

    def _made(self, outputs: list[OutputRecord], is_open: bool) -> None:
        self.spool.made((each for each in outputs if each.topic is OutputTopic.FHIR), is_open)

    def _told(self, found: Verdict, row: Compared) -> tuple[Verdict, list[str]]:
        both = row.made is not None and row.published is not None
        return found, self.prints.differing(row.made or b"", row.published or b"") if both else []


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.spool.close()


IMAGES = [arrival(ct(number), f"10:0{number}") for number in (1, 2, 3)]
ALONE = arrival(ct(7, "2.999.1.3", 3), "10:04")
MANIFEST = reported(key_objects("2.999.1.200.7", [ct(1)], title=Code("113030", "DCM", "Manifest")), "11:00")
REJECTED = rejection("8", QUALITY, [ct(7, "2.999.1.3", 3)], "11:40")
MERGED = event("patient.merged", "09:00", "", patient_id="P2", prior_patient_id=str(ct(1).PatientID))
RENAMED = Settings(identity=Identity(site_time_zone="+01:00", patient_id_system="urn:oid:2.999.8"))
KEPT = Settings(identity=SITE.identity, reports=Reports(quality_rejection="keep"))
FETCHED = Settings(identity=SITE.identity, fhir=Fhir(endpoints={"PACS_A": "Endpoint/1"}))
STATUS = "meta.tag.code, meta.tag.system, status"
MANIFESTS = Settings(identity=SITE.identity, reports=Reports(publish_manifests=True))


@pytest.mark.parametrize("partition", [0, 1, 2], ids="at home or not {}".format)
def test_the_same_settings_change_nothing(desk: Desk, partition: int) -> None:
    sent = records([*g3().records, *IMAGES, REJECTED, MERGED], partition)
    found = desk.compare(SITE, sent, published(SITE, sent))
    assert len(found) >= 4
    assert {each for each, _ in found} == {Verdict.SAME}
    assert sum(desk.dispositions.values()) > len(sent), "what was passed on is counted, too"


@pytest.mark.parametrize(
    ("ran", "tried", "expected"),
    [
        (SITE, FETCHED, {(Verdict.CHANGED, "endpoint.reference")}),
        (SITE, MANIFESTS, {(Verdict.SAME, ""), (Verdict.ADDED, "")}),
        (MANIFESTS, SITE, {(Verdict.SAME, ""), (Verdict.GONE, "")}),
        (KEPT, SITE, {(Verdict.SAME, ""), (Verdict.WITHDRAWN, STATUS)}),
        (SITE, KEPT, {(Verdict.SAME, ""), (Verdict.CHANGED, STATUS)}),
    ],
)
def test_what_other_settings_change(
    desk: Desk, ran: Settings, tried: Settings, expected: set[tuple[Verdict, str]]
) -> None:
    sent = records([*IMAGES, ALONE, MANIFEST, REJECTED])
    found = desk.compare(tried, sent, published(ran, sent))
    assert {(each, ", ".join(paths)) for each, paths in found} == expected


def test_what_waited_when_the_replay_began_is_no_change(desk: Desk) -> None:
    sent = records([*IMAGES, ALONE])
    found = desk.compare(SITE, sent, published(SITE, sent[:2]), now_ms=sent[-1].timestamp_ms + 1)
    paths = [f"instance.{name}" for name in ("number", "sopClass.code", "sopClass.system", "uid")]
    assert found == [(Verdict.CHANGED, [*paths, "issued"]), (Verdict.OPEN, [])]


def test_a_series_that_was_amended_a_moment_ago_is_no_change(desk: Desk) -> None:
    sent = records(IMAGES[:2])
    found = desk.compare(SITE, sent, published(SITE, sent[:1]), now_ms=sent[-1].timestamp_ms + 1)
    assert [each for each, _ in found] == [Verdict.OPEN]


@pytest.mark.parametrize("most", [1, 100])
def test_a_step_holds_so_many_records(tmp_path: Path, most: int) -> None:
    steps: list[list[OutputRecord]] = []
    settings = Settings(identity=SITE.identity, state=State(batch_records=most))
    shadow = Shadow(settings, PARTITIONS, tmp_path, END_MS, lambda outputs, _: steps.append(outputs))
    shadow.fold(records(IMAGES))
    assert len(steps) == (3 if most == 1 else 1)
    shadow.close()


def test_a_replay_purges_nothing(desk: Desk) -> None:
    """Or a partition that is read fast would purge what a slow one still brings."""
    first, second, *_ = records(IMAGES)
    later = [first, second._replace(timestamp_ms=START_MS + 6 * 86_400_000)]
    settings = Settings(identity=SITE.identity, state=State(retention_days=1))
    now_ms = later[-1].timestamp_ms + 60_000
    assert desk.compare(settings, later, published(SITE, later), now_ms=now_ms) == [(Verdict.SAME, [])]
    assert desk.dispositions == {("applied", ""): 2}


def test_a_study_that_began_before_the_range_is_not_covered(desk: Desk) -> None:
    sent = records([*IMAGES, ALONE])
    outputs = published(SITE, sent)
    assert [each for each, _ in desk.compare(RENAMED, sent[1:], outputs)] == [Verdict.NOT_COVERED] * 2


def test_what_was_published_from_earlier_input_alone_is_outside(desk: Desk) -> None:
    sent = records([*IMAGES, ALONE])
    found = desk.compare(SITE, sent[3:], published(SITE, sent))
    assert sorted(each for each, _ in found) == [Verdict.OUTSIDE, Verdict.SAME]


def test_a_merge_before_the_range_holds_in_it(desk: Desk) -> None:
    sent = records([MERGED, ALONE, *IMAGES])
    found = desk.compare(SITE, sent[2:], published(SITE, [sent[0], *sent[2:]]), before=sent[:2])
    assert found == [(Verdict.SAME, [])]


ROW = Compared("r1", "2.999.1", "", b"m", "available", 0, b"m", "available", 5, 0, 1, 0)
UNTIL_MS = 10


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Verdict.SAME),
        ({"published": b"p"}, Verdict.CHANGED),
        ({"published": b"p", "made_status": "inactive"}, Verdict.WITHDRAWN),
        ({"published": b"p", "made_status": "unknown", "status": "inactive"}, Verdict.CHANGED),
        ({"published": None}, Verdict.ADDED),
        ({"published": None, "made_status": "inactive"}, Verdict.SAME),  # never published counts as withdrawn
        ({"made": None}, Verdict.GONE),
        ({"made": None, "status": "inactive"}, Verdict.SAME),
        ({"made": None, "inside": 0}, Verdict.OUTSIDE),
        ({"made": None, "published": None}, Verdict.SAME),  # erased
        ({"published": None, "erased": 1}, Verdict.NOT_COVERED),  # by what lies after the range
        ({"made": None, "study_outside": 1}, Verdict.NOT_COVERED),
        ({"published": b"p", "study_outside": 1}, Verdict.NOT_COVERED),
        ({"published": b"p", "published_ms": 11}, Verdict.NOT_COVERED),
        ({"published": b"p", "is_open": 1}, Verdict.OPEN),
        ({"published": None, "is_open": 1}, Verdict.OPEN),
        ({"study_outside": 1, "published_ms": 11, "is_open": 1}, Verdict.SAME),
    ],
)
def test_what_a_difference_means(changes: dict[str, Any], expected: Verdict) -> None:
    assert verdict(ROW._replace(**changes), UNTIL_MS) is expected


def test_facts_that_are_no_longer_kept_leave_a_study_uncovered(desk: Desk) -> None:
    sent = records(IMAGES)
    outputs = [each for each in published(SITE, sent) if each.topic is OutputTopic.FHIR]
    assert [each for each, _ in desk.compare(RENAMED, sent, outputs)] == [Verdict.NOT_COVERED]


def test_a_value_that_is_no_resource_differs(desk: Desk) -> None:
    sent = records(IMAGES)
    outputs = [
        each._replace(value=b"[" * 100_000) if each.topic is OutputTopic.FHIR else each
        for each in published(SITE, sent)
    ]
    assert [each for each, _ in desk.compare(SITE, sent, outputs)] == [Verdict.CHANGED]
