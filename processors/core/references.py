"""StudyState → ImagingReferences: a pure function of what is known, and the order of its parts.

Rules of this file: what a series, a document or a selection refers to, given the whole study. No revision,
no hash, no time of day: the same state gives the same references (CONTRACT 4, Any order).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import repeat
from typing import NamedTuple

from processors.core import identity
from processors.core.body_sites import body_site
from processors.core.events import Accession, Code, Concept, SeriesHeader, Stamp
from processors.core.instances import InstanceState
from processors.core.layers import resolved_header
from processors.core.listing import list_items
from processors.core.policy import Policy
from processors.core.reference import (
    WHOLE,
    Identifier,
    ImagingReference,
    Kind,
    ReferencedInstance,
    WithdrawalReason,
)
from processors.core.series import SeriesState
from processors.core.standing import earliest, rejection_of
from processors.core.study import SelectionKey, StudyState
from processors.core.vocabulary import DCM, MODALITIES, REPORTS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SERIES = Concept(Code(DCM, "113015", "Series"))


def modality_concept(modality: str) -> Concept:
    """Category: a modality of PS3.16 CID 33; anything else as text."""
    meaning = MODALITIES.get(modality)
    return Concept(Code(DCM, modality, meaning)) if meaning else Concept(None, modality)


Survivor = Callable[[Identifier], Identifier]
"""The patient whom another one was merged into, else himself."""


def unmerged(patient: Identifier) -> Identifier:
    """The Survivor where no patient was ever merged."""
    return patient


class Context(NamedTuple):
    """What holds for a whole study: whose it is, and which order it belongs to."""

    subject: Identifier | None
    based_on: tuple[Identifier, ...]
    patient_id: str = ""
    """As the study's own headers have it, whoever survives."""
    survivor: Survivor = unmerged
    in_frames: dict[str, list[SeriesState]] = {}  # noqa: RUF012 - `context_of` gives each its own
    """Frame of Reference UID → series, as far as it was asked for: thousands of regions may ask."""

    def subject_or(self, header: SeriesHeader, source: str, policy: Policy) -> Identifier | None:
        """The study's patient; while it names none, the one of this header of a document or a selection."""
        if self.subject is not None or not header.patient_id:
            return self.subject
        return self.survivor(subject_of(header, source, policy))


def context_of(study: StudyState, policy: Policy, survivor: Survivor = unmerged) -> Context:
    """Corrections (`study.updated`) first, then the header said last, over all series."""
    layers: dict[SeriesHeader, Stamp] = {}
    for series in study.series.values():
        for header, stamp in series.headers.items():
            said = layers.get(header)
            if said is None or stamp > said:
                layers[header] = stamp
    patient = _latest(study.updates, layers, "patient_id")
    order = _latest(study.updates, layers, "accession")
    subject = survivor(subject_of(*patient, policy)) if patient else None
    accession = order[0].accession if order else None
    based_on = (accession_identifier(accession, order[1], policy),) if accession and order else ()
    return Context(subject, based_on, patient[0].patient_id if patient else "", survivor, {})


def _latest(
    first: dict[SeriesHeader, Stamp], then: dict[SeriesHeader, Stamp], attribute: str
) -> tuple[SeriesHeader, str] | None:
    """(header, source) that says the attribute last, the first dictionary above the second."""
    for layers in (first, then):
        said = [(stamp, header) for header, stamp in layers.items() if getattr(header, attribute)]
        if said:
            stamp, header = max(said, key=lambda row: row[0])
            return header, stamp.source
    return None


def subject_of(header: SeriesHeader, source: str, policy: Policy) -> Identifier:
    """The patient that a header names, which it must."""
    return patient_identifier(header.patient_id, header.issuer_of_patient_id, source, policy)


def patient_identifier(patient_id: str, issuer: str, source: str, policy: Policy) -> Identifier:
    who = policy.identity
    default = who.patient_id_systems.get(source, who.patient_id_system)
    return _identifier(patient_id, issuer, default, policy)


def accession_identifier(accession: Accession, source: str, policy: Policy) -> Identifier:
    who = policy.identity
    default = who.accession_systems.get(source, who.accession_system)
    return _identifier(accession.value, accession.issuer, default, policy)


