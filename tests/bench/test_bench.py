"""The bench in small: it measures what it says, and what it measured was right. No time is asserted."""

from __future__ import annotations

import pytest

from tests.bench.__main__ import main
from tests.bench.documents import KINDS, Kind, cost
from tests.bench.in_process import cost_us
from tests.bench.load import Load, events
from tests.builders.images import encoded


def test_a_load_is_what_it_says() -> None:
    load = Load(series=7, instances=5, at_once=3)
    made = list(events(load))
    assert len({value for _, value in made}) == load.events == 35
    assert len({study for study, _ in made}) == 3
    assert 500 < max(len(value) for _, value in made) < 700


def test_the_topology_publishes_each_series_once() -> None:
    assert cost_us(Load(series=4, instances=30)) > 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_documents_of_every_kind_are_applied(kind: Kind) -> None:
    small = cost(encoded(kind.make(max(1, kind.size // 10))), rounds=1)
    assert small.references >= 1


@pytest.mark.bench
def test_the_bench_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--events", "6000", "--cost-events", "2000", "--rounds", "2"]) == 0
    assert "run : passthrough" in capsys.readouterr().out


@pytest.mark.bench
def test_peers_do_the_same_job(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peers", "--events", "2000", "--rounds", "1", "--live", "2"]) == 0
    jobs = {line.split(" | ")[0] for line in capsys.readouterr().out.splitlines()}
    assert {"| run, 2 workers", "| Kafka Streams, 2 threads", "| Quix Streams"} <= jobs


@pytest.mark.bench
def test_a_member_is_restored(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--restore", "5000"]) == 0
    assert "ready without a folder" in capsys.readouterr().out
