"""The series of a study as they are since UIDs changed: what lies in them now, from whichever study it came.

Rules of this file: pure; joins what was folded under several names. Every part of a fold is a set, a maximum
or a minimum (`core.series`), so what is joined here is what one fold of all of it would have kept. An
instance that lies elsewhere stays listed under its old name, as moved: a withdrawn reference shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from processors.core.events import DocumentPath, InstanceHeader, SeriesHeader, Stamp
from processors.core.identity import name_hash
from processors.core.instances import NEVER, NO_COPY, Copy, InstanceState
from processors.core.layers import winning_layers
from processors.core.series import SeriesState
from processors.core.study import Expectation, StudyState
from processors.core.uid_changes import Routes


class _Part(NamedTuple):
    """What one name of an instance knows of it."""

    standing: bool
    """It lies here."""
    instance: InstanceState
    headers: Mapping[SeriesHeader, Stamp]
    changed_at_us: int | None
    """When it left its own name; None: it did not."""


Parts = dict[str, list[_Part]]
"""By SOP UID."""


def put_series(view: StudyState, own: StudyState, raws: Sequence[StudyState], routes: Routes) -> None:
    """Put into `view` the series of `own` and what came into them from `raws`, of which it is the first."""
    incoming: dict[str, Parts] = {uid: {} for uid in sorted(_affected(own, raws, routes))}
    names: dict[str, list[SeriesState]] = {uid: [] for uid in incoming}
    said = _said_of_patient_and_order(own) if incoming else ()
    for raw in raws:
        for series in raw.series.values():
            _take(own, raw, series, () if raw is own else said, routes, incoming, names)
    view.series = {uid: series for uid, series in own.series.items() if uid not in incoming}
    for uid, parts in incoming.items():
        if parts or uid in own.series:
            view.series[uid] = _joined_series(uid, own.series.get(uid), parts, names[uid])
            _recall(view.series[uid], own, routes)
    view.moved = {
        (uid, sop)
        for uid, parts in incoming.items()
        for sop, of_one in parts.items()
        if not any(part.standing for part in of_one)
    }
    for uid, series in view.series.items():
        for sop, instance in series.instances.items():
            if instance.stamp is not None and (uid, sop) not in view.moved:
                view.placed(sop, uid)


def _recall(joined: SeriesState, own: StudyState, routes: Routes) -> None:
    """What was said of a series as a whole before erasure emptied it, unless its name is another's now."""
    path = DocumentPath(own.study_instance_uid, joined.series_instance_uid, "")
    said = own.dormant.get(name_hash(*path[:2]))
    if said is not None and routes.end(path) == path:
        joined.expected, joined.completed = Expectation(joined.expected, joined.completed).with_all_of(said)


def _take(
    own: StudyState,
    raw: StudyState,
    series: SeriesState,
    unsaid: tuple[str, ...],
    routes: Routes,
    incoming: dict[str, Parts],
    names: dict[str, list[SeriesState]],
) -> None:
    """What this series, of whichever study, has for those of `own`; its headers less the fields `unsaid`."""
    study, uid = raw.study_instance_uid, series.series_instance_uid
    if incoming.keys().isdisjoint(routes.series_reached(study, uid).get(own.study_instance_uid, ())):
        return
    for there, sop, part in _parts(raw, series, own.study_instance_uid, routes, unsaid):
        incoming[there].setdefault(sop, []).append(part)
    end = routes.end(DocumentPath(study, uid, ""))
    if end.study_instance_uid == own.study_instance_uid and end.series_instance_uid in names:
        names[end.series_instance_uid].append(series)


def _affected(own: StudyState, raws: Sequence[StudyState], routes: Routes) -> set[str]:
    """Series of the study that anything came into or left."""
    found = set[str]()
    for raw in raws:
        for uid in raw.series:
            if routes.touches(raw.study_instance_uid, uid):
                reached = routes.series_reached(raw.study_instance_uid, uid)
                found |= reached.get(own.study_instance_uid, set())
    return found


def _said_of_patient_and_order(own: StudyState) -> tuple[str, ...]:
    """Fields of headers that the study's own names say: those of what came in are another study's, then."""
    said = [header for series in own.series.values() for header in series.headers]
    return tuple(field for field in ("patient_id", "accession") if any(getattr(h, field) for h in said))


def _parts(
    raw: StudyState, series: SeriesState, study: str, routes: Routes, unsaid: tuple[str, ...]
) -> Iterator[tuple[str, str, _Part]]:
    """(series UID, SOP UID, part) of all that this series has or had in the study."""
    for instance in series.order:
        sop = instance.sop_instance_uid
        if not sop:  # it was erased
            continue
        path = DocumentPath(raw.study_instance_uid, series.series_instance_uid, sop)
        reached = routes.reach(path).get(study)
        if reached is None:
            continue
        end, changes = routes.way(path)
        changed_at_us = changes[0].stamp.occurred_at_us if changes else None
        headers = _told(_headers(series, instance), unsaid)
        for there in reached:
            part = _Part(there == end, instance, headers, changed_at_us)
            yield there.series_instance_uid, there.sop_instance_uid, part


