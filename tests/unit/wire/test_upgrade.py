"""Steps from one format of state to the next that the kept states of `tests/golden/state` do not show."""

from __future__ import annotations

import msgspec
import pytest

from processors.core.series import CHUNK
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
