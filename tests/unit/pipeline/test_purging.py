"""Purging: what leaves, what stays, what each event may still do; and clocks when the setting changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from processors.core.corrections import InstanceErased, Scope
from processors.core.events import DocumentPath, InstanceHeader, SeriesHeader
from processors.core.identity import reference_id, series_key
from processors.core.instances import NEVER
from processors.core.policy import Policy
from processors.pipeline.inspection import reference_known
from processors.pipeline.records import OutputRecord, OutputTopic, StateEntry
from processors.pipeline.retention import PURGES_AT_ONCE, STUDIES_AT_ONCE
from tests.builders.events import (
    CT,
    SERIES,
    STUDY,
    arrived,
    completed,
    deleted,
    document,
    item,
    key_images,
    rejection,
    reported,
    selected,
    stamp,
    unselected,
    updated,
)
from tests.unit.pipeline.site import (
    START_MS,
    Site,
    event,
    facts,
    headers_of,
    image,
    letters,
    resources,
)

DAY_S = 86_400
TEN = Policy(retention_days=10)
SERIES_ID = reference_id(series_key(STUDY, SERIES))
KEYS = document(key_images(item("3.1")), sop="5.1")
OTHER = "1.2"


def keys(site: Site) -> list[str]:
    """Of all entries that are of studies."""
    return sorted(k for store in site.member.stores for k, _ in store.scan("") if not k.startswith("!"))


def purged(*events: Any, policy: Policy = TEN) -> Site:
    """A site that was told this, published it, and purged it."""
    site = Site(policy)
    site.tell(*events)
    site.wait(400)
    assert site.wait(12 * DAY_S) == [], "a purge publishes nothing"
    assert site.member.events["purged",] == len({each.study_instance_uid for each in events})
    site.outputs.clear()
    site.member.dispositions.clear()
    return site


def is_put_aside(site: Site, *events: Any) -> bool:
    """Nothing came of it but a letter for each."""
    before = site.member.dispositions["dead_lettered", "series_unknown"]
    outputs = [*site.tell(*events), *site.wait(400)]
    told = [headers_of(letter) for letter in letters(outputs)]
    assert all(said["__imaging.errors.stage"] == "purge" for said in told)
    assert site.member.dispositions["dead_lettered", "series_unknown"] - before == len(told)
    return len(outputs) == len(told) == len(events)


def published(outputs: Iterable[OutputRecord]) -> list[tuple[str, str, str]]:
    """Kind, revision and type of event of each record on the FHIR topic."""
    said = [headers_of(each) for each in outputs if each.topic is OutputTopic.FHIR]
    return [(each["kind"], each["revision"], each["ce_type"].rpartition(".")[2]) for each in said]


# ---- when ------------------------------------------------------------------------------------------------


def test_a_study_of_which_nothing_is_heard_leaves_but_for_its_revisions() -> None:
    site = Site(TEN)
    site.tell(arrived("3.1"), reported(KEYS), selected(item("3.1")))
    site.wait(400)
    assert len(keys(site)) == 8
    assert site.wait(10 * DAY_S - 400) == []
    assert len(keys(site)) == 8, "the day it was heard of does not count"
    assert site.wait(2 * DAY_S) == []
    assert keys(site) == [f"{STUDY}|p"]
    assert not any(key.startswith("!s|") for store in site.member.stores for key, _ in store.scan("!"))
    assert site.member.events["purged",] == 1
    assert site.member.pipeline.next_due_ms() is None


@pytest.mark.parametrize(
    "heard", [arrived("3.1"), arrived("3.2"), completed(), updated(9, SeriesHeader("CT"))]
)
def test_whatever_is_heard_keeps_it(heard: Any) -> None:
    site = Site(TEN)
    site.tell(arrived("3.1"))
    site.wait(9 * DAY_S)
    site.tell(heard)
    site.wait(400)
    site.wait(9 * DAY_S)
    assert site.member.events["purged",] == 0
    site.wait(3 * DAY_S)
    assert site.member.events["purged",] == 1


def test_without_the_setting_nothing_is_noted_or_purged() -> None:
    site = Site()
    site.tell(arrived("3.1"))
    site.wait(400)
    assert site.member.pipeline.next_due_ms() is None
    assert site.wait(40_000 * DAY_S) == []
    assert len(keys(site)) == 3


def test_what_waits_and_what_is_tied_to_other_studies_stays() -> None:
    waiting = Policy(retention_days=10, unresolved_after_s=20 * DAY_S)
    site = Site(waiting)
    far = reported(document(key_images(item("3.9", study=OTHER)), sop="5.2", study="1.3"))
    site.tell(reported(document(key_images(item(study="", series="")))), far)
    site.wait(13 * DAY_S)
    assert site.member.events["purged",] == 0
    (letter,) = site.wait(8 * DAY_S)
    assert headers_of(letter)["__imaging.errors.stage"] == "wait"
    site.wait(3 * DAY_S)
    assert site.member.events["purged",] == 1
    left = {key.partition("|")[0] for key in keys(site)}
    assert left == {STUDY, OTHER, "1.3"}
    assert f"{STUDY}|p" in keys(site)
    assert f"{OTHER}|p" not in keys(site)
    assert site.member.pipeline.next_due_ms() is None, "what is tied is not looked at again for nothing"


def test_within_a_batch_it_goes_before_what_came_after() -> None:
    site = Site(TEN)
    late_ms = START_MS + 13 * DAY_S * 1000
    site.now_ms = late_ms
    records = [site.record(image(1), timestamp_ms=START_MS), site.record(image(2), timestamp_ms=late_ms)]
    outputs = site.feed(*records)
    assert published(outputs) == [("series", "1", "published")]
    assert [headers_of(each)["__imaging.errors.code"] for each in letters(outputs)] == ["series_unknown"]
    assert site.member.dispositions == {("applied", ""): 1, ("dead_lettered", "series_unknown"): 1}


def test_a_partition_that_lags_keeps_what_is_read_from_it() -> None:
    site = Site(TEN)
    site.send(image(1))
    site.wait(400)
    site.behind = {(topic, p) for topic in ("dicom-instances", "dicom-reports") for p in range(4)}
    site.wait(13 * DAY_S)
    assert site.member.events["purged",] == 0
    site.feed(site.record(image(2), timestamp_ms=START_MS + DAY_S * 1000))
    site.behind = set()
    site.wait(1)
    assert [len(each["instance"]) for each in resources(site.outputs)] == [1, 2]
    assert site.member.events["purged",] == 1


def test_so_many_at_a_time() -> None:
    site = Site(TEN, partitions=1)
    count = PURGES_AT_ONCE + 5
    site.tell(*(arrived("3.1", study=f"1.{n}") for n in range(count)))
    site.wait(400)
    site.wait(13 * DAY_S)
    assert site.member.events["purged",] == PURGES_AT_ONCE
    site.wait(1)
    assert site.member.events["purged",] == count
    assert keys(site) == sorted(f"1.{n}|p" for n in range(count))


# ---- what comes afterwards -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "late",
    [
        arrived("3.2", 9),
        arrived("3.1", 1),
        deleted("3.1", 9),
        completed(9),
        reported(KEYS),
        reported(document(key_images(item("3.1")), sop="5.0", identical=("5.1",)), 9),
        deleted("5.1", 9, series="2.9"),
        selected(item("3.2"), at_s=9),
        unselected(9),
    ],
    ids=lambda late: type(late).__name__,
)
@pytest.mark.parametrize("restarts", [False, True])
def test_nothing_changes_a_reference_that_was_purged(late: Any, restarts: bool) -> None:
    site = purged(arrived("3.1"), reported(KEYS), selected(item("3.1")))
    if restarts:
        site.member.restart()
    before = keys(site)
    assert is_put_aside(site, late)
    assert keys(site) == before, "and it leaves nothing in the state"
    assert site.member.events["frozen",] == 1


def test_what_is_new_in_the_study_is_published() -> None:
    site = purged(arrived("3.1"), reported(KEYS))
    site.tell(
        arrived("3.7", 9, series="2.7"),
        reported(document(key_images(item("3.1")), sop="5.2"), 9),
        selected(item("3.1"), at_s=9),
    )
    site.wait(400)
    made = [("key_images", "1", "published"), ("selection", "1", "published"), ("series", "1", "published")]
    assert sorted(published(site.outputs)) == made
    site.outputs.clear()
    site.wait(13 * DAY_S)
    assert keys(site) == [f"{STUDY}|p"]
    assert site.outputs == []
    assert is_put_aside(site, arrived("3.8", 9, series="2.7"), arrived("3.2", 9), selected(item(), at_s=11))


def test_a_successor_is_published_and_told_that_it_replaced_nothing() -> None:
    site = purged(arrived("3.1"), reported(KEYS))
    before = DocumentPath(STUDY, "2.9", "5.1")
    outputs = site.tell(
        reported(document(key_images(item("3.1")), sop="5.2", predecessors=(before,)), 9),
    )
    assert published(outputs) == [("key_images", "1", "published")]
    assert len(letters(outputs)) == 1
    assert site.member.dispositions == {("dead_lettered", "series_unknown"): 1}


def test_a_rejection_holds_for_what_comes_later() -> None:
    site = purged(arrived("3.1"))
    note = reported(rejection("113037", (STUDY, SERIES, "3.1")), 9)
    assert is_put_aside(site, note)
    outputs = site.tell(reported(document(key_images(item("3.1"), item("3.3")), sop="5.2"), 10))
    assert [[i["uid"] for i in each["instance"]] for each in resources(outputs)] == [["3.3"]]


def test_corrections_outlive_the_purge() -> None:
    """Of patient and rejected images: what is new in the study must not fall behind them."""
    site = purged(
        arrived("3.1"),
        updated(5, SeriesHeader(patient_id="P9")),
        reported(rejection("113037", (STUDY, SERIES, "3.1")), 5),
    )
    assert keys(site) == [f"{STUDY}|p", f"{STUDY}|r|000000", f"{STUDY}|s"]
    site.member.restart()
    outputs = site.tell(reported(document(key_images(item("3.1"), item("3.3")), sop="5.2"), 9))
    (made,) = resources(outputs)
    assert made["subject"]["identifier"]["value"] == "P9"
    assert [i["uid"] for i in made["instance"]] == ["3.3"]
    outputs = site.tell(updated(9, SeriesHeader(patient_id="P10")))
    assert len(letters(outputs)) == 1
    assert [each["subject"]["identifier"]["value"] for each in resources(outputs)] == ["P10"]


def test_a_note_about_something_else_is_plainly_applied() -> None:
    site = purged(arrived("3.1"))
    site.tell(reported(rejection("113037", (STUDY, "2.7", "3.7")), 9), arrived("3.7", 5, series="2.7"))
    assert site.member.dispositions == {
        ("ignored", "rejection_note"): 1,
        ("ignored", "previously_rejected"): 1,
    }


def test_patients_who_are_merged_keep_their_purged_references() -> None:
    site = purged(arrived("3.1"))
    said = event("patient.merged", at="11:00:00", patient_id="P9", prior_patient_id="P1")
    site.feed(site.record(said))
    assert site.wait(400) == []
    (made, _) = site.tell(reported(document(key_images(item("3.1")), sop="5.2"), 9))
    assert resources([made])[0]["subject"]["identifier"]["value"] == "P9"


def test_a_merge_of_patients_is_something_heard_of_their_studies() -> None:
    site = Site(TEN)
    site.tell(arrived("3.1"))
    site.wait(9 * DAY_S)
    site.feed(site.record(event("patient.merged", at="11:00:00", patient_id="P9", prior_patient_id="P1")))
    site.wait(1)
    site.wait(9 * DAY_S)
    assert site.member.events["purged",] == 0
    site.wait(3 * DAY_S)
    assert site.member.events["purged",] == 1


# ---- erasure ---------------------------------------------------------------------------------------------


def erased(sop: str, series: str = SERIES, at_s: int = 9) -> InstanceErased:
    return InstanceErased(STUDY, series, sop, stamp(at_s, removal=True))


def test_an_erasure_ends_every_reference_that_may_show_the_image() -> None:
    site = purged(
        arrived("3.1"),
        arrived("3.5", series="2.5"),
        reported(document(key_images(item("3.2"), item("3.5", series="2.5")), sop="5.1")),
        selected(item("3.1")),
    )
    outputs = site.tell(erased("3.1"))
    assert all(each.value is None for each in outputs if each.topic is OutputTopic.FHIR)
    ends = [("key_images", "2", "erased"), ("selection", "2", "erased"), ("series", "2", "erased")]
    assert sorted(published(outputs)) == ends
    assert {fact["withdrawal_reason"] for fact in facts(outputs)} == {"erased"}
    assert {headers_of(each)["series_uid"] for each in outputs} == {SERIES}
    assert site.member.dispositions == {("applied", ""): 1}
    assert is_put_aside(site, arrived("3.6", 12, series="2.5")), "of another series"
    site.tell(erased("3.1"))
    assert site.member.dispositions["duplicate", ""] == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_what_is_sent_again_after_an_erasure_goes_on_counting(restarts: bool) -> None:
    site = purged(arrived("3.1"), arrived("3.2"))
    site.tell(erased("3.2"))
    if restarts:
        site.member.restart()
    site.tell(arrived("3.1", 12), arrived("3.2", 5))
    site.wait(400)
    assert published(site.outputs)[1:] == [("series", "3", "revived")]
    assert site.member.dispositions["ignored", "erased"] == 1
    site.outputs.clear()
    site.wait(13 * DAY_S)
    outputs = site.tell(erased("3.1", at_s=20))
    assert published(outputs) == [("series", "4", "erased")]


def test_what_is_sent_again_in_the_batch_of_its_erasure_goes_on_counting() -> None:
    both = document(key_images(item("3.1"), item("3.2")), sop="5.1")
    site = purged(arrived("3.1"), reported(both))
    outputs = site.tell(erased("3.1"), reported(both, 12), arrived("3.2", 12), completed(13))
    ends = [("key_images", "2", "erased"), ("series", "2", "erased")]
    assert sorted(published(outputs)[:2]) == ends
    assert sorted(published(outputs)[2:]) == [("key_images", "3", "revived"), ("series", "3", "revived")]


def test_an_erased_document_takes_what_it_made() -> None:
    both = document(key_images(item("3.1"), item("3.5", series="2.5")), sop="5.1")
    site = purged(arrived("3.1"), reported(both))
    outputs = site.tell(erased("5.1", "2.9"))
    assert published(outputs) == [("key_images", "2", "erased")] * 2
    again = site.tell(reported(both, 12))
    assert published(again) == [("key_images", "3", "revived")] * 2
    assert is_put_aside(site, arrived("3.2", 12)), "its images' series stays as it is"


def test_a_study_of_which_all_was_erased_is_named_nowhere() -> None:
    site = purged(arrived("3.1"))
    site.tell(erased("3.1"))
    site.wait(400)
    assert keys(site) == []


def test_what_was_erased_comes_to_no_dead_letter() -> None:
    site = Site(TEN)
    site.tell(arrived("3.1"), arrived("3.2"))
    site.wait(400)
    site.tell(erased("3.2"))
    site.wait(13 * DAY_S)
    outputs = site.tell(arrived("3.2", 5))
    assert outputs == []
    assert site.member.dispositions["ignored", "erased"] == 1


# ---- changed UIDs ----------------------------------------------------------------------------------------


def changed(prior: Scope, present: Scope) -> bytes:
    said = json.loads(event("uid.changed", at="11:00:00"))
    said |= {f"prior_{name}": uid for name, uid in prior._asdict().items()} | present._asdict()
    return json.dumps(said).encode()


def test_what_was_purged_does_not_move() -> None:
    site = purged(arrived("3.1"))
    outputs = site.feed(site.record(changed(Scope(STUDY), Scope(OTHER))))
    outputs += site.wait(400)
    assert published(outputs) == []
    assert len(letters(outputs)) == 1
    site.tell(InstanceErased(OTHER, SERIES, "3.1", stamp(9, removal=True)))
    assert published(site.outputs) == [("series", "2", "erased")], "its name here is a name of it"


def test_what_moves_into_it_replaces_nothing() -> None:
    site = purged(arrived("3.1"))
    site.tell(arrived("3.9", 9, study=OTHER), arrived("3.8", 9, study=OTHER, series="2.8"))
    site.wait(400)
    site.outputs.clear()
    outputs = site.feed(site.record(changed(Scope(OTHER), Scope(STUDY))))
    outputs += site.wait(400)
    known = {headers_of(each)["ce_subject"] for each in outputs if each.topic is OutputTopic.FHIR}
    assert SERIES_ID not in known
    assert reference_id(series_key(STUDY, "2.8")) in known, "a series that is new here is published"
    assert len(letters(outputs)) == 1
    assert site.member.events["frozen",] > 1, "the record, and what it would have changed"
    assert site.wait(30 * DAY_S) == []
    assert site.member.events["purged",] == 1, "studies that are tied by it stay"


# ---- clocks when the setting changes ---------------------------------------------------------------------


def switched(site: Site, days: int) -> None:
    """As a member that starts with another setting."""
    site._policy = Policy(retention_days=days)
    site.member.restart()


def test_what_was_known_before_it_was_switched_on_counts_from_then() -> None:
    site = Site(Policy(), partitions=1)
    count = STUDIES_AT_ONCE + 3
    site.tell(*(arrived("3.1", study=f"1.{n}") for n in range(count)))
    site.wait(50 * DAY_S)
    switched(site, 10)
    site.wait(1)
    assert site.member.pipeline.next_due_ms() == NEVER, "it goes on in the next tick"
    site.wait(1)
    site.wait(9 * DAY_S)
    assert site.member.events["purged",] == 0
    for _ in range(count // PURGES_AT_ONCE + 1):
        site.wait(2 * DAY_S)
    assert site.member.events["purged",] == count


def test_another_number_of_days_holds_for_what_is_known() -> None:
    site = Site(Policy(retention_days=400))
    site.tell(arrived("3.1"), arrived("3.1", study=OTHER))
    site.wait(50 * DAY_S)
    site.tell(arrived("3.2", study=OTHER))
    switched(site, 30)
    site.wait(400)
    site.wait(2 * DAY_S)
    assert keys(site)[0] == f"{STUDY}|p"
    assert site.member.events["purged",] == 1
    site.wait(32 * DAY_S)
    assert site.member.events["purged",] == 2


def test_switched_off_nothing_goes_and_switched_on_again_it_counts_anew() -> None:
    site = Site(TEN)
    site.tell(arrived("3.1"))
    site.wait(400)
    switched(site, 0)
    site.wait(50 * DAY_S)
    assert site.member.events["purged",] == 0
    assert site.member.pipeline.next_due_ms() is None
    switched(site, 10)
    site.wait(1)
    site.wait(9 * DAY_S)
    assert site.member.events["purged",] == 0
    site.wait(3 * DAY_S)
    assert site.member.events["purged",] == 1


# ---- crash, restore, growth ------------------------------------------------------------------------------


def test_a_purge_that_is_not_committed_is_done_again() -> None:
    site = Site(TEN)
    site.tell(arrived("3.1"))
    site.wait(400)
    before = keys(site)
    site.now_ms += 13 * DAY_S * 1000
    for topic in ("dicom-instances", "dicom-reports", "imaging-reference-intake"):
        for partition in range(site.partitions):
            site.member.pipeline.frontier(topic, partition, caught_up=True)
    step = site.member.pipeline.tick(site.now_ms)
    assert step.events["purged",] == 1
    for store in site.member.stores:
        store.rollback()
    site.member.pipeline.rolled_back()
    assert keys(site) == before
    site.wait(1)
    assert keys(site) == [f"{STUDY}|p"]
    assert is_put_aside(site, arrived("3.2", 9))


def test_the_entries_of_a_purge_make_the_same_state_elsewhere() -> None:
    """As a changelog that was compacted: the last of each key, and nothing of what is gone."""
    site = Site(TEN)
    kept: dict[tuple[int, str], StateEntry] = {}
    commit = site.member._commit

    def noting(step: Any, *more: Any) -> Any:
        kept.update(((entry.home, entry.key), entry) for entry in step.entries)
        return commit(step, *more)

    site.member._commit = noting  # type: ignore[method-assign,assignment]
    many = [arrived(f"3.{n}", n, instance=InstanceHeader(CT, n)) for n in range(1, 200)]
    odd = arrived("3.70", 300, header=SeriesHeader("CT", 7, patient_id="P1"), event_id="o")
    site.tell(*many, odd, reported(KEYS), selected(item("3.1"), selection_id="a|b%c"))
    site.wait(400)
    site.wait(13 * DAY_S)
    restored = Site(TEN)
    for entry in kept.values():
        if entry.value is not None:
            restored.member.stores[entry.home].put([entry])
    assert keys(restored) == keys(site) == [f"{STUDY}|p"]
    restored.member.restart()


def test_in_another_number_of_homes_it_is_as_purged_as_before() -> None:
    site = purged(arrived("3.1"), arrived("3.1", study=OTHER))
    for count in (1, 5):
        site.regroup(count)
        assert is_put_aside(site, arrived("3.2", 9), arrived("3.2", 9, study=OTHER))
    assert published(site.tell(erased("3.1"))) == [("series", "2", "erased")]


@pytest.mark.parametrize("is_under_way", [False, True])
def test_in_another_number_of_homes_clocks_run_on(is_under_way: bool) -> None:
    site = Site(Policy() if is_under_way else TEN, partitions=2)
    count = 2 * STUDIES_AT_ONCE + 20
    site.tell(*(arrived("3.1", study=f"1.{n}") for n in range(count)))
    site.wait(400)
    if is_under_way:
        switched(site, 10)
        site.wait(1)
    site.wait(5 * DAY_S)
    if is_under_way:
        switched(site, 20)
        site.now_ms += 1
        site.send(None)  # the first step after a start
    site.regroup(3)
    site.wait(5 * DAY_S)
    for _ in range(4):
        site.wait(DAY_S / 2)
    assert site.member.events["purged",] == (0 if is_under_way else count)
    for _ in range(40 if is_under_way else 0):
        site.wait(DAY_S / 2)
    assert site.member.events["purged",] == count


def test_a_person_who_asks_is_told_that_it_was_purged() -> None:
    site = purged(arrived("3.1"))

    class Rows:
        home = 0

        def scan(self, prefix: str) -> Iterable[tuple[str, bytes]]:
            return [pair for store in site.member.stores for pair in store.scan(prefix)]

        def keys(self, pattern: str, containing: bytes = b"") -> Iterable[str]:
            ending = pattern.lstrip("*").rstrip("*")
            return [key for key, value in self.scan("") if ending in key and containing in value]

    (known,) = reference_known([Rows()], SERIES_ID, TEN.namespace)
    assert (known["purged"], known["revision"], known["kind"]) == (True, 1, "series")
