"""One suite for every StateStore: what the pipeline tests rely on in memory holds on disk.

The model is a plain dictionary; Hypothesis drives puts, commits and rollbacks in any order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.pipeline.ports import MemoryStore, StateStore
from processors.pipeline.records import StateEntry
from processors.stream.store import SqliteStore, discard

Make = Callable[[], StateStore]

keys = st.text("ab|\u00e9\ud7ff\ue000\U0010ffff", min_size=1, max_size=3)
entries = st.builds(
    StateEntry,
    home=st.just(0),
    key=keys,
    value=st.none() | st.binary(max_size=4),
    due_at_ms=st.none() | st.integers(0, 9),
)
operations = st.lists(
    st.tuples(st.just("put"), st.lists(entries, max_size=4))
    | st.tuples(st.just("commit"), st.integers(1, 99))
    | st.tuples(st.just("rollback"), st.none()),
    max_size=12,
)


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    opened: list[SqliteStore] = []

    def build() -> StateStore:
        if request.param == "memory":
            return MemoryStore()
        for store in opened:
            store.close()
        opened.clear()
        discard(tmp_path / "home.sqlite")
        opened.append(SqliteStore(tmp_path / "home.sqlite", "cluster/topic"))
        return opened[0]

    yield build
    for store in opened:
        store.close()


def _check(store: StateStore, model: dict[str, tuple[bytes, int | None]], prefix: str, until: int) -> None:
    for key in ["", "a", *model]:
        assert store.get(key) == (model[key][0] if key in model else None)
    assert list(store.scan(prefix)) == [(k, model[k][0]) for k in sorted(model) if k.startswith(prefix)]
    assert list(store.entries(prefix)) == [(k, *model[k]) for k in sorted(model) if k.startswith(prefix)]
    for start in ["", "a|", *model]:
        assert store.first_key(start) == min((key for key in model if key >= start), default=None)
    clocks = sorted((due, key) for key, (_, due) in model.items() if due is not None)
    assert store.due(until, 3) == [(key, due) for due, key in clocks if due <= until][:3]
    assert store.next_due_ms() == (clocks[0][0] if clocks else None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(operations=operations, prefix=st.just("") | keys, until=st.integers(-1, 9))
def test_reads_follow_writes_commits_and_rollbacks(
    make: Make, operations: list[tuple[str, object]], prefix: str, until: int
) -> None:
    store = make()
    model: dict[str, tuple[bytes, int | None]] = {}
    committed, position = dict(model), 0
    for name, argument in operations:
        if name == "put":
            assert isinstance(argument, list)
            store.put(argument)
            for entry in argument:
                model.pop(entry.key, None)
                if entry.value is not None:
                    model[entry.key] = (entry.value, entry.due_at_ms)
        elif name == "commit":
            assert isinstance(argument, int)
            store.commit(argument)
            committed, position = dict(model), argument
        else:
            store.rollback()
            model = dict(committed)
        _check(store, model, prefix, until)
        assert store.position() == position


def test_scan_may_be_read_while_writing(make: Make) -> None:
    store = make()
    store.put([StateEntry(0, key, b"1") for key in ("a1", "a2", "b")])
    for key, _ in store.scan("a"):
        store.put([StateEntry(0, key, None), StateEntry(0, key + "x", b"2")])
    assert [key for key, _ in store.scan("")] == ["a1x", "a2x", "b"]


def _filled(path: Path, identity: str = "cluster/topic") -> SqliteStore:
    store = SqliteStore(path, identity)
    store.put([StateEntry(0, "kept", b"1", 5)])
    store.commit(7)
    store.put([StateEntry(0, "lost", b"2")])
    return store


def test_a_closed_file_keeps_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "home.sqlite"
    _filled(path).close()
    store = SqliteStore(path, "cluster/topic")
    assert (store.position(), list(store.scan("")), store.due(9, 9)) == (7, [("kept", b"1")], [("kept", 5)])
    assert store.as_of_ms() > 0
    store.clear()
    assert (store.position(), list(store.scan("")), store.as_of_ms()) == (0, [], 0)
    store.close()


@pytest.mark.parametrize("damage", ["identity", "format", "boot", "bytes"])
def test_a_file_in_doubt_is_emptied(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "home.sqlite"
    store = _filled(path, "other" if damage == "identity" else "cluster/topic")
    if damage in ("format", "boot"):
        store._set_meta(damage, "of old")
        store.rollback()
        store._set_meta(damage, "of old")
        store._db.close()
    else:
        store.close()
    if damage == "bytes":
        path.write_bytes(b"not a database" * 100)
    reopened = SqliteStore(path, "cluster/topic")
    assert (reopened.position(), list(reopened.scan(""))) == (0, [])
    reopened.close()


@pytest.mark.parametrize("at", [0, 7, 15])
def test_a_value_that_is_not_what_was_written_is_met_on_reading(tmp_path: Path, at: int) -> None:
    """SQLite itself sees nothing wrong with it."""
    path, value = tmp_path / "home.sqlite", b"0123456789abcdef"
    store = SqliteStore(path, "cluster/topic")
    store.put([StateEntry(0, "k", value, 5), StateEntry(0, "other", b"sound")])
    store.commit(1)
    store.close()
    data = bytearray(path.read_bytes())
    data[data.index(value) + at] ^= 1
    path.write_bytes(data)
    reopened = SqliteStore(path, "cluster/topic")
    with pytest.raises(sqlite3.DatabaseError):
        reopened.get("k")
    with pytest.raises(sqlite3.DatabaseError):
        list(reopened.scan(""))
    assert reopened.get("other") == b"sound"
    reopened.close()
