"""The walk of a record: home or forwarded, how it ends, what remains of a batch that fails."""

from __future__ import annotations

from collections import Counter
from itertools import cycle

import pytest

from processors.avro.events import encode_event
from processors.core.policy import Policy
from processors.pipeline.partitioning import home_of
from processors.pipeline.records import OutputTopic, Record
from processors.wire import state
from processors.wire.json_text import load
from tests.unit.pipeline.site import (
    INTAKE,
    REPORTS,
    SERIES,
    STUDY,
    Site,
    event,
    facts,
    headers_of,
    image,
    letters,
    numbers,
    resources,
)

OTHER_STUDIES = [f"2.999.{n}" for n in range(2, 9)]


def test_nothing_changed_nothing_sent() -> None:
    site = Site()
    site.send(image(1), image(2))
    assert numbers(site.wait(10)) == [[1, 2]]
    again = image(1, "10:00:09")
    assert site.send(image(1), image(2), again) == site.wait(3600) == []
    assert site.member.dispositions == {("applied", ""): 2, ("duplicate", ""): 3}


def test_a_record_that_is_not_home_is_forwarded_and_counted() -> None:
    site = Site()
    values = [image(1, study_instance_uid=study, patient_id=f"P{study}") for study in OTHER_STUDIES]
    homes = [home_of(study, site.partitions) for study in OTHER_STUDIES]
    records = [site.record(value, partition=n % site.partitions) for n, value in enumerate(values)]
    away = [(study, home) for study, home, record in zip(OTHER_STUDIES, homes, records, strict=True)
            if record.partition != home]  # fmt: skip
    assert 0 < len(away) < len(records)
    step = site.member.pipeline.process(records, site.now_ms)
    forwarded = [o for o in step.outputs if o.topic is OutputTopic.INTAKE]
    assert [((o.key or b"").decode(), o.partition) for o in forwarded] == away
    assert step.dispositions == {("applied", ""): len(records) - len(away), ("forwarded", ""): len(away)}

    fresh = Site()
    fresh.feed(*records)
    assert fresh.member.dispositions == {("applied", ""): len(records), ("forwarded", ""): len(away)}
    assert fresh.member.consumed == len(records) + len(away)
    assert {r["studyUid"] for r in resources(fresh.wait(10))} == set(OTHER_STUDIES)
    spans = {i["topic"] for f in facts(fresh.outputs) for i in f["inputs"]}
    assert spans == {"dicom-instances"}, "the input is where the record came from, not the intake"


def test_a_member_that_owns_no_home_forwards_all() -> None:
    site = Site()
    home = home_of(STUDY, site.partitions)
    site.member.pipeline.revoke(home)
    step = site.member.pipeline.process([site.record(image())], site.now_ms)
    assert step.dispositions == {("forwarded", ""): 1}
    assert [(o.topic, o.partition) for o in step.outputs] == [(OutputTopic.INTAKE, home)]