def _headers(series: SeriesState, instance: InstanceState) -> Mapping[SeriesHeader, Stamp]:
    """What the arrivals of one instance said of their series."""
    if instance.stamp is None:
        return {}
    base = series.base or next(iter(series.headers), SeriesHeader())
    return series.said.get(instance.sop_instance_uid) or {base: instance.stamp}


def _told(headers: Mapping[SeriesHeader, Stamp], unsaid: tuple[str, ...]) -> dict[SeriesHeader, Stamp]:
    """Less those fields, each under the highest stamp: two may differ in these alone."""
    found: dict[SeriesHeader, Stamp] = {}
    for header, stamp in headers.items():
        kept = _without(header, unsaid)
        found[kept] = max(found.get(kept, stamp), stamp)
    return found


def _without(header: SeriesHeader, fields: tuple[str, ...]) -> SeriesHeader:
    if "patient_id" in fields:
        header = header._replace(patient_id="", issuer_of_patient_id="")
    return header._replace(accession=None) if "accession" in fields else header


def _joined_series(
    uid: str, held: SeriesState | None, parts: Parts, names: Sequence[SeriesState]
) -> SeriesState:
    """`held`: the study's own state of this series, with its ledger; `names`: series that are it now."""
    joined = SeriesState(uid)
    layers: dict[bool, dict[SeriesHeader, Stamp]] = {True: {}, False: {}}
    for sop, of_one in parts.items():
        joined.order.append(_joined_instance(sop, len(joined.order), of_one))
        joined.instances[sop] = joined.order[-1]
        joined.seen += joined.order[-1].stamp is not None
        standing = any(part.standing for part in of_one)
        for part in of_one:
            if part.standing or not standing:
                for header, stamp in part.headers.items():
                    said = layers[standing].get(header)
                    layers[standing][header] = stamp if said is None else max(said, stamp)
    joined.headers = winning_layers(layers[True] or layers[False]) if any(layers.values()) else {}
    joined.expected = max((each.expected for each in names if each.expected), default=None)
    joined.completed = max((each.completed for each in names if each.completed), default=None)
    if held is not None:
        joined.published, joined.published_upto = held.published, held.published_upto
        joined.volumes = dict(held.volumes)
        joined.hidden, joined.changed = set(held.hidden), set()
        joined.last_ms, joined.duplicates, joined.traceparent = (
            held.last_ms,
            held.duplicates,
            held.traceparent,
        )
    for each in names if held is None or held in names else (held, *names):
        joined.warnings |= each.warnings
        for place, (first, last) in each.inputs.items():
            before = joined.inputs.get(place, (first, last))
            joined.inputs[place] = min(before[0], first), max(before[1], last)
    return joined


def _joined_instance(sop: str, position: int, parts: Sequence[_Part]) -> InstanceState:
    layers: dict[InstanceHeader, Stamp] = {}
    copies: dict[str, Copy] = {}
    chosen = [part for part in parts if part.standing] or parts
    for part in chosen:
        for header, stamp in part.instance.layers.items():
            layers[header] = max(layers.get(header, stamp), stamp)
        for source, copy in part.instance.copies.items():
            copies[source] = _joined_copy(copies.get(source, NO_COPY), _kept(copy, part.changed_at_us))
    firsts = [at for part in chosen if (at := part.instance.first_arrival_us) is not None]
    latest_arrival_us = max(part.instance.latest_arrival_us for part in chosen)
    unknown = InstanceState(sop, position=position)
    return unknown.with_facts(layers, copies, min(firsts, default=None), latest_arrival_us)


def _kept(copy: Copy, changed_at_us: int | None) -> Copy:
    """Whoever deletes the old name after the change deletes what came under it since, not what it was."""
    if changed_at_us is None or copy.deleted_at_us <= changed_at_us:
        return copy
    *earlier, deleted_at_us = sorted((NEVER, *(at for at in copy.earlier if at <= changed_at_us)))

    def is_live(at_us: int) -> bool:
        ended_at_us = deleted_at_us if at_us <= changed_at_us else copy.deleted_at_us
        return at_us > ended_at_us

    dated, undated = (*copy.past, *copy.dated), (*copy.past_undated, *copy.undated)
    return Copy(
        tuple(sorted(at for at in dated if is_live(at))),
        tuple(sorted(at for at in undated if is_live(at))),
        deleted_at_us,
        tuple(sorted(at for at in dated if not is_live(at))),
        tuple(sorted(at for at in undated if not is_live(at))),
        tuple(at for at in earlier if at != NEVER),
    )


def _joined_copy(one: Copy, other: Copy) -> Copy:
    """As if all of it had been said of one name."""
    deleted_at_us = max(one.deleted_at_us, other.deleted_at_us)
    dated, undated = {*one.dated, *other.dated}, {*one.undated, *other.undated}
    deletions = {one.deleted_at_us, other.deleted_at_us, *one.earlier, *other.earlier} - {
        NEVER,
        deleted_at_us,
    }
    return Copy(
        tuple(sorted(at for at in dated if at > deleted_at_us)),
        tuple(sorted(at for at in undated if at > deleted_at_us)),
        deleted_at_us,
        tuple(sorted({*one.past, *other.past, *(at for at in dated if at <= deleted_at_us)})),
        tuple(
            sorted({*one.past_undated, *other.past_undated, *(at for at in undated if at <= deleted_at_us)})
        ),
        tuple(sorted(deletions)),
    )
