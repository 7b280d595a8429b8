"""`topics grow` in small portions, as a process that dies: `python -m tests.integration.grower '<json>'`.

`kill` = [step, n]: the process ends with SIGKILL at the n-th pass of that step (`stream.growth`).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from processors.settings import load
from processors.stream import growth


def main() -> None:
    told = json.loads(sys.argv[1])
    at, count = told["kill"]
    passed: Counter[str] = Counter()

    def steps(step: str) -> None:
        passed[step] += 1
        if step == at and passed[step] == count:
            os.kill(os.getpid(), signal.SIGKILL)

    growth.PORTION = 10
    settings = load(Path(told["config"]), {})
    growth.Growth(settings, lambda _: None, steps).to(growth.Target(*told["target"]))


if __name__ == "__main__":
    main()
