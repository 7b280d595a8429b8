"""Another number of homes: each kind of entry is where it is looked for, whatever was under way."""

from __future__ import annotations

import json

import pytest

from processors.core.aliases import Link
from processors.core.corrections import InstanceErased, PatientId, Scope, UidChanged
from processors.core.policy import Identity, Policy
from processors.core.study import Expectation
from processors.pipeline.entries import entry_of
from processors.pipeline.ports import Held, MemoryStore
from processors.pipeline.records import OutputTopic, StateEntry
from processors.pipeline.regrouping import regrouped
from processors.wire import erasure_rows, move_rows, patient_rows
from processors.wire.state import Row
from tests.builders.events import SERIES, STUDY, arrived, stamp
from tests.unit.pipeline.site import Site, event, image, resources

STUDIES = [f"2.999.{n}" for n in range(1, 9)]
"""In every partition."""
COUNTS = (1, 3, 5, 9)
OWN = Policy(identity=Identity(patient_id_system="urn:site"))


def of(study: str, number: int = 1) -> bytes:
    return image(number, "10:00:00", None, study_instance_uid=study, patient_id="P1")


def merge(prior: str, survivor: str) -> bytes:
    said = json.loads(event("patient.merged", at="11:00:00", patient_id=survivor, prior_patient_id=prior))
    return json.dumps({name: value for name, value in said.items() if not name.endswith("uid")}).encode()


def moved(prior: Scope, present: Scope, at_s: int) -> bytes:
    said = json.loads(event("uid.changed", at=f"11:00:{at_s:02}"))
    said = {name: value for name, value in said.items() if not name.endswith("uid")}
    said |= {f"prior_{name}": uid for name, uid in prior._asdict().items() if uid}
    return json.dumps(said | {name: uid for name, uid in present._asdict().items() if uid}).encode()


def published(*studies: str) -> Site:
    site = Site(OWN)
    site.send(*(of(study) for study in studies))
    site.wait(10)
    assert len(resources(site.outputs)) == len(studies)
    return site


@pytest.mark.parametrize("count", COUNTS)
def test_what_is_published_is_not_published_again_and_goes_on(count: int) -> None:
    site = published(*STUDIES)
    site.regroup(count)
    assert site.send(*(of(study) for study in STUDIES)) == site.wait(400) == []
    site.send(*(of(study, 2) for study in STUDIES))
    revised = resources(site.wait(10))
    assert [each["meta"]["versionId"] for each in revised] == ["2"] * len(STUDIES)
    assert all(len(each["instance"]) == 2 for each in revised)


@pytest.mark.parametrize("count", COUNTS)
def test_an_open_series_closes_by_the_clock_it_had(count: int) -> None:
    site = Site(OWN)
    site.send(*(of(study) for study in STUDIES))
    site.regroup(count)
    assert site.wait(9) == []
    assert len(resources(site.wait(1))) == len(STUDIES)


@pytest.mark.parametrize("count", COUNTS)
def test_patients_that_waited_to_be_looked_at_are(count: int) -> None:
    site = published(*STUDIES)
    site.send(merge("P1", "P2"))
    site.regroup(count)
    assert {r["subject"]["identifier"]["value"] for r in resources(site.wait(1))} == {"P2"}
    assert len(resources(site.outputs)) == 2 * len(STUDIES)
    assert site.send(merge("P1", "P2")) == site.wait(1) == []


@pytest.mark.parametrize("count", COUNTS)
def test_a_merge_concerns_studies_that_came_before_and_after(count: int) -> None:
    site = published(*STUDIES[:4])
    site.regroup(count)
    site.send(merge("P1", "P2"))
    site.wait(1)
    site.regroup(4)
    site.send(*(of(study) for study in STUDIES[4:]))
    site.wait(10)
    newest = {r["studyUid"]: r["subject"]["identifier"]["value"] for r in resources(site.outputs)}
    assert newest == dict.fromkeys(STUDIES, "P2")


