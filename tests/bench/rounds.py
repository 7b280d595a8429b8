"""One load on one broker, and the runs over it: the passthrough and the product, each with topics of its own.

Rules of this file: topics, child processes, and the check of what was published; no arithmetic.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka.admin import NewTopic

from processors.settings import Settings, printable
from processors.settings.sections import Completeness
from tests.bench.inputs import PARTITIONS, fill
from tests.bench.load import Load, events
from tests.bench.stopwatch import Taken, told
from tests.integration.site import ROOT, Site

QUIET_S = 2.0
"""Much longer than a series' instances are apart, so that each is closed once."""

PATIENCE_S = 900.0
"""A run that takes longer hangs."""


class Rounds:
    """`name`: of the input topic, which is filled at once and read by every run anew."""

    def __init__(self, bootstrap: str, name: str, load: Load, folder: Path) -> None:
        self._bootstrap = bootstrap
        self._load = load
        self.input = name
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
                "from": self.input,
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
        suffix = f"{self.input}-{next(self._numbers)}"
        return Site(self._bootstrap, suffix, self._folder / suffix)

    def _settings(self, site: Site) -> Settings:
        return msgspec.structs.replace(
            site.settings,
            topics=msgspec.structs.replace(site.settings.topics, instances=self.input),
            completeness=Completeness(quiet_s=QUIET_S),
        )

    def _fill(self) -> None:
        fill(self._bootstrap, self.input, self._load.events, events(self._load))

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
