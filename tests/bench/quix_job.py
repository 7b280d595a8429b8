"""The peers' job on Quix Streams, run by a Python of its own: `quix_job.py '<json>'`.

Told: `bootstrap`, `group`, `from`, `to`, `quiet_ms`, `state`. Its input is keyed by series, so that it needs
no repartitioning; a record of every partition now and then moves its clock, which is that of the records.

Rules of this file: only what Quix Streams' documentation has for the job, and nothing of this project, which
that Python does not know; no type of the library is seen by ours.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

_BEGAN: list[bool] = []


def main() -> None:
    told: dict[str, Any] = json.loads(sys.argv[1])
    quix: Any = import_module("quixstreams")
    counting: Any = import_module("quixstreams.dataframe.windows.aggregations")
    own = {"compression.type": "lz4", "linger.ms": 20}
    application = quix.Application(
        told["bootstrap"],
        consumer_group=told["group"],
        auto_offset_reset="earliest",
        commit_interval=0.1,
        processing_guarantee="exactly-once",
        state_dir=told["state"],
        producer_extra_config=own,
        loglevel="ERROR",
    )
    stream = application.dataframe(application.topic(told["from"], value_deserializer="json"))
    stream = stream.filter(_is_new, stateful=True)
    # A session is closed two gaps after its last record.
    sessions = stream.session_window(told["quiet_ms"] // 2).agg(value=counting.Count())
    stream = sessions.final(closing_strategy="partition").apply(lambda session: session["value"])
    stream.to_topic(application.topic(told["to"], value_serializer="json"))
    application.run()


def _is_new(event: dict[str, Any], state: Any) -> bool:
    if not _BEGAN:
        _BEGAN.append(True)
        sys.stdout.write("began\n")
        sys.stdout.flush()
    uid = event["sop_instance_uid"]
    if state.exists(uid):
        return False
    state.set(uid, 1)
    return True


if __name__ == "__main__":
    main()
