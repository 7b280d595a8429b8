"""A small topology for tests of the loop: it registers items by study, deduplicated, and publishes the sorted
list of a study once it has been quiet. Small enough to see at a glance that what goes wrong is the loop.

An input value is `<study>/<item>`; anything without a slash is a dead letter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from processors.errors import DeadLetterCode, Refused
from processors.pipeline.dead_letters import of_record
from processors.pipeline.partitioning import home_of
from processors.pipeline.ports import StateStore
from processors.pipeline.records import OutputRecord, OutputTopic, Record, StateEntry, Step

Partition = tuple[str, int]


class Register:
    def __init__(self, partitions: int, quiet_ms: int) -> None:
        self._partitions = partitions
        self._quiet_ms = quiet_ms
        self._stores: dict[int, StateStore] = {}
        self._caught_up: dict[Partition, bool] = {}
        self._latest_ms: dict[Partition, int] = {}

    def assign(self, home: int, store: StateStore) -> None:
        self._stores[home] = store

    def revoke(self, home: int) -> None:
        del self._stores[home]
        self._caught_up = {key: value for key, value in self._caught_up.items() if key[1] != home}

    def frontier(self, topic: str, partition: int, caught_up: bool) -> None:
        self._caught_up[topic, partition] = caught_up

    def process(self, records: Iterable[Record], now_ms: int) -> Step:
        step = Step()
        for record in records:
            self._latest_ms[record.topic, record.partition] = record.timestamp_ms
            step.moved[record.topic, record.partition] = record.offset + 1
            step.dispositions[self._take(record, step), ""] += 1
        return step

    def _take(self, record: Record, step: Step) -> str:
        study, slash, item = (record.value or b"").decode(errors="replace").partition("/")
        if not slash:
            refused = Refused(DeadLetterCode.UNDECODABLE_RECORD, "no slash")
            step.outputs.append(of_record(record, refused, "register", 0))
            return "dead_lettered"
        home = home_of(study, self._partitions)
        if record.partition != home or home not in self._stores:
            headers = [("forwarded-from", record.topic.encode())]
            step.outputs.append(OutputRecord(OutputTopic.INTAKE, study.encode(), record.value, headers, home))
            return "forwarded"
        store = self._stores[home]
        items = set(json.loads(store.get(study) or b"[]"))
        if item in items:
            return "duplicate"
        self._put(step, home, study, sorted(items | {item}), record.timestamp_ms + self._quiet_ms)
        return "applied"

    def _put(self, step: Step, home: int, study: str, items: list[str], due_at_ms: int | None) -> None:
        entry = StateEntry(home, study, json.dumps(items).encode(), due_at_ms)
        self._stores[home].put([entry])
        step.entries.append(entry)

    def tick(self, now_ms: int) -> Step:
        step = Step()
        for home, store in self._stores.items():
            clocks = [
                now_ms if caught_up else self._latest_ms.get(key, 0)
                for key, caught_up in self._caught_up.items()
                if key[1] == home
            ]
            for study, _ in store.due(min(clocks, default=0), 1000):
                value = store.get(study)
                assert value is not None
                step.outputs.append(OutputRecord(OutputTopic.FHIR, study.encode(), value, [("k", b"v")]))
                step.outputs.append(OutputRecord(OutputTopic.ANALYTICS, study.encode(), value, []))
                self._put(step, home, study, json.loads(value), None)
        return step

    def next_due_ms(self) -> int | None:
        due = [store.next_due_ms() for store in self._stores.values()]
        return min((each for each in due if each is not None), default=None)

    def committed(self) -> None:
        pass

    def rolled_back(self) -> None:
        pass
