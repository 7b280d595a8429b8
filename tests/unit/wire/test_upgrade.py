"""Steps from one format of state to the next that the kept states of `tests/golden/state` do not show."""

from __future__ import annotations

from processors.core.study import StudyState
from processors.wire.packing import unpack
from processors.wire.state import study_from, touched_rows
from processors.wire.upgrade import upgraded
from tests.builders.events import STUDY, stamp


def test_rejections_of_format_5_are_read() -> None:
    study = StudyState(STUDY)
    study.rejections = {("2.9", f"3.{n}"): {"113001": stamp(n)} for n in range(1, 100)}
    study.touched_rejections = True
    [row] = touched_rows(study)
    assert row.body is not None
    as_it_was = unpack(row.body)
    assert len(row.body) < len(as_it_was) / 2, "those of a whole study must fit into one record"
    again = study_from(STUDY, [(row.key, upgraded(5, "r", as_it_was))])
    assert again.rejections == study.rejections
