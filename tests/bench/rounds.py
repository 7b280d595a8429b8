"""One load on one broker, and the runs over it: the passthrough and the product, each with topics of its own.

Rules of this file: topics, child processes, and the check of what was published; no arithmetic.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic

from processors.settings import Settings, printable
from processors.settings.sections import Completeness
from tests.bench.load import EVENTS_A_SECOND, Load, events
from tests.bench.stopwatch import Taken, told
from tests.integration.site import ROOT, Site

PARTITIONS = 4
QUIET_S = 2.0
"""Much longer than a series' instances are apart, so that each is closed once."""

PATIENCE_S = 900.0
"""A run that takes longer hangs."""


class Rounds:
    """`name`: of the input topic, which is filled at once and read by every run anew."""

    def __init__(self, bootstrap: str, name: str, load: Load, folder: Path) -> None:
        self._bootstrap = bootstrap
        self._load = load
        self._input = name
        self._folder = folder
        self._numbers = count(1)
        self._fill()

    def passthrough(self) -> Taken:
        site = self._site()
        site.admin.create_topics([NewTopic(site.suffix, PARTITIONS)])[site.suffix].result()
        return self._child(
            "passthrough",
            {
                "bootstrap": self._bootstrap,
                "group": site.suffix,
                "from": self._input,
                "to": site.suffix,
                "events": self._load.events,
                "records": site.settings.state.batch_records,
                "commit_interval_ms": site.settings.state.commit_interval_ms,
            },
        )

    def product(self, profile: str = "") -> Taken:
        """`profile`: file for the figures of cProfile."""
        site = self._site()
        site.create(PARTITIONS)
        site.folder.mkdir()
        config = site.folder / "settings.toml"
        config.write_text(printable(self._settings(site)), "utf-8")
        taken = self._child(
            "member", {"config": str(config), "events": self._load.events, "profile": profile}
        )
        self._check(site)
        return taken

    # ---- inside -----------------------------------------------------------------------------------------

    def _site(self) -> Site:
        suffix = f"{self._input}-{next(self._numbers)}"
        return Site(self._bootstrap, suffix, self._folder / suffix)

    def _settings(self, site: Site) -> Settings:
        return msgspec.structs.replace(
            site.settings,
            topics=msgspec.structs.replace(site.settings.topics, instances=self._input),
            completeness=Completeness(quiet_s=QUIET_S),
        )

    def _fill(self) -> None:
        """With timestamps of its own, so that series are closed while others are still read."""
        site = self._site()
        topic = NewTopic(self._input, PARTITIONS, config={"message.timestamp.type": "CreateTime"})
        site.admin.create_topics([topic])[self._input].result()
        own = {"partitioner": "murmur2_random", "compression.type": "lz4", "linger.ms": 20}
        producer = Producer({"bootstrap.servers": self._bootstrap} | own)
        began_ms = time.time_ns() // 1_000_000 - self._load.events * 1000 // EVENTS_A_SECOND - 10_000
        for number, (study, value) in enumerate(events(self._load)):
            at_ms = began_ms + number * 1000 // EVENTS_A_SECOND
            while True:
                try:
                    producer.produce(self._input, value, study, timestamp=at_ms)
                except BufferError:
                    producer.poll(0.1)
                else:
                    break
        assert producer.flush(60) == 0

    def _child(self, module: str, arguments: dict[str, Any]) -> Taken:
        command = [sys.executable, "-m", f"tests.bench.{module}", json.dumps(arguments)]
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S
        )
        return told(done.stdout)

    def _check(self, site: Site) -> None:
        """Every series once, whole, as its first revision, and nothing else."""
        references = [json.loads(seen.value or b"") for seen in site.read("fhir")]
        wrong = [
            each["id"]
            for each in references
            if len(each["instance"]) != self._load.instances or each["meta"]["versionId"] != "1"
        ]
        assert len(references) == len({each["id"] for each in references}) == self._load.series
        assert not wrong, f"{len(wrong)} references are not whole, or revised"
        assert len(site.read("analytics")) == self._load.series
        assert site.read("dead_letters") == site.read("intake") == []
