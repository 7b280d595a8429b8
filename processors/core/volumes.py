"""The volumes of a series, where a site tells them apart: references beside the series' own (MAPPING 2.1).

Rules of this file: pure; how images fall into volumes, and which of the references still hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from processors.core import identity
from processors.core.events import Code, Concept
from processors.core.instances import InstanceState
from processors.core.policy import Policy
from processors.core.reference import Kind, WithdrawalReason
from processors.core.references import Context, SeriesView, images_of, view_of_images
from processors.core.series import SeriesState
from processors.core.study import StudyState
from processors.core.vocabulary import DCM

ASPECTS = ("orientation", "acquisition", "temporal_position")
"""By what volumes may be told apart, in the order of `InstanceHeader.volume`."""

_VOLUME = Concept(Code(DCM, "113015", "Series"), "One volume of several")
"""CID 7012 has no volume; the series that it is one of is its focus."""


class Volumes(NamedTuple):
    views: tuple[SeriesView, ...] = ()
    """Of those that stand, and of those that were published once and no longer do."""
    erased: tuple[str, ...] = ()
    """Ids of published ones of which erasure left nothing."""


def of_volumes(study: StudyState, series: SeriesState, context: Context, policy: Policy) -> Volumes:
    """Each volume of a series that has several; images that say nothing of it are only the series'."""
    if not (policy.volumes_by or series.volumes):
        return Volumes()
    by_id: dict[str, list[InstanceState]] = {}
    for image in images_of(series):
        if image.volume:
            by_id.setdefault(_id(study, series, image.volume, policy), []).append(image)
    apart = len(by_id) > 1
    found = {id_: images for id_, images in by_id.items() if apart or id_ in series.volumes}
    views = [_view(study, series, images, id_, apart, context, policy) for id_, images in found.items()]
    gone = sorted(series.volumes.keys() - found.keys())
    if study.erased:
        return Volumes(tuple(views), tuple(gone))
    views += [_view(study, series, (), id_, False, context, policy) for id_ in gone]
    return Volumes(tuple(views))


def _view(
    study: StudyState,
    series: SeriesState,
    images: Sequence[InstanceState],
    reference_id: str,
    stands: bool,
    context: Context,
    policy: Policy,
) -> SeriesView:
    view = view_of_images(study, series, list(images), reference_id, context, policy)
    whole = identity.series_key(study.study_instance_uid, series.series_instance_uid)
    withdrawn = view.reference.withdrawn or (None if stands else WithdrawalReason.SUPERSEDED)
    focus = (identity.reference_id(whole, policy.namespace),)
    about = view.reference._replace(kind=Kind.PLAIN, code=_VOLUME, focus=focus, withdrawn=withdrawn)
    return view._replace(reference=about)


def _id(study: StudyState, series: SeriesState, volume: str, policy: Policy) -> str:
    said = zip(ASPECTS, volume.split("|"), strict=True)
    parts = [value if aspect in policy.volumes_by else "" for aspect, value in said]
    key = identity.volume_key(study.study_instance_uid, series.series_instance_uid, parts)
    return identity.reference_id(key, policy.namespace)