@pytest.mark.parametrize("known", [False, True])
def test_what_was_erased_stays_so_and_goes_on_counting(known: bool) -> None:
    site = Site(OWN)
    site.tell(arrived())
    site.wait(10)
    if known:
        site.tell(arrived("3.2"))
        site.wait(10)
        site.tell(InstanceErased(STUDY, SERIES, "3.2", stamp(5, removal=True)))
    site.tell(InstanceErased(STUDY, SERIES, "3.1", stamp(5, removal=True)))
    site.wait(10)
    last = max(int(dict(o.headers)["revision"]) for o in site.outputs if o.topic is OutputTopic.FHIR)
    for count in (5, 2, 7):
        site.regroup(count)
        site.tell(arrived())
        assert site.wait(400) == [], "it happened before"
    site.tell(arrived(at_s=9))
    (again,) = resources(site.wait(10))
    assert int(again["meta"]["versionId"]) == last + 1


@pytest.mark.parametrize("count", COUNTS)
def test_what_came_from_another_study_is_known_in_every_new_home(count: int) -> None:
    site = Site(OWN)
    site.tell(arrived())
    site.wait(10)
    for n, target in enumerate(STUDIES):
        site.send(moved(Scope(STUDY), Scope(target), 5 + n))
    site.wait(400)
    held = {r["studyUid"]: r["status"] for r in resources(site.outputs)}
    site.regroup(count)
    site.send(moved(Scope(STUDY), Scope("2.999.77"), 30))
    site.wait(400)
    now = {r["studyUid"]: r["status"] for r in resources(site.outputs)}
    assert held[STUDIES[-1]] == "available"
    assert now == {**held, STUDIES[-1]: "entered-in-error", "2.999.77": "available"}


# ---- copies that differ, as after a loss ---------------------------------------------------------------


class One:
    """A home with one entry."""

    def __init__(self, key: str, body: bytes, stamp_ms: int = 0) -> None:
        entry = entry_of(0, Row(key, body), stamp_ms)
        assert entry.value is not None
        self.held: Held = (key, entry.value, None)

    def store(self) -> MemoryStore:
        store = MemoryStore()
        store.put([StateEntry(0, *self.held)])
        return store


LINK = Link(PatientId("P1"), PatientId("P2"), "A")
MERGED, UNMERGED = LINK._replace(merged=stamp(1)), LINK._replace(unmerged=stamp(2))
BOTH = LINK._replace(merged=stamp(1), unmerged=stamp(2))
CHANGE, LATER = (UidChanged(Scope("1.1"), Scope("1.2"), stamp(at_s)) for at_s in (1, 2))
ERASED = erasure_rows.erasures_of("1.1")
EXPECTED, COMPLETED = Expectation(expected=(stamp(1), 3)), Expectation(completed=stamp(2))
encode = patient_rows._encode


@pytest.mark.parametrize(
    ("key", "one", "other", "joined"),
    [
        (patient_rows.link_key(LINK), encode(MERGED), encode(UNMERGED), encode(BOTH)),
        (move_rows.change_key(CHANGE), encode(CHANGE), encode(LATER), encode(LATER)),
        (f"{ERASED}pa", encode(7), encode(300), encode(300)),
        (f"{ERASED}ra", encode(2), encode(3), encode(3)),
        (f"{ERASED}sa", encode(EXPECTED), encode(COMPLETED), encode(EXPECTED.with_all_of(COMPLETED))),
    ],
)
def test_of_two_copies_nothing_is_lost(key: str, one: bytes, other: bytes, joined: bytes) -> None:
    for pair in ((one, other), (other, one)):
        entries = list(regrouped([One(key, body).store() for body in pair], 3))
        assert entries == [StateEntry(home, *One(key, joined).held) for home in range(3)]


def test_of_what_was_told_the_latest_holds() -> None:
    key = move_rows.told_of("1.1") + "1.1|s"
    old, new = One(key, b"old", 1), One(key, b"new", 2)
    came = One(move_rows.UPSTREAM + "1.2|1.1", move_rows.MARK)
    for pair in ((old, new), (new, old)):
        entries = list(regrouped([*(each.store() for each in pair), came.store()], 1))
        assert StateEntry(0, *new.held) in entries
        assert len(entries) == 2


def test_a_kind_without_a_rule_is_not_moved_by_chance() -> None:
    with pytest.raises(AssertionError, match="no rule"):
        list(regrouped([One("!z|1", b"1").store()], 2))
