"""The report's laws: each is broken once, and named."""

from __future__ import annotations

from collections import Counter

import pytest

from processors.avro.facts import encode_fact
from processors.core.events import Code, Concept
from processors.core.fact import Fact
from processors.demo.reading import Reader
from processors.demo.report import Report, report_of
from processors.demo.tally import Totals
from processors.pipeline.records import OutputTopic, Record
from processors.settings.sections import Topics
from processors.wire.json_text import dump

TOPICS = Topics()
CODE = Concept(Code("http://example.org", "c", "Words"))


def resource(revision: int) -> Record:
    value = {
        "id": "r1",
        "meta": {"versionId": str(revision)},
        "status": "available",
        "seriesUid": "2.999.1.2",
        "code": {"coding": [{"display": "Words"}]},
        "instance": [{}, {}],
    }
    headers = [("ce_type", b"imaging-reference.published"), ("kind", b"series"), ("modality", b"CT")]
    return Record(TOPICS.fhir, 0, revision, 0, b"r1", dump(value), headers)


def fact(revision: int) -> Record:
    said = Fact(
        "r1",
        revision,
        "series",
        "available",
        "2.999.1",
        "2.999.1.2",
        CODE,
        0,
        "00",
        closed_by="quiet",
        settle_ms=1100,
    )
    return Record(TOPICS.analytics, 0, revision, 0, b"2.999.1", encode_fact(said))


DEAD_LETTER = Record(
    TOPICS.dead_letters,
    0,
    0,
    0,
    None,
    b"{",
    [
        ("__imaging.errors.code", b"undecodable_record"),
        ("__imaging.errors.tag", b""),
        ("__streams.errors.message", b"not JSON"),
        ("__streams.errors.topic", b"dicom-instances"),
        ("__streams.errors.partition", b"0"),
        ("__streams.errors.offset", b"7"),
    ],
)
WELL = [resource(1), fact(1), DEAD_LETTER]


def reported(records: list[Record], sent: int = 3) -> Report:
    """The report of a processor that says: two applied, one put aside, one revision."""
    reader = Reader(TOPICS)
    for record in records:
        reader.take(record)
    totals = Totals(
        dispositions=Counter({("applied", ""): 2, ("dead_lettered", "undecodable_record"): 1}),
        events=Counter({("warning", "bad_vr"): 2, ("published", "series", "CT", "quiet"): 1}),
        written=Counter({OutputTopic.FHIR: 1, OutputTopic.ANALYTICS: 1, OutputTopic.DEAD_LETTERS: 1}),
    )
    return report_of(sent, totals, reader, TOPICS)


def test_all_adds_up() -> None:
    report = reported(WELL)
    assert report.problems == ()
    assert (report.consumed, report.revisions, report.facts, report.settle_ms) == (3, 1, 1, 1100)
    assert report.references == {("series", "available"): 1}
    assert (report.changes, report.warnings) == ({"published": 1}, {"bad_vr": 2})
    assert report.dead_letters == {"undecodable_record": 1}


@pytest.mark.parametrize(
    ("records", "sent", "law"),
    [
        (WELL, 4, "4 records were there to consume, 3 are accounted for"),
        ([*WELL, resource(2)], 3, "1 revisions are on one output topic only"),
        ([*WELL, resource(3), fact(3)], 3, "r1: revision 3 is out of turn"),
        ([*WELL, resource(1), fact(1)], 3, "r1: revision 1 is out of turn"),
        (WELL[:2], 3, "1 records were put aside, 0 can be read"),
        ([*WELL, Record(TOPICS.intake, 0, 0, 0, None, b"")], 2, f"{TOPICS.intake}: 0 written, 1 read"),
    ],
)
def test_what_does_not_add_up_is_named(records: list[Record], sent: int, law: str) -> None:
    assert law in reported(records, sent).problems