def _identifier(value: str, issuer: str, default: str, policy: Policy) -> Identifier:
    """The issuer decides the system; a local name that no setting maps is an assigner, never the default."""
    if not issuer:
        return Identifier(default, value)
    mapped = policy.identity.issuers.get(issuer)
    if mapped:
        return Identifier(mapped, value)
    if _is_uri(issuer):
        return Identifier(issuer, value)
    if _is_oid(issuer):
        return Identifier(f"urn:oid:{issuer}", value)
    return Identifier("", value, issuer)


_is_uri = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+").fullmatch
_is_oid = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+").fullmatch
"""FHIR datatype oid, without its `urn:oid:`. Anything else is a name, whatever signs it has."""


def instant_text(at_us: int, policy: Policy) -> str:
    """FHIR instant in the site's zone, with as many fraction digits as it needs (0, 3 or 6).

    `at_us`: within years 1 to 9999 in UTC.
    """
    at = _in_zone(_EPOCH + timedelta(microseconds=at_us), policy.identity.display_zone)
    if at.microsecond == 0:
        return at.isoformat(timespec="seconds")
    return at.isoformat(timespec="microseconds" if at.microsecond % 1000 else "milliseconds")


def _in_zone(at: datetime, zone: tzinfo) -> datetime:
    """As the zone has it; in UTC where FHIR cannot say that: before standard zones offsets have seconds, and
    hours before the year 1, or after 9999, cannot be written. A sender's clock may well stand there.
    """
    try:
        local = at.astimezone(zone)
    except OverflowError:
        return at
    return local if (local.utcoffset() or timedelta()) % timedelta(minutes=1) == timedelta() else at


# ---- a series --------------------------------------------------------------------------------------------


class SeriesView(NamedTuple):
    reference: ImagingReference
    members: list[InstanceState]
    """The instances listed (or, for `omit_when_complete`, meant)."""
    first_instance_at_us: int | None
    last_instance_at_us: int | None
    """As `issued` counts: each instance's earliest dated arrival since its last deletion."""


def of_series(study: StudyState, series: SeriesState, context: Context, policy: Policy) -> SeriesView | None:
    """The series' own reference; None while no instance that is no report has arrived."""
    images = images_of(series)
    if not images:
        return None
    key = identity.series_key(study.study_instance_uid, series.series_instance_uid)
    reference_id = identity.reference_id(key, policy.namespace)
    omit = policy.series_instances == "omit_when_complete" and is_complete(series)
    return view_of_images(study, series, images, reference_id, context, policy, omit=omit)


def images_of(series: SeriesState) -> list[InstanceState]:
    """What arrived and is no report, in the order of arrival."""
    return [i for i in series.order if i[5] is not None and i[1] not in REPORTS]  # occurred_at_us, SOP Class


def view_of_images(
    study: StudyState,
    series: SeriesState,
    images: list[InstanceState],
    reference_id: str,
    context: Context,
    policy: Policy,
    *,
    omit: bool = False,
) -> SeriesView:
    """A reference to these images of the series; `omit`: without its list, unless it is withdrawn."""
    members, withdrawn = _standing(study, series, images, policy)
    times = _times(members, withdrawn)
    header = resolved_header(series.headers) if series.headers else SeriesHeader()
    reference = ImagingReference(
        id=reference_id,
        kind=Kind.SERIES,
        study_instance_uid=study.study_instance_uid,
        series_instance_uid=series.series_instance_uid,
        code=_SERIES,
        instances=() if omit and withdrawn is None else _listed(members),
        withdrawn=withdrawn,
        subject=context.subject,
        issued=instant_text(max(times), policy) if times else "",
        performers=header.performers,
        based_on=context.based_on,
        category=(modality_concept(header.modality),) if header.modality else (),
        series_number=header.series_number,
        frame_of_reference_uid=common_frame_of_reference({each[4] for each in members}),
        body_site=body_site(header, policy.body_sites),
        endpoints=endpoints_of(members, policy),
        modality=header.modality,
    )
    return SeriesView(reference, members, min(times, default=None), max(times, default=None))


def _listed(members: list[InstanceState]) -> tuple[ReferencedInstance, ...]:
    """Sorted by number, then UID; those without a number last."""
    rows = [(each[2], each[0], each[1]) for each in members]
    numbered = sorted([row for row in rows if row[0] is not None])
    if len(numbered) < len(rows):
        numbered += sorted(row for row in rows if row[0] is None)
    columns = [(uid, sop_class, number, *WHOLE) for number, uid, sop_class in numbered]
    return tuple(map(_new, repeat(ReferencedInstance), columns))


