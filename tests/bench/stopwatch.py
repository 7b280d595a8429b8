"""What a measured process took, from its first records to its last commit.

Rules of this file: time and use of this very process; said to the parent as one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import NamedTuple

from tests.peak import peak_kib


class Taken(NamedTuple):
    seconds: float
    cpu_s: float
    """All threads, librdkafka's included."""
    peak_mib: float
    """Resident, of the process's whole life."""


class Stopwatch:
    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None
        self._taken = Taken(0.0, 0.0, 0.0)

    def start(self) -> None:
        """The first call counts."""
        if self._began is None:
            self._began = (time.monotonic(), time.process_time())

    def lap(self) -> None:
        """The last call counts."""
        assert self._began is not None
        seconds, cpu_s = time.monotonic() - self._began[0], time.process_time() - self._began[1]
        self._taken = Taken(seconds, cpu_s, peak_kib() / 1024)

    def tell(self) -> None:
        sys.stdout.write(json.dumps(self._taken) + "\n")


def told(line: str) -> Taken:
    return Taken(*json.loads(line))
