"""A whole changelog topic as files on this machine, a home each, for who needs all of it at once.

Rules of this file: restoring outside a group; the way is the members' own (`changelog`, `store`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaException

from processors.errors import Unavailable
from processors.pipeline.entries import as_of_now
from processors.stream.broker import Cluster
from processors.stream.changelog import Restore
from processors.stream.client import changelog_config
from processors.stream.offsets import Offsets
from processors.stream.scan import answer
from processors.stream.store import SqliteStore, path_of
from processors.wire.state import FORMAT

SILENCE_S = 120.0
"""A killed member's open transaction hides what follows for as long as its timeout, a minute by default."""


class Mirror:
    """The state of a pair of intake and changelog; nobody else may use `folder` meanwhile."""

    def __init__(
        self,
        kafka: Mapping[str, str | int | float | bool],
        group: str,
        intake: str,
        changelog: str,
        folder: Path,
    ) -> None:
        """Raises Unavailable if a topic is missing, or their partition counts differ."""
        self.partitions, identity = Cluster(kafka).layout((), intake, changelog)
        self._identity = f"{identity}/{FORMAT}"
        self._config = changelog_config(kafka, group)
        self._offsets = Offsets(kafka)
        self._changelog = changelog
        self._folder = folder

    @contextmanager
    def current(self) -> Iterator[list[SqliteStore]]:
        """The homes as the topic has them now. Raises Unavailable when no broker answers."""
        stores = [self._open(home) for home in range(self.partitions)]
        whole = False
        try:
            restore = answer(
                lambda: Restore(
                    self._config, self._offsets, self._changelog, dict(enumerate(stores)), as_of_now
                )
            )
            try:
                _read(restore)
            finally:
                restore.close()
            whole = True
            yield stores
        finally:
            for store in stores:
                store.close(whole)

    def _open(self, home: int) -> SqliteStore:
        return SqliteStore(path_of(self._folder, home), f"{self._identity}/{home}")


def _read(restore: Restore) -> None:
    before, heard_at = restore.behind, time.monotonic()
    while restore.behind:
        try:
            restore.step()
        except KafkaException as failed:
            raise Unavailable(f"the changelog cannot be read: {failed.args[0].name()}") from failed
        if restore.behind != before:
            before, heard_at = restore.behind, time.monotonic()
        elif time.monotonic() - heard_at > SILENCE_S:
            raise Unavailable(f"the broker sent nothing of the changelog for {SILENCE_S:.0f} s: try again")