_new = tuple.__new__
"""Skips the constructor of a named tuple, for every instance of a series at every revision."""


def _times(members: list[InstanceState], withdrawn: WithdrawalReason | None) -> list[int]:
    """Each listed instance's earliest dated arrival since its last deletion, µs UTC.

    A withdrawn series shows what it would show had nothing been deleted.
    """
    times = [at_us for each in members if each[10] is None and (at_us := each[5]) is not None]  # history
    if len(times) < len(members):
        others = [member for member in members if member.history is not None]
        more = (m.issued_us if withdrawn is None else m.first_arrival_us for m in others)
        times += [time for time in more if time is not None]
    return times


def _standing(
    study: StudyState, series: SeriesState, arrived: list[InstanceState], policy: Policy
) -> tuple[list[InstanceState], WithdrawalReason | None]:
    """(those that stand, None), or (all, why) when none does."""
    members = [i for i in arrived if i[10] is None or i.live]  # history
    if len(members) == len(arrived) and not (study.rejections or study.moved):
        return members, None
    hide = policy.hide_quality_rejections
    uid = series.series_instance_uid
    refused = {
        i.sop_instance_uid: reason
        for i in arrived
        if (reason := rejection_of(study, uid, i.sop_instance_uid, i, hide)) is not None
    }
    members = [i for i in members if i.sop_instance_uid not in refused]
    if members:
        return members, None
    reasons = [*refused.values(), *(WithdrawalReason.DELETED for i in arrived if not i.live)]
    return arrived, earliest(reasons)


def is_complete(series: SeriesState) -> bool:
    """Completeness is known: the expected number was seen, or a completion said so and nothing is missing."""
    expected = series.expected_count
    if expected is not None:
        return series.seen == expected or (series.completed is not None and series.seen >= expected)
    return series.completed is not None


def common_frame_of_reference(distinct: set[str]) -> str:
    """The Frame of Reference UID that all have, else empty (MAPPING 2.1)."""
    return next(iter(distinct)) if len(distinct) == 1 else ""


def holders(instances: Iterable[InstanceState]) -> set[str]:
    """Sources that ever had a copy of one of these."""
    once = {each.source for each in instances if each.history is None and each.occurred_at_us is not None}
    return once.union(*[each.history.copies for each in instances if each.history is not None])


def endpoints_of(instances: Iterable[InstanceState], policy: Policy) -> tuple[str, ...]:
    """Where the listed instances can be fetched: the Endpoints of the sources that still hold copies."""
    if not policy.endpoints:
        return ()
    sources = {s for i in instances for s, copy in i.copies.items() if copy.live}
    return tuple(sorted({policy.endpoints[s] for s in sources if s in policy.endpoints}))


# ---- a selection -----------------------------------------------------------------------------------------


def of_selection(
    study: StudyState, key: SelectionKey, context: Context, policy: Policy
) -> ImagingReference | None:
    """A `selection.made` as it stands; None while only its withdrawal is known."""
    state = study.selections[key]
    content, stamp = state.content, state.stamp
    if content is None or stamp is None:
        return None
    series_uid, source, selection_id = key
    withdrawn = [WithdrawalReason.WITHDRAWN] if state.withdrawn and state.withdrawn > stamp else []
    withdrawn += [WithdrawalReason.SUPERSEDED] * (key in study.moved)
    listing = list_items(study, series_uid, content.items, policy, standing=not withdrawn)
    series = study.series.get(series_uid)
    header = resolved_header(series.headers) if series and series.headers else content.header
    order = content.header.accession
    own_order = (accession_identifier(order, source, policy),) if order else ()
    return ImagingReference(
        id=identity.reference_id(
            identity.selection_key(study.study_instance_uid, series_uid, source, selection_id),
            policy.namespace,
        ),
        kind=Kind.SELECTION,
        study_instance_uid=study.study_instance_uid,
        series_instance_uid=series_uid,
        code=content.code,
        instances=listing.instances,
        withdrawn=earliest([*withdrawn, *listing.reasons]),
        subject=context.subject_or(content.header, source, policy),
        issued=content.issued,
        performers=content.performers,
        based_on=context.based_on or own_order,
        category=(modality_concept(header.modality),) if header.modality else (),
        series_number=header.series_number,
        frame_of_reference_uid=content.frame_of_reference_uid or listing.frame_of_reference_uid,
        endpoints=endpoints_of(listing.holders, policy),
        modality=header.modality,
    )
