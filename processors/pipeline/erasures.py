"""References of which erasure left nothing: a null value each, and the revision that goes on one day.

Rules of this file: which ledger lines end, and what is remembered of them; the records are `publishing`'s.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from processors.core import identity
from processors.core.events import Concept
from processors.core.policy import Policy
from processors.core.reference import ImagingReference, Kind
from processors.core.series import Published, SeriesState
from processors.core.study import SelectionKey, StudyState
from processors.pipeline.publishing import ERASED, Background, Publisher
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
        key = identity.series_key(study.study_instance_uid, uid)
        self._erase(
            study,
            self._nothing(study, key, Kind.SERIES, uid),
            prior,
            step,
            now_ms,
            0 if prior.withdrawn else series.published_upto - len(series.hidden),
        )
        series.published, series.touched = None, True

    def of_family(
        self, study: StudyState, canonical_uid: str, left: AbstractSet[str], step: Step, now_ms: int
    ) -> None:
        """End the lines of this document's references that are not `left`."""
        ledger = study.ledgers.get(canonical_uid, {})
        for reference_id in sorted(ledger.keys() - left):
            prior = ledger.pop(reference_id)
            nothing = self._nothing(study, "", Kind(prior.kind), prior.series_instance_uid)
            self._erase(study, nothing._replace(id=reference_id), prior, step, now_ms, len(prior.members))
            study.touched_ledgers.add(canonical_uid)
        if not ledger and study.ledgers.pop(canonical_uid, None) is not None:
            study.touched_ledgers.discard(canonical_uid)
            study.dropped_rows.append(("l", canonical_uid))

    def of_selection(
        self, study: StudyState, key: SelectionKey, prior: Published, step: Step, now_ms: int
    ) -> None:
        nothing = self._nothing(
            study, identity.selection_key(study.study_instance_uid, *key), Kind.SELECTION, key[0]
        )
        self._erase(study, nothing, prior, step, now_ms, len(prior.members))
        study.selections[key].published = None
        study.touched_selections.add(key)

    def _nothing(self, study: StudyState, key: str, kind: Kind, series_instance_uid: str) -> ImagingReference:
        return ImagingReference(
            id=identity.reference_id(key, self._policy.namespace),
            kind=kind,
            study_instance_uid=study.study_instance_uid,
            series_instance_uid=series_instance_uid,
            code=Concept(),
            instances=(),
        )

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
        nothing = nothing._replace(modality=prior.modality)
        revision = self._publisher.erase(step, nothing, prior, Background(), now_ms, removed)
        study.last_revisions[nothing.id] = revision
        study.touched_erasures.add(f"r{nothing.id}")
