"""A home's clock is the slowest of its inputs."""

from __future__ import annotations

from processors.core.instances import NEVER
from processors.pipeline.clocks import HomeClock

A, B = ("dicom-instances", 0), ("dicom-reports", 0)


def test_without_inputs_it_is_the_wall_clock() -> None:
    assert HomeClock().now_ms(7) == HomeClock().reach(7) == 7


def test_a_partition_of_which_nothing_was_read_holds_it_back() -> None:
    clock = HomeClock()
    clock.read(A, 100)
    assert clock.now_ms(999) == 100
    clock.expect(B)
    assert clock.now_ms(999) == NEVER
    clock.read(B, 60)
    clock.read(B, 50)
    assert clock.now_ms(999) == 60, "the highest read, of the slowest"
    clock.forget(B)
    assert clock.now_ms(999) == 100


def test_what_is_read_to_its_end_is_read_up_to_now_but_not_for_good() -> None:
    clock = HomeClock()
    clock.caught_up(A, True)
    clock.caught_up(B, True)
    assert clock.reach(100) == 100
    assert clock.reach(200) == 100, "the broker's word is of that moment"
    clock.caught_up(A, True)
    assert clock.reach(200) == 100
    clock.caught_up(B, True)
    clock.caught_up(B, False)
    assert clock.reach(300) == 100, "taken back"
    clock.caught_up(B, True)
    assert clock.reach(150) == 150
    clock.caught_up(B, True)
    assert clock.reach(120) == 150, "a clock never goes back"


def test_uncommitted_reading_is_taken_back() -> None:
    clock = HomeClock()
    clock.read(A, 100)
    clock.commit()
    clock.read(A, 200)
    clock.read(B, 150)
    clock.caught_up(A, True)
    clock.roll_back()
    assert clock.reach(999) == 100
    clock.forget(A)
    clock.roll_back()
    assert clock.now_ms(999) == 999, "what was forgotten stays so"
