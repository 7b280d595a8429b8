"""A member at its limits: it stays within its memory, publishes everything once, and says what does not fit.

Rules of this file: sizes as they come, on a real broker; what a limit does to one record is a unit test.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from random import Random

import pytest
from msgspec.structs import replace

from processors.avro.facts import decode_fact
from processors.pipeline.publishing import MAX_REFERENCE_BYTES
from processors.settings import printable
from processors.settings.sections import Completeness
from processors.stream.input_producer import INPUT_BYTES
from tests.bench.load import Load, events
from tests.builders.images import ct, encoded
from tests.builders.key_objects import key_objects
from tests.integration.faults import laws
from tests.integration.site import Program, Site, until
from tests.peak import peak_kib

pytestmark = pytest.mark.nightly

MEMORY_MIB = 700
"""Most of them take half of it."""
LONG_S = 300.0


def member(site: Site, quiet_s: float) -> Program:
    config = site.folder / "settings.toml"
    settings = replace(site.settings, completeness=Completeness(quiet_s=quiet_s))
    config.write_text(printable(settings), "utf-8")
    return Program(site.folder / "member.log", ["-m", "processors", "run", "--config", str(config)])


def send(site: Site, made: Iterable[tuple[str, bytes]]) -> None:
    site.send("instances", ((study.encode(), value) for study, value in made))


def published(site: Site) -> list[tuple[int, int]]:
    """(revision, instances) of all that was published."""
    facts = (decode_fact(each.value or b"") for each in site.read("analytics"))
    return [(fact["revision"], fact["instance_count"]) for fact in facts]


def stays_within(running: Program) -> None:
    peak_mib = peak_kib(running.pid) / 1024
    print(f"peak {peak_mib:.0f} MiB")  # noqa: T201 (with -s, or when the test fails)
    assert peak_mib < MEMORY_MIB


def all_is_read(site: Site, running: Program) -> None:
    end = site.ends(laws.INPUTS)
    until(lambda: laws.committed(site) == end, "all is read", running, LONG_S)


def test_a_backlog_of_a_million(site: Site) -> None:
    load = Load(series=10_000, instances=100)
    send(site, events(load))
    with member(site, quiet_s=1.0) as running:
        all_is_read(site, running)
        until(lambda: len(published(site)) >= load.series, "all series", running, LONG_S)
        stays_within(running)
        assert running.stop() == 0
    assert published(site) == [(1, 100)] * load.series


@pytest.mark.parametrize(("series", "instances"), [(10_000, 3), (1_000, 600)])
def test_open_series_that_are_due_at_the_same_moment(site: Site, series: int, instances: int) -> None:
    """As after an outage: none is due before the end of the backlog is read, and then all are."""
    send(site, events(Load(series, instances, at_once=series)))
    with member(site, quiet_s=20.0) as running:
        until(lambda: len(published(site)) >= series, "all series", running, LONG_S)
        stays_within(running)
        assert running.stop() == 0
    assert published(site) == [(1, instances)] * series


def test_a_series_of_ninety_thousand_and_one_too_large(site: Site) -> None:
    """15 MiB of references of 172 bytes: some thousand more than 90,000 do not fit."""
    coming = events(Load(series=1, instances=95_000))
    with member(site, quiet_s=3.0) as running:
        send(site, islice(coming, 90_000))
        until(lambda: published(site) == [(1, 90_000)], "the whole series", running, LONG_S)
        [reference] = site.read("fhir")
        assert 0.95 * MAX_REFERENCE_BYTES < len(reference.value or b"") <= MAX_REFERENCE_BYTES
        assert len(json.loads(reference.value or b"")["instance"]) == 90_000
        send(site, coming)
        until(lambda: site.read("dead_letters"), "it is too large", running, LONG_S)
        stays_within(running)
        assert running.stop() == 0
    [letter] = site.read("dead_letters")
    assert letter.headers["__imaging.errors.code"] == b"too_large"
    assert published(site) == [(1, 90_000)], "never cut"


def large_reports(count: int) -> Iterator[tuple[bytes, bytes]]:
    random = Random(1)
    for number in range(1, count + 1):
        report = key_objects(f"2.999.1.200.{number}", [ct(number)])
        report.add_new((0x0009, 0x0010), "LO", "TESTS")
        report.add_new((0x0009, 0x1001), "OB", random.randbytes(INPUT_BYTES - 8_192))
        yield report.StudyInstanceUID.encode(), encoded(report)


def test_a_backlog_of_reports_of_fifteen_mebibytes(site: Site) -> None:
    """As long as a minute's work, and all of one study."""
    count = 100
    site.send("reports", large_reports(count))
    with member(site, quiet_s=1.0) as running:
        all_is_read(site, running)
        until(lambda: len(published(site)) >= count, "all key images", running, LONG_S)
        stays_within(running)
        assert running.stop() == 0
    assert published(site) == [(1, 1)] * count
    assert site.read("dead_letters") == []
