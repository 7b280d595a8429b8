"""Playing it: the scenario, and then study after study until someone has seen enough.

Rules of this file: which acts, in which order, before which audience; nothing is printed here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Protocol

from processors.demo.hospital import Act, Hospital
from processors.demo.reading import DeadLetter, Published
from processors.demo.report import Report
from processors.demo.stage import Stage, archive_of
from processors.http import HealthServer
from processors.settings import Settings

SEED = 2026
"""Any; the counts that the tests know are this one's."""

PAUSE_S = 2.0
"""Between two acts after the scenario: slow enough to read along."""

_HOST = "127.0.0.1"


class Audience(Protocol):
    """Told what happens, as it happens."""

    def opened(self, bootstrap: str, metrics: str, settings: Settings) -> None:
        """The processor is ready; where its broker and its metrics are; settings as any other program's."""
        ...

    def act(self, title: str) -> None: ...

    def reference(self, published: Published) -> None: ...

    def dead_letter(self, put_aside: DeadLetter) -> None: ...


def play(audience: Audience, folder: Path, seed: int = SEED, stop: threading.Event | None = None) -> Report:
    """The scenario of one seed, in some ten seconds; with `stop` further studies until that is set.

    `folder`: empty, for the processor's state. Raises Unavailable when the processor ends.
    """
    hospital = Hospital(seed, archive_of(folder).as_uri())
    further = hospital.further() if stop else ()
    with closing(Stage(folder)) as stage, HealthServer(_HOST, 0, stage.processor, stage.state) as server:
        stage.open()
        audience.opened(stage.bootstrap, f"http://{_HOST}:{server.port}/metrics", stage.settings)
        for act in chain(hospital.day(), _unhurried(further, stop)):
            if stop and stop.is_set():
                break
            audience.act(act.title)
            stage.keep(act.documents)
            stage.send(act.messages)
            _tell(audience, stage)
        _tell(audience, stage)  # of what somebody put back meanwhile
        return stage.report()


def _tell(audience: Audience, stage: Stage) -> None:
    for seen in stage.outcome():
        if isinstance(seen, Published):
            audience.reference(seen)
        else:
            audience.dead_letter(seen)


def _unhurried(acts: Iterator[Act] | tuple[()], stop: threading.Event | None) -> Iterator[Act]:
    for act in acts:
        if stop:
            stop.wait(PAUSE_S)
        yield act
