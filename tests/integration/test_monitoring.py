"""Alerts and dashboard against the real things: promtool, and a Prometheus that scrapes a real `run`."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from processors import telemetry
from processors.settings import printable
from tests.broker import free_port
from tests.integration.site import PATIENCE_S, ROOT, Program, Site, until

ALERTS = ROOT / "deploy/alerts.yaml"
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/imaging-reference.json").read_text("utf-8"))
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail("no Prometheus for the tests: apt install prometheus", pytrace=False)
    return found


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_tool("promtool"), *arguments], capture_output=True, text=True, check=False)


def test_the_alerts_fire_when_they_should_and_not_else(tmp_path: Path) -> None:
    tests = ROOT / "deploy/alerts.test.yaml"
    done = _promtool("test", "rules", str(tests))
    assert done.returncode == 0, done.stdout + done.stderr
    alerts = ALERTS.read_text("utf-8")
    names = re.findall(r"alert: (\w+)", alerts)
    assert len(names) >= 10
    seen_to_fire = re.findall(r"alertname: (\w+)\n +exp_alerts", tests.read_text("utf-8"))
    assert sorted(seen_to_fire) == sorted(names)
    # Fed a slip in each rule's threshold, promtool must see it.
    shutil.copy(tests, tmp_path)
    (tmp_path / "alerts.yaml").write_text(alerts.replace("> 0.05", "> 0.9"), "utf-8")
    assert _promtool("test", "rules", str(tmp_path / tests.name)).returncode == 1


def test_metrics_have_help_type_and_good_names() -> None:
    command, told = [_tool("promtool"), "check", "metrics"], telemetry.exposition()[1]
    done = subprocess.run(command, input=told, capture_output=True, check=False)
    lines = done.stderr.decode().splitlines()
    ours = [line for line in lines if not line.startswith(("process_", "python_"))]
    assert ours == []


def test_alerts_and_dashboard_know_no_metric_that_is_not_told() -> None:
    told = {metric.name for metric in telemetry.REGISTRY.collect()}
    text = ALERTS.read_text("utf-8") + json.dumps(DASHBOARD)
    asked = {re.sub(r"_(total|bucket|count|sum)$", "", n) for n in re.findall(r"imaging_reference_\w+", text)}
    assert asked - told == set()
    assert len(asked) >= 10


def test_every_query_of_the_dashboard_has_an_answer(site: Site) -> None:
    config = site.folder / "settings.toml"
    config.write_text(printable(site.settings), "utf-8")
    with Program(site.folder / "run.log", ["-m", "processors", "run", "--config", str(config)]) as running:
        until(lambda: running.said('"serving"'), "serving", running)
        port = next(json.loads(line)["port"] for line in running.lines() if '"serving"' in line)
        until(lambda: running.said('"partitions_assigned"'), "assigned", running)
        with _prometheus(site.folder, port) as prometheus:
            round_ = iter(range(10_000))

            def unanswered() -> list[str]:
                """Rates need counters that grow from one scrape to the next, so each try sends something."""
                site.send("instances", _records(next(round_)))
                return [query for query in QUERIES if not _answer(prometheus, query)]

            until(lambda: unanswered() == [], "every query has an answer", running, found=unanswered)
        assert running.stop() == 0


def _records(number: int) -> list[tuple[bytes | None, bytes | None]]:
    """An image, one with an odd series number, and one record that cannot be read."""
    arrival = {
        "event": "instance.arrived",
        "event_id": str(number),
        "source": "PACS",
        "occurred_at": "2024-03-11T09:15:00Z",
        "study_instance_uid": "2.999.1",
        "series_instance_uid": f"2.999.1.{number}",
        "sop_instance_uid": f"2.999.1.{number}.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "modality": "CT",
        "number_of_series_related_instances": 1,
    }
    odd = arrival | {"sop_instance_uid": f"2.999.1.{number}.2", "series_number": "3.5"}
    return [(b"2.999.1", json.dumps(each).encode()) for each in (arrival, odd)] + [(None, b"no record")]


@contextmanager
def _prometheus(folder: Path, target: int) -> Iterator[str]:
    """Its address; it scrapes the port every half second, with the site's own alert rules loaded."""
    port = free_port()
    config = folder / "prometheus.yml"
    job = {"job_name": "imaging-reference", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
    text = {"global": {"scrape_interval": "500ms"}, "rule_files": [str(ALERTS)], "scrape_configs": [job]}
    config.write_text(json.dumps(text), "utf-8")  # JSON is YAML
    command = [
        _tool("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _answer(prometheus: str, query: str) -> list[Any]:
    """What Prometheus makes of a panel's query with Grafana's variables filled in; empty until it can."""
    filled = query.replace("$__rate_interval", "30s").replace("$instance", ".*")
    try:
        url = f"{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": filled})
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            said = json.load(answer)
    except urllib.error.HTTPError as wrong:
        if wrong.code == HTTPStatus.SERVICE_UNAVAILABLE:  # it starts
            return []
        raise AssertionError(f"{filled}: {wrong.read().decode()}") from None
    except OSError:
        return []
    assert said["status"] == "success"
    found: list[Any] = said["data"]["result"]
    return found
