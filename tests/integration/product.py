"""The product as it is run: `python -m tests.integration.product <settings file>`.

After a clean stop the counters of records by disposition are printed as one line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from processors import telemetry
from processors.errors import OperatorError
from processors.settings import load
from processors.stream.loop import Loop
from processors.stream.runner import wiring_of


def main() -> int:
    telemetry.configure("json", "debug")
    loop = Loop(wiring_of(load(Path(sys.argv[1]), os.environ), 0))
    signal.signal(signal.SIGTERM, lambda *_: loop.stop())
    try:
        loop.run()
    except OperatorError as failed:
        sys.stderr.write(f"{failed}\n")
        return failed.exit_code
    counted = [line for line in telemetry.exposition()[1].decode().splitlines() if "_records_total{" in line]
    sys.stdout.write(json.dumps({"accounted": sum(float(line.split()[-1]) for line in counted)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
