"""Sends a load at a rate, in a process of its own: `python -m tests.bench.sender '<json>'`.

Told: `bootstrap`, `topic`, `form`, `load` (its fields), `rate` (events/s). Says as JSON when the last
instance of each series was sent (UID → Unix time, s), and the events/s that it reached.

Rules of this file: pace; what a record holds is `load`'s.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import Counter
from itertools import islice
from typing import Any, NamedTuple

from tests.bench.inputs import producer_to, put
from tests.bench.load import Form, Load, in_form, numbered, series_uid

SLICE_S = 0.01


class Sent(NamedTuple):
    last_s: dict[str, float]
    rate: float


def main() -> None:
    told: dict[str, Any] = json.loads(sys.argv[1])
    sent = send(told["bootstrap"], told["topic"], Load(*told["load"]), told["form"], told["rate"])
    sys.stdout.write(json.dumps(sent) + "\n")


def send(bootstrap: str, topic: str, load: Load, form: Form, rate: float) -> Sent:
    """Blocks until all is with the broker. What is sent is made before: the job needs the cores meanwhile."""
    producer = producer_to(bootstrap, linger_ms=5)
    made = [(number, *in_form(form, study, value)) for number, study, value in numbered(load)]
    gc.freeze()
    coming, sent = iter(made), Counter[int]()
    last_s: dict[str, float] = {}
    began, count = time.monotonic(), 0
    while count < load.events:
        due = min(load.events, int((time.monotonic() - began) * rate) + 1)
        for number, study, value in islice(coming, max(0, due - count)):
            put(producer, topic, study, value, time.time_ns() // 1_000_000)
            count += 1
            sent[number] += 1
            if sent[number] == load.instances:
                last_s[series_uid(number)] = time.time()
        producer.poll(SLICE_S)
    took = time.monotonic() - began
    assert producer.flush(60) == 0
    return Sent(last_s, load.events / took)


if __name__ == "__main__":
    main()
