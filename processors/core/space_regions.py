"""Regions in space on an image, where a site wants them there: R5's own example has its region on one, while
its text and MAPPING 2.3 leave it with the report.

Rules of this file: which image of a study, pure. Every image of a frame of reference would do, since the
coordinates are in millimetres of it and not of the image.
"""

from __future__ import annotations

from processors.core.events import GroupKind, ReportedGroup, ReportedItem, SubsetKind
from processors.core.instances import InstanceState
from processors.core.references import images_of
from processors.core.series import SeriesState
from processors.core.standing import reasons_against
from processors.core.study import StudyState
from processors.core.vocabulary import is_report


def is_in_space(group: ReportedGroup) -> bool:
    """A SCOORD3D: its one item is the report itself. A structure set's contours stay with their ROI."""
    return group.kind is GroupKind.REGION and bool(group.items and group.items[0].regions_3d)


def series_in(study: StudyState, frame_of_reference_uid: str) -> list[SeriesState]:
    """Known series with an image in the frame of reference (PS3.3 C.18.9), in order of their UIDs."""
    found = (series for _, series in sorted(study.series.items()))
    return [series for series in found if _images(study, series, frame_of_reference_uid)]


def on_image(
    study: StudyState, series: SeriesState, group: ReportedGroup, *, standing: bool, hide_quality: bool
) -> ReportedItem | None:
    """The group's item on the first image of a series: of those that stand, where any does and the report
    itself is `standing`; of one that is not in the frame of reference any more, on its first image at all.
    None: it has no image.
    """
    uid = series.series_instance_uid
    images = _images(study, series, group.frame_of_reference_uid)
    stand = [i for i in images if not reasons_against(study, uid, i.sop_instance_uid, hide_quality)]
    chosen = (stand if standing else []) or images or images_of(series)
    if not chosen:
        return None
    first = min(chosen, key=_order)
    return group.items[0]._replace(
        study_instance_uid=study.study_instance_uid,
        series_instance_uid=uid,
        sop_instance_uid=first.sop_instance_uid,
        sop_class_uid=first.header.sop_class_uid,
        subset_kind=SubsetKind.NONE,
        subset=(),
    )


def _images(study: StudyState, series: SeriesState, frame_of_reference_uid: str) -> list[InstanceState]:
    """Those that lie elsewhere by now are none."""
    return [
        instance
        for instance in series.order
        if instance.frame_of_reference_uid == frame_of_reference_uid
        and not is_report(instance.sop_class_uid)
        and (series.series_instance_uid, instance.sop_instance_uid) not in study.moved
    ]


def _order(instance: InstanceState) -> tuple[bool, int, str]:
    """By number, those without one last, then by UID, as instances are listed."""
    number = instance.header.number
    return number is None, number or 0, instance.sop_instance_uid
