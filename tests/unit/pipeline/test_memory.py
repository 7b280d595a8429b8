"""The member over memory does what the loop on Kafka does: a step, its forwards, a commit."""

from __future__ import annotations

from processors.core.policy import Policy
from processors.pipeline.partitioning import home_of
from tests.builders.events import document, item, key_images, reported
from tests.unit.pipeline.site import STUDY, Site, image, letters, numbers, resources


def test_what_is_forwarded_is_consumed_in_turn() -> None:
    site = Site()
    away = (home_of(STUDY, site.partitions) + 1) % site.partitions
    site.feed(site.record(image(1), partition=away))
    assert site.member.dispositions == {("forwarded", ""): 1, ("applied", ""): 1}
    assert site.member.consumed == 2
    assert numbers(site.member.run_out(site.now_ms)) == [[1]]


def test_at_the_end_of_input_every_clock_runs_out() -> None:
    site = Site(Policy(unresolved_after_s=1e9))
    site.send(image(1))
    site.tell(reported(document(key_images(item(study="", series="")))))
    outputs = site.member.run_out(site.now_ms)
    assert (len(resources(outputs)), len(letters(outputs))) == (1, 1)
    assert site.member.pipeline.next_due_ms() is None
    assert site.member.run_out(site.now_ms) == []


def test_a_restart_forgets_what_was_not_committed() -> None:
    site = Site()
    site.member.pipeline.process([site.record(image(1))], site.now_ms)
    site.member.restart()
    assert site.member.pipeline.next_due_ms() is None
    site.send(image(2))
    assert numbers(site.wait(10)) == [[2]]


def test_cold_studies_leave_the_memory_and_are_read_again() -> None:
    site = Site()
    for home in site.member.pipeline._homes.values():
        home.study(STUDY)
        home.commit(0)
        home.roll_back()
    site.send(image(1))
    (home,) = [h for h in site.member.pipeline._homes.values() if h.number == home_of(STUDY, 4)]
    home.study("2.999.77")
    home.commit(0)
    assert STUDY not in home._studies
    site.send(image(2))
    assert numbers(site.wait(10)) == [[1, 2]]
