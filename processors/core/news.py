"""Which documents may show something else now that series were touched.

Rules of this file: finds them by what is new in a series since it was asked last, so that an image more does
not cost a look at every document of its series. A superfluous look costs time, never a revision.
"""

from __future__ import annotations

from collections.abc import Iterable

from processors.core.series import SeriesState
from processors.core.study import ANY_FRAME_OF_REFERENCE, StudyState
from processors.core.vocabulary import is_report


def documents_of_news(study: StudyState, series_instance_uids: Iterable[str]) -> set[str]:
    """Canonical UIDs of documents to look at because of what is new in these series; now it is known."""
    found, marks = set[str](), set[str]()
    if not study.dependents:
        return found
    for uid in series_instance_uids:
        series = study.series.get(uid)
        marks |= {uid, ANY_FRAME_OF_REFERENCE} if series is None else _marks(series)
    for mark in marks:
        found |= study.dependents.get(mark, set())
    return found


def _marks(series: SeriesState) -> set[str]:
    """What documents that may show it depend on. Those whose items no evidence places name its instances."""
    news, is_other = series.news()
    marks = {instance.sop_instance_uid for instance in news}
    if is_other:
        marks.add(series.series_instance_uid)
    if not all(is_report(instance.sop_class_uid) and instance.history is None for instance in news):
        marks.add(ANY_FRAME_OF_REFERENCE)
    return marks
