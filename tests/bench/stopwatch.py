"""What a measured process took, from its first records to its last commit.

Rules of this file: time and use of this very process; said to the parent as one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import NamedTuple


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
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._taken = Taken(
            time.monotonic() - self._began[0], time.process_time() - self._began[1], peak_kib / 1024
        )

    def tell(self) -> None:
        sys.stdout.write(json.dumps(self._taken) + "\n")


def told(line: str) -> Taken:
    return Taken(*json.loads(line))
