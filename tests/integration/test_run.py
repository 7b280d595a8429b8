"""The program itself on a real broker: `publish`, `run`, signals, workers, and mistakes of an operator."""

from __future__ import annotations

import json
import select
import signal
import urllib.request
from pathlib import Path

import pytest

from processors.settings import printable
from tests.broker import Broker
from tests.integration.site import PATIENCE_S, Program, Site, until

STUDY = "1.2.840.99999.1"
CT = "1.2.840.10008.5.1.4.1.1.2"


def _arrival(series: int, instance: int) -> dict[str, object]:
    return {
        "event": "instance.arrived",
        "event_id": f"{series}.{instance}",
        "source": "PACS",
        "occurred_at": f"2024-03-11T09:15:{instance:02}Z",
        "study_instance_uid": f"{STUDY}.{series % 5}",
        "series_instance_uid": f"{STUDY}.{series % 5}.{series}",
        "sop_instance_uid": f"{STUDY}.{series % 5}.{series}.{instance}",
        "sop_class_uid": CT,
        "instance_number": instance,
        "modality": "CT",
    }


def _events(site: Site, series: range, instances: range) -> Path:
    path = site.folder / "events.ndjson"
    path.write_text("".join(json.dumps(_arrival(s, i)) + "\n" for i in instances for s in series), "utf-8")
    return path


def _sizes(site: Site) -> dict[str, int]:
    """Series → instances of its newest reference."""
    newest = {seen.key: json.loads(seen.value or b"") for seen in site.read("fhir")}
    return {each["seriesUid"]: len(each["instance"]) for each in newest.values()}


def _expected(series: range, instances: int) -> dict[str, int]:
    return {f"{STUDY}.{s % 5}.{s}": instances for s in series}


def _until_all(site: Site, expected: dict[str, int], running: Program) -> None:
    until(lambda: _sizes(site) == expected, "all references", running, found=lambda: _sizes(site))


def _program(site: Site, *arguments: str) -> Program:
    config = site.folder / "settings.toml"
    config.write_text(printable(site.settings), "utf-8")
    command = ["-m", "processors", *arguments, "--config", str(config)]
    return Program(site.folder / f"{arguments[0]}.log", command)


@pytest.mark.parametrize("workers", [1, 2])
def test_published_events_become_references(site: Site, workers: int) -> None:
    with _program(site, "run", "--workers", str(workers)) as running:
        with _program(site, "publish", str(_events(site, range(12), range(1, 6)))) as publishing:
            assert publishing.wait() == 0
        _until_all(site, _expected(range(12), 5), running)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    site.settled()
    assert len(site.read("fhir")) == len(site.read("analytics")) == 12
    assert site.read("dead_letters") == []
    assert sum(site.committed("instances").values()) == 60
    assert sum(site.committed("reports").values()) <= 0


def test_health_and_metrics(site: Site) -> None:
    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except OSError as error:
            return getattr(error, "code", 0), ""

    with _program(site, "run") as running:
        until(lambda: running.said('"serving"'), "serving", running)
        port = next(json.loads(line)["port"] for line in running.lines() if '"serving"' in line)
        until(lambda: get("/readyz")[0] == 200, "ready", running)
        assert get("/livez")[0] == 200
        site.send("instances", [(None, None), (b"k", b"poison"), (b"k", json.dumps(_arrival(1, 1)).encode())])
        until(lambda: 'disposition="dead_lettered"' in get("/metrics")[1], "counted", running)


def test_a_killed_worker_is_started_again(site: Site) -> None:
    with _program(site, "run", "--workers", "2") as running:
        until(lambda: running.log.read_text().count('"partitions_assigned"') >= 2, "two members", running)
        worker = next(pid for pid in _children(running.pid) if b"spawn_main" in _command(pid))
        signal.pidfd_send_signal(_pidfd(worker), signal.SIGKILL)
        until(lambda: running.said("is started again"), "noticed", running)
        with _program(site, "publish", str(_events(site, range(6), range(1, 3)))) as publishing:
            assert publishing.wait() == 0
        _until_all(site, _expected(range(6), 2), running)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_workers_leave_when_their_supervisor_is_killed(site: Site) -> None:
    with _program(site, "run", "--workers", "2") as running:
        until(lambda: running.log.read_text().count('"partitions_assigned"') >= 2, "two members", running)
        workers = [_pidfd(pid) for pid in _children(running.pid) if b"spawn_main" in _command(pid)]
        assert len(workers) == 2
        running.kill()
        for worker in workers:
            ended, _, _ = select.select([worker], [], [], PATIENCE_S)
            assert ended, "a worker went on without its supervisor"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return b""


def _pidfd(pid: int) -> int:
    import os

    return os.pidfd_open(pid)


def test_missing_topics_are_one_line(kafka: Broker, tmp_path: Path) -> None:
    site = Site(kafka.bootstrap, "never-made", tmp_path)
    with _program(site, "run") as running:
        assert running.wait() == 1
    assert running.lines()[-1].endswith("does not exist: run `imaging-reference topics create`")
