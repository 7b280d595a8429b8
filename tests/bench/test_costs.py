"""Costs and the watching of processes in small: they count what is there. No time is asserted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.bench.costs import kept, topic_line
from tests.bench.load import Load, events, in_form, numbered, series_uid
from tests.bench.processes import BEGAN, Processes
from tests.integration.site import until

PROGRAM = """
import sys, time
held = bytearray(64 * 1024 * 1024)
sum(range(10_000_000))
sys.stdout.write("began\\n"); sys.stdout.flush()
time.sleep(600)
"""


def test_a_closed_series_leaves_no_clock_and_what_it_wrote_is_at_least_what_is_live() -> None:
    for row in kept(Load(series=5, instances=200)):
        assert row.store > 0
        assert 0 < row.live <= row.written


def test_random_uids_are_what_there_is_to_keep() -> None:
    counted, many = (kept(Load(series=5, instances=200, random_uids=each))[1] for each in (False, True))
    assert counted.live + 15 < many.live  # 128 random bits each
    values = [value for _, value in events(Load(series=2, instances=50, random_uids=True))]
    assert len({json.loads(value)["sop_instance_uid"] for value in values}) == 100


def test_a_closed_image_takes_no_more_of_a_folder_than_is_promised() -> None:
    """deploy/README.md, Sizing, says 47."""
    assert kept(Load(series=200, instances=100, random_uids=True))[1].store <= 60


def test_a_topic_is_measured_over_its_partitions(tmp_path: Path) -> None:
    for partition in range(2):
        (tmp_path / f"changelog-{partition}").mkdir()
        (tmp_path / f"changelog-{partition}" / "0.log").write_bytes(b"x" * 500)
    assert topic_line(tmp_path, "changelog", "changelog", 100).startswith("changelog: 10 bytes")


def test_a_process_is_measured_from_outside(tmp_path: Path) -> None:
    with Processes([[sys.executable, "-c", PROGRAM]] * 2, tmp_path, tmp_path / "log") as both:
        until(lambda: BEGAN in both.heard, "a line")
        until(lambda: both.peak_mib() > 128, "what both hold")
        assert both.heard[BEGAN].cpu_s > 0
        assert both.heard[BEGAN].at > both.started_at
        both.check()
    with pytest.raises(AssertionError, match="ended"):
        both.check()


def test_a_load_is_the_same_in_every_form() -> None:
    load = Load(series=4, instances=3, at_once=2, first=90)
    series = [number for number, _, _ in numbered(load)]
    assert sorted(series) == [number for number in range(90, 94) for _ in range(3)]
    for number, (study, value) in zip(series, events(load), strict=True):
        assert in_form("json", study, value) == (study, value)
        assert in_form("by series", study, value) == (series_uid(number), value)
        key, avro = in_form("avro", study, value)
        assert key == study
        assert avro.startswith(b"\xc3\x01")
        assert series_uid(number).encode() in value