def test_the_trace_context_travels_along() -> None:
    site = Site()
    home = home_of(STUDY, site.partitions)
    trace = [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    site.feed(site.record(image(), partition=(home + 1) % site.partitions, headers=trace))
    published = site.wait(10)
    assert len(published) == 2
    assert {headers_of(o)["traceparent"] for o in published} == {trace[0][1].decode()}


def test_a_tombstone_is_ignored_wherever_it_comes() -> None:
    site = Site()
    site.feed(site.record(None), site.record(None, topic=INTAKE), site.record(None, topic=REPORTS, key=None))
    assert site.member.dispositions == {("ignored", "tombstone"): 3}


POISON = {
    b"{": "undecodable_record",
    b"\xff\xfe": "undecodable_record",
    b'[{"event": "instance.arrived"}]': "undecodable_record",
    b'{"event":"instance.arrived"}': "undecodable_record",
    event("coffee.spilled"): "unknown_event",
    image(sop_instance_uid="1.2.x"): "invalid_uid",
    image(sop_instance_uid=""): "missing_uid",
    image(study_instance_uid="1." * 40 + "1"): "uid_too_long",
    image(occurred_at="yesterday"): "undecodable_record",
}


def test_poison_between_good_records_harms_nobody() -> None:
    site = Site()
    records, number = [], 0
    for value in POISON:
        number += 1
        records += [site.record(image(number)), site.record(value, partition=0)]
    site.feed(*records)
    assert [o.value for o in letters(site.outputs)] == list(POISON)
    assert [headers_of(o)["__imaging.errors.code"] for o in letters(site.outputs)] == list(POISON.values())
    expected = Counter({("applied", ""): number})
    expected.update(("dead_lettered", code) for code in POISON.values())
    assert site.member.dispositions == expected
    assert sum(site.member.dispositions.values()) == site.member.consumed == len(records)
    assert numbers(site.wait(10)) == [[*range(1, number + 1)]]


@pytest.mark.parametrize("value", [b"", b"\x00", b"{", image()])
def test_an_intake_record_that_is_not_ours_is_a_dead_letter(value: bytes) -> None:
    site = Site()
    site.feed(site.record(value, topic=INTAKE, partition=0))
    assert site.member.dispositions == {("dead_lettered", "undecodable_record"): 1}
    assert [o.value for o in letters(site.outputs)] == [value]


def test_a_dead_letter_is_redriven_as_it_is() -> None:
    site = Site()
    (letter,) = site.feed(site.record(b"{", key=b"k", headers=[("source", b"PACS_A")]))
    again = Record("dicom-instances", 1, 9, site.now_ms, letter.key, letter.value, letter.headers)
    (twice,) = site.feed(again)
    assert (twice.key, twice.value) == (b"k", b"{")
    assert twice.headers[0] == ("source", b"PACS_A")
    assert headers_of(twice)["__streams.errors.offset"] == "9", "the last word counts"


def test_what_was_rolled_back_leaves_nothing() -> None:
    site, other = Site(), Site()
    site.send(image(1))
    other.send(image(1))
    site.member.abort(
        [site.record(image(2)), site.record(b"{"), site.record(event("instance.deleted"))], site.now_ms
    )
    assert site.member.dispositions == {("applied", ""): 1}
    assert [list(store.scan("")) for store in site.member.stores] == [
        list(store.scan("")) for store in other.member.stores
    ]
    assert numbers(site.wait(10)) == numbers(other.wait(10)) == [[1]]


def test_a_failed_first_batch_leaves_an_unknown_study() -> None:
    site = Site()
    site.member.abort([site.record(image(1))], site.now_ms)
    assert [list(store.scan("")) for store in site.member.stores] == [[]] * site.partitions
    assert site.wait(3600) == []


def test_after_a_restart_the_clocks_run_on() -> None:
    site = Site()
    site.send(image(1))
    site.wait(6)
    site.member.restart()
    assert site.wait(3.999) == []
    assert numbers(site.wait(0.001)) == [[1]]


def test_state_is_entries_of_the_studys_home() -> None:
    site = Site()
    step = site.member.pipeline.process([site.record(image(n)) for n in (1, 2)], site.now_ms)
    assert {e.home for e in step.entries} == {home_of(STUDY, site.partitions)}
    assert sorted(e.key for e in step.entries) == [f"{STUDY}|c|{SERIES}|000000", f"{STUDY}|x|{SERIES}"]
    assert {state.study_of(e.key) for e in step.entries} == {STUDY}
    assert [e.due_at_ms for e in step.entries if e.due_at_ms] == [site.now_ms + 10_000]
    step = site.member.pipeline.process([site.record(image(1))], site.now_ms)
    assert step.entries == []


def test_the_patient_and_order_evaluated_last_are_kept_and_looked_at_once() -> None:
    site = Site()
    written = []
    for number in (1, 2):
        site.send(image(number))
        written.append([e.key for e in site.member.pipeline.run_out(site.now_ms).entries])
        for store in site.member.stores:
            store.commit(0)
        site.member.restart()
    assert [f"{STUDY}|s" in keys for keys in written] == [True, False]


def test_a_site_may_be_of_one_partition() -> None:
    site = Site(Policy(), partitions=1)
    site.send(image(1))
    assert numbers(site.wait(10)) == [[1]]


@pytest.mark.parametrize("forms", [(True,), (True, False)], ids=["all", "every other"])
def test_arrivals_in_avro_are_folded_as_those_in_json_are(forms: tuple[bool, ...]) -> None:
    """With one that is read one by one, since a number of it is dropped, and one that comes twice."""
    values = [*(image(n) for n in range(1, 8)), image(8, number_of_frames=0), image(3), image(9)]
    mixed = [
        encode_event(load(v)) if in_avro else v for v, in_avro in zip(values, cycle(forms), strict=False)
    ]
    sites = Site(), Site()
    for site, sent in zip(sites, (values, mixed), strict=True):
        site.send(*sent)
        site.wait(3_600)
    one, other = sites
    assert resources(one.outputs) == resources(other.outputs)
    assert one.member.dispositions == other.member.dispositions
    assert numbers(one.outputs) == [[1, 2, 3, 4, 5, 6, 7, 8, 9]]
