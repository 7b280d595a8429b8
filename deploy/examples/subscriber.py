"""A plain subscriber: a table (SQLite) kept at what the topic of references holds. Copy it and make it yours.

    pip install confluent-kafka
    python subscriber.py broker:9092 references.sqlite

At least once: the offset is committed after the table. After a crash the last records come again, and are
known by their revision; so nothing is lost and nothing counts twice.
"""

from __future__ import annotations

import signal
import sqlite3
import sys

from confluent_kafka import Consumer, KafkaException, Message

GROUP = "subscriber"  # a name of its own for each subscriber
COLUMNS = "id TEXT PRIMARY KEY, ce_id TEXT, revision INT, status TEXT, resource TEXT"
HELD = "INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?)"


def take(table: sqlite3.Connection, record: Message) -> str:
    """Bring one record into the table; returns what it was, "" for a repetition."""
    sent = dict(record.headers() or {}).items()
    headers = {name: value.decode() for name, value in sent if isinstance(value, bytes)}
    reference_id, ce_id, revision = headers["ce_subject"], headers["ce_id"], int(headers["revision"])
    known = table.execute("SELECT ce_id, revision FROM held WHERE id = ?", (reference_id,)).fetchone()
    if known and (known[0] == ce_id or known[1] >= revision):
        return ""
    value = record.value()
    if value is None:  # erased: nothing that it said may stay, only that it was
        table.execute(HELD, (reference_id, ce_id, revision, "erased", None))
        return "erased"
    status = headers["status"]
    table.execute(HELD, (reference_id, ce_id, revision, status, value.decode()))
    if status != "available":  # withdrawn: do not show it any more; it may be revived
        return "withdrawn"
    return headers["ce_type"].rpartition(".")[2]


def main(bootstrap: str, path: str, topic: str = "fhir-imaging-references") -> None:
    table = sqlite3.connect(path)
    table.execute(f"CREATE TABLE IF NOT EXISTS held ({COLUMNS})")
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": GROUP,
            "group.instance.id": f"{GROUP}-1",  # under the same name it goes on at once after a crash
            "isolation.level": "read_committed",  # what was rolled back is not for us
            "auto.offset.reset": "earliest",  # the topic is compacted: its beginning is the whole picture
            "enable.auto.commit": False,  # we say when a record is done with
        }
    )
    consumer.subscribe([topic])
    running = True

    def stop(*_: object) -> None:
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while running:
        records = consumer.consume(100, timeout=1.0)
        if failed := [record.error() for record in records if record.error()]:
            raise KafkaException(failed[0])
        with table:  # all of them or none
            done = [(take(table, record), (record.key() or b"").decode()) for record in records]
        if records:
            consumer.commit(asynchronous=False)
        for what, reference_id in done:
            if what:
                print(what, reference_id, flush=True)
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
