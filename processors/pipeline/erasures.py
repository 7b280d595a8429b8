"""References of which erasure left nothing: a null value each, and the revision that goes on one day.

Rules of this file: which ledger lines end, and what is remembered of them; the records are `publishing`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from processors.core import identity
from processors.core.events import Concept
from processors.core.policy import Policy
from processors.core.reference import ImagingReference, Kind
from processors.core.series import Published, SeriesState
from processors.core.study import SelectionKey, StudyState
from processors.pipeline.publishing import ERASED, Publisher
from processors.pipeline.records import Step


class Erasures:
    def __init__(self, policy: Policy, publisher: Publisher) -> None:
        self._policy = policy
        self._publisher = publisher

    def before(self, study: StudyState, reference_id: str) -> Published | None:
        """The ledger's line of a reference that was erased once; it goes on from there."""
        revision = study.last_revisions.get(reference_id)
        return None if revision is None else Published(revision, b"", ERASED)

    def of_series(
        self, study: StudyState, series: SeriesState, prior: Published, step: Step, now_ms: int
    ) -> None:
        uid = series.series_instance_uid
        removed = 0 if prior.withdrawn else series.published_upto - len(series.hidden)
        reference_id = self._id(identity.series_key(study.study_instance_uid, uid))
        nothing = _nothing(study, reference_id, Kind.SERIES, uid, prior)
        self._erase(study, nothing, prior, step, now_ms, removed)
        series.published, series.touched = None, True

    def of_volumes(
        self, study: StudyState, series: SeriesState, erased: Iterable[str], step: Step, now_ms: int
    ) -> None:
        for reference_id in erased:
            prior = series.volumes.pop(reference_id)
            nothing = _nothing(study, reference_id, Kind.PLAIN, series.series_instance_uid, prior)
            self._erase(study, nothing, prior, step, now_ms, len(prior.members))
            series.touched = True

    def of_family(
        self, study: StudyState, canonical_uid: str, left: AbstractSet[str], step: Step, now_ms: int
    ) -> None:
        """End the lines of this document's references that are not `left`."""
        ledger = study.ledgers.get(canonical_uid, {})
        for reference_id in sorted(ledger.keys() - left):
            prior = ledger.pop(reference_id)
            nothing = _nothing(study, reference_id, Kind(prior.kind), prior.series_instance_uid, prior)
            self._erase(study, nothing, prior, step, now_ms, len(prior.members))
            study.touched_ledgers.add(canonical_uid)
        if not ledger and study.ledgers.pop(canonical_uid, None) is not None:
            study.touched_ledgers.discard(canonical_uid)
            study.dropped_rows.append(("l", canonical_uid))

    def of_selection(
        self, study: StudyState, key: SelectionKey, prior: Published, step: Step, now_ms: int
    ) -> None:
        reference_id = self._id(identity.selection_key(study.study_instance_uid, *key))
        nothing = _nothing(study, reference_id, Kind.SELECTION, key[0], prior)
        self._erase(study, nothing, prior, step, now_ms, len(prior.members))
        study.selections[key].published = None
        study.touched_selections.add(key)

    def of_purged(self, study: StudyState, step: Step, now_ms: int) -> bool:
        """Of which nothing but that they were published is known. True if there were any."""
        if study.purged is None or not study.purged.leaving:
            return False
        for reference_id, line in study.purged.leaving.items():
            prior = Published(line.revision, b"", modality=line.modality)
            nothing = _nothing(study, reference_id, Kind(line.kind), line.series_instance_uid, prior)
            self._erase(study, nothing, prior, step, now_ms, removed=0)
        study.purged.leaving.clear()
        return True

    def _id(self, key: str) -> str:
        return identity.reference_id(key, self._policy.namespace)

    def _erase(
        self,
        study: StudyState,
        nothing: ImagingReference,
        prior: Published,
        step: Step,
        now_ms: int,
        removed: int,
    ) -> None:
        if not prior.revision:  # it was refused: readers never had it
            return
        revision = self._publisher.erase(step, nothing, prior, now_ms, removed)
        study.last_revisions[nothing.id] = revision
        study.touched_erasures.add(f"r{nothing.id}")


def _nothing(
    study: StudyState, reference_id: str, kind: Kind, series_instance_uid: str, prior: Published
) -> ImagingReference:
    """What is left to say of a reference."""
    return ImagingReference(
        id=reference_id,
        kind=kind,
        study_instance_uid=study.study_instance_uid,
        series_instance_uid=series_instance_uid,
        code=Concept(),
        instances=(),
        modality=prior.modality,
    )
