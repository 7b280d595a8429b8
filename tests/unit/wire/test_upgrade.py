"""Steps from one format of state to the next that the kept states of `tests/golden/state` do not show."""

from __future__ import annotations

import msgspec
import pytest

from processors.core.events import InstanceHeader
from processors.core.instances import NO_COPY, InstanceState
from processors.core.series import CHUNK
from processors.wire.instance_rows import decode_instances
from processors.wire.packing import pack
from processors.wire.state import study_from, touched_rows
from processors.wire.upgrade import upgraded
from tests.builders.events import STUDY, stamp

REJECTIONS = {("2.9", f"3.{n}"): {"113001": stamp(n)} for n in range(CHUNK + 1)}
ALL_IN_ONE = msgspec.msgpack.encode([(*path, titles) for path, titles in REJECTIONS.items()])


@pytest.mark.parametrize(("version", "body"), [(5, ALL_IN_ONE), (6, pack(ALL_IN_ONE))])
def test_rejections_that_were_one_entry_are_read_and_come_to_lie_in_chunks(version: int, body: bytes) -> None:
    study = study_from(STUDY, [(f"{STUDY}|r", upgraded(version, "r", body))])
    assert study.rejections == REJECTIONS
    written = {row.key: row.body for row in touched_rows(study)}
    assert written.pop(f"{STUDY}|r") is None
    assert written.keys() == {f"{STUDY}|r|000000", f"{STUDY}|r|000001"}
    again = study_from(STUDY, [(key, body) for key, body in written.items() if body is not None])
    assert again.rejections == REJECTIONS
    assert list(touched_rows(again)) == []


@pytest.mark.parametrize(("version", "fields"), [(3, 11), (6, 12)])
def test_instances_that_were_an_array_each_come_to_lie_in_columns(version: int, fields: int) -> None:
    """Those of format 3 had no volume and were not compressed."""
    layers = {InstanceHeader("1.2", 1): stamp(1), InstanceHeader("1.3", 2): stamp(2)}
    heard_twice = InstanceState("3.2", position=1).with_facts(
        layers, {"PACS": NO_COPY.arrived(5, True)}, 5, 5
    )
    known = [
        InstanceState("3.1", "1.2", 7, 2, "9.9", 5, "PACS", "e1", b"digest", 0),
        heard_twice,
        InstanceState("", position=2),
    ]
    assert heard_twice.history is not None
    body = msgspec.msgpack.encode([each[:fields] for each in known])
    columns = upgraded(version, "c", body if version == 3 else pack(body))
    assert list(decode_instances(columns, 0)) == known
