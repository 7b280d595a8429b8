"""The demonstration: the real loop on the embedded broker; its counts are the scenario's, every time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from processors import demo
from processors.demo import DeadLetter, Published
from processors.settings import Settings
from tests.integration.site import until

ROOT = Path(__file__).parents[2]


class Recorder:
    """An audience that remembers, and asks for health when all is open."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.acts: list[str] = []
        self.references: list[Published] = []
        self.dead_letters: list[DeadLetter] = []

    def opened(self, bootstrap: str, metrics: str, settings: Settings) -> None:
        for path in ("livez", "readyz", "metrics"):
            with urllib.request.urlopen(metrics.replace("metrics", path)) as answer:
                self.answers[path] = answer.read().decode()

    def act(self, title: str) -> None:
        self.acts.append(title)

    def reference(self, published: Published) -> None:
        self.references.append(published)

    def dead_letter(self, put_aside: DeadLetter) -> None:
        self.dead_letters.append(put_aside)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[demo.Report, Recorder]:
    recorder = Recorder()
    return demo.play(recorder, tmp_path_factory.mktemp("demo")), recorder


def test_counts_of_the_scenario(played: tuple[demo.Report, Recorder]) -> None:
    report, _ = played
    assert report.problems == ()
    assert (report.sent, report.passed_on, report.consumed) == (153, 5, 158)
    assert report.dispositions == {
        ("applied", ""): 75,
        ("dead_lettered", "truncated_header"): 1,
        ("dead_lettered", "undecodable_record"): 1,
        ("dead_lettered", "unknown_event"): 1,
        ("duplicate", ""): 72,
        ("forwarded", ""): 5,
        ("ignored", "rejection_note"): 2,
        ("ignored", "tombstone"): 1,
    }
    assert report.references == {
        ("key_images", "available"): 3,
        ("region", "available"): 1,
        ("selection", "available"): 1,
        ("selection", "entered-in-error"): 1,
        ("series", "available"): 5,
        ("series", "entered-in-error"): 1,
        ("source_item", "available"): 1,
    }
    assert report.changes == {"published": 13, "revised": 2, "withdrawn": 2}
    assert (report.revisions, report.facts) == (17, 17)
    assert report.dead_letters == {"truncated_header": 1, "undecodable_record": 1, "unknown_event": 1}
    assert report.warnings == {"series_number_unusable": 2}


def test_what_the_audience_saw(played: tuple[demo.Report, Recorder]) -> None:
    report, recorder = played
    assert len(recorder.acts) == 8
    assert len(recorder.references) == report.revisions
    assert {letter.code for letter in recorder.dead_letters} == report.dead_letters.keys()
    assert {seen.closed_by for seen in recorder.references} == {"", "counted", "completed", "quiet"}
    late = [
        (s.instances, s.added) for s in recorder.references if s.change == "revised" and s.modality == "CT"
    ]
    rejected = [
        (s.instances, s.removed) for s in recorder.references if s.change == "revised" and s.modality == "MR"
    ]
    frames = [s.frames for s in recorder.references if s.frames]
    assert (late, rejected, frames) == ([(25, 1)], [(19, 1)], [3])
    assert {s.withdrawal_reason for s in recorder.references} == {"", "iocm-113037", "withdrawn"}


def test_health_and_metrics_are_served(played: tuple[demo.Report, Recorder]) -> None:
    answers = played[1].answers
    assert (answers["livez"], answers["readyz"]) == ("ok\n", "ok\n")
    assert "imaging_reference_partitions_assigned 4.0" in answers["metrics"]


def test_goes_on_until_it_is_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "processors", "demo", "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "NO_COLOR": "1"}
    shown: list[str] = []
    published: list[str] = []
    said = page = ""
    with (
        (tmp_path / "errors").open("wb") as errors,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            shown.append(line)
            if line.startswith("It is back. Put back what failed: "):  # after the scenario
                published, page = _closed_quietly(shown), _live_page(shown)  # which soon shows later ones
                until(lambda: _told_behind(_live_page(shown)), "how far the processor is behind")
                said = _put_back(shown, line.rpartition(": ")[2].split())
            elif said and (_closed_quietly([line]) or len(shown) > 500):
                process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert (tmp_path / "errors").read_text() == ""
    assert "1 records put back (document_unavailable 1)" in said
    assert "; 1 were put back" in said
    assert "\n0 records put back" in said, "not twice"
    assert published
    assert [line.split()[2] for line in _closed_quietly(shown)[len(published) :]] == ["DX"]
    assert [line for line in published if f">{line.split()[5]}</a>" not in page] == []
    assert shown[-1].startswith("All adds up")
    assert [path.name for path in tmp_path.iterdir()] == ["errors"], "nothing is kept"


def _closed_quietly(shown: list[str]) -> list[str]:
    return [line for line in shown if re.match(r"\d\d:\d\d:\d\d  series .* quiet ", line)]


def _put_back(shown: list[str], command: list[str]) -> str:
    """What the screen tells to try, tried; `explain` by the beginning of an id, as the screen has it."""
    (variable,) = (line.split()[1] for line in shown if line.startswith("  export "))
    name, _, bootstrap = variable.partition("=")
    environment = {**os.environ, name: bootstrap}
    (example,) = (line.split()[1:] for line in shown if line.startswith("  imaging-reference explain"))
    explained, *put_back = (
        subprocess.run(
            [sys.executable, "-m", "processors", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        ).stdout
        for words in (example, command, ["dead-letters", "list"], command)
    )
    assert "Closed by  completed: the sender said that the series is complete" in explained
    return "\n".join(put_back)


def _told_behind(page: str) -> bool:
    return re.search(r"Records behind</dt><dd>\d", page) is not None


def _live_page(shown: list[str]) -> str:
    (address,) = (line.split()[-1] for line in shown if line.startswith("Live page: "))
    with urllib.request.urlopen(address) as answer:
        return str(answer.read().decode())
