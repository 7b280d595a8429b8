"""Merged patients across partitions: every reference re-pointed, whichever came first, and nobody named."""

from __future__ import annotations

import json
from itertools import permutations

import pytest

from processors.core.policy import Identity, Policy
from processors.pipeline.records import OutputTopic
from processors.pipeline.topology import Limits
from tests.builders.events import document, item, key_images, reported, selected
from tests.unit.pipeline.site import INTAKE, LIMITS, Site, event, facts, image, resources

STUDIES = [f"2.999.{n}" for n in range(1, 9)]
"""In every partition."""
SITE = Policy(identity=Identity(patient_id_system="urn:site"))


def merge(prior: str, survivor: str, at: str = "11:00:00", name: str = "patient.merged") -> bytes:
    said = event(name, at=at, patient_id=survivor, prior_patient_id=prior)
    return json.dumps({k: v for k, v in json.loads(said).items() if not k.endswith("uid")}).encode()


def of(study: str, patient: str = "P1", **more: str) -> bytes:
    return image(1, "10:00:00", None, study_instance_uid=study, patient_id=patient, **more)


def subjects(site: Site) -> dict[str, str]:
    """Study → whose its newest reference is."""
    return {r["studyUid"]: r["subject"]["identifier"]["value"] for r in resources(site.outputs)}


def site_with(*studies: str, limits: Limits = LIMITS) -> Site:
    site = Site(SITE, key=b"secret", limits=limits)
    site.send(*(of(study) for study in studies))
    site.wait(10)
    return site


def test_a_merge_reaches_every_partition_and_changes_the_subject_alone() -> None:
    site = site_with(*STUDIES)
    before = {r["id"]: r for r in resources(site.outputs)}
    assert site.send(merge("P1", "P2")) == []
    published = resources(site.wait(1))
    assert len(published) == len(STUDIES)
    for after in published:
        assert after["meta"]["versionId"] == "2"
        assert after["subject"]["identifier"] == {"system": "urn:site", "value": "P2"}
        same = {name: value for name, value in after.items() if name not in ("meta", "subject")}
        assert same == {name: before[after["id"]][name] for name in same}
    told = site.member.dispositions
    assert told["applied", ""] == len(STUDIES) + site.partitions
    assert sum(told.values()) == site.member.consumed
    assert site.send(merge("P1", "P2")) == site.wait(1) == []


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_merges_before_and_after_the_images_come_to_the_same(order: tuple[int, ...]) -> None:
    values = [of(STUDIES[0]), merge("P1", "P2"), merge("P2", "P3", "12:00:00"), of(STUDIES[1], "P2")]
    site = Site(SITE)
    for n in order:
        site.send(values[n])
        site.wait(20)
    assert subjects(site) == {STUDIES[0]: "P3", STUDIES[1]: "P3"}


def test_an_unmerge_points_back() -> None:
    site = site_with(*STUDIES[:2])
    undone = merge("P1", "P2", "12:00:00", "patient.unmerged")
    site.send(merge("P1", "P2"))
    site.wait(1)
    site.send(undone)
    assert len(resources(site.wait(1))) == 2
    assert set(subjects(site).values()) == {"P1"}
    site.send(merge("P1", "P2"), undone)
    assert site.wait(1) == []


def test_another_issuer_s_patient_of_that_id_is_somebody_else() -> None:
    site = Site(SITE)
    site.send(of(STUDIES[0]), of(STUDIES[1], issuer_of_patient_id="urn:other"), merge("P1", "P2"))
    site.wait(20)
    assert subjects(site) == {STUDIES[0]: "P2", STUDIES[1]: "P1"}


def test_the_table_outlives_a_restart() -> None:
    site = Site(SITE)
    site.send(merge("P1", "P2"))
    site.member.restart()
    site.send(of(STUDIES[0]))
    site.wait(10)
    assert subjects(site) == {STUDIES[0]: "P2"}


def test_a_merge_that_was_rolled_back_is_forgotten() -> None:
    site = site_with(STUDIES[0])
    step = site.member.pipeline.process([site.record(merge("P1", "P2"))], site.now_ms)
    told = [o for o in step.outputs if o.topic is OutputTopic.INTAKE]
    site.member.abort([site.record(o.value, topic=INTAKE, partition=o.partition) for o in told], site.now_ms)
    site.send(of(STUDIES[1]))
    assert len(resources(site.wait(20))) == 1
    assert subjects(site) == {STUDIES[0]: "P1", STUDIES[1]: "P1"}


def test_a_document_and_a_selection_that_alone_name_the_patient_follow_him() -> None:
    site = Site(SITE)
    site.tell(reported(document(key_images(item())), 1), selected(item()))
    assert len(resources(site.outputs)) == 2
    site.send(merge("P1", "P2"))
    after = resources(site.wait(1))
    assert [r["subject"]["identifier"]["value"] for r in after] == ["P2", "P2"]


def test_many_studies_of_a_patient_are_looked_at_bit_by_bit() -> None:
    site = site_with(*STUDIES, limits=LIMITS._replace(closing_clocks=1))
    site.send(merge("P1", "P2"))
    a_tick = [len(resources(site.wait(1))) for _ in range(len(STUDIES) + 1)]
    assert sum(a_tick) == len(STUDIES)
    assert max(a_tick) <= site.partitions
    assert site.member.pipeline.next_due_ms() is None
    assert set(subjects(site).values()) == {"P2"}


def test_a_circle_is_counted_and_harmless() -> None:
    site = site_with(STUDIES[0])
    site.send(merge("P1", "P2"), merge("P2", "P1", "12:00:00"))
    site.wait(1)
    assert subjects(site) == {STUDIES[0]: "P2"}
    assert site.member.events["merge_ignored",] == site.partitions


def test_the_pseudonym_follows_and_no_header_or_fact_names_a_patient() -> None:
    site = Site(SITE, key=b"secret")
    site.send(of(STUDIES[0], "SECRET-1"), of(STUDIES[1], "SECRET-2"), merge("SECRET-1", "SECRET-2"))
    site.wait(20)
    pseudonyms = {f["study_instance_uid"]: f["patient_pseudonym"] for f in facts(site.outputs)}
    assert pseudonyms[STUDIES[0]] == pseudonyms[STUDIES[1]] != ""
    analytics = b"".join(o.value or b"" for o in site.outputs if o.topic is OutputTopic.ANALYTICS)
    headers = repr([o.headers for o in site.outputs])
    assert b"SECRET" not in analytics
    assert "SECRET" not in headers


def test_a_chain_of_merges_has_only_patients_wait_who_have_studies() -> None:
    """Else each merge would cost as much as the chain is long, in every partition."""
    site = site_with(STUDIES[0])
    site.send(*(merge(f"P{n}", f"P{n + 1}") for n in range(1, 20)))
    assert len([key for store in site.member.stores for key, _ in store.scan("!w|")]) == 1
    site.wait(1)
    assert subjects(site) == {STUDIES[0]: "P20"}


def test_a_study_that_comes_between_two_merges_is_looked_at_after_the_second() -> None:
    site = Site(SITE)
    site.send(merge("P1", "P2"))
    site.send(image(1, "10:00:00", 1, study_instance_uid=STUDIES[0], patient_id="P1"))
    site.send(merge("P2", "P3"))
    site.wait(1)
    assert subjects(site) == {STUDIES[0]: "P3"}
