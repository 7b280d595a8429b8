"""The product's loop as a process: `python -m tests.integration.member '<json>'`.

`kill` = [step, n]: the process ends with SIGKILL at the n-th pass of that step (`stream.wiring`).
`slice_s`, `turn_s`: as the loop's own, see `stream.pacing`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

from processors import telemetry
from processors.errors import OperatorError
from processors.pipeline.records import OutputTopic
from processors.stream.loop import Loop
from processors.stream.wiring import Wiring
from tests.integration.register import Register


def main() -> int:
    told = json.loads(sys.argv[1])
    suffix = told["suffix"]
    at, count = told.get("kill", ["", 0])
    passed: Counter[str] = Counter()

    def steps(step: str) -> None:
        passed[step] += 1
        if step == at and passed[step] == count:
            os.kill(os.getpid(), signal.SIGKILL)

    telemetry.configure("json", "debug")
    loop = Loop(
        Wiring(
            kafka=told["kafka"],
            group=f"group-{suffix}",
            member=told["member"],
            inputs=(f"instances-{suffix}", f"reports-{suffix}"),
            intake=f"intake-{suffix}",
            changelog=f"changelog-{suffix}",
            outputs={topic: f"{topic.value}-{suffix}" for topic in OutputTopic},
            state_dir=Path(told["state"]),
            build=lambda partitions: Register(partitions, told.get("quiet_ms", 300)),
            steps=steps,
        )
    )
    loop._slice_s = told.get("slice_s", loop._slice_s)
    loop._turn_s = told.get("turn_s", loop._turn_s)
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    try:
        loop.run()
    except OperatorError as failed:
        sys.stderr.write(f"{failed}\n")
        return failed.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
