"""How long one document may take to read.

Rules of this file: the clock of one reading, in CPU time of its thread. Time of day would put good documents
aside when the machine is busy or was suspended.
"""

from __future__ import annotations

import math
import time

from processors.errors import DeadLetterCode, Refused

_STEPS_A_LOOK = 256
"""Some hundred microseconds of reading; a look at the clock takes half of one."""


class TimeBudget:
    __slots__ = ("_ends_at", "_steps_left")

    def __init__(self, seconds: float = math.inf) -> None:
        """From now on, in the thread that makes it."""
        self._ends_at = time.thread_time() + seconds
        self._steps_left = _STEPS_A_LOOK

    def step(self) -> None:
        """Called wherever something is read that there may be many of. Raises Refused
        `time_budget_exceeded`.
        """
        self._steps_left -= 1
        if self._steps_left < 0:
            self._steps_left = _STEPS_A_LOOK
            self.look()

    def look(self) -> None:
        """The same after a call that may have taken long."""
        if time.thread_time() > self._ends_at:
            raise Refused(
                DeadLetterCode.TIME_BUDGET_EXCEEDED, "the document takes longer to read than this site allows"
            )
