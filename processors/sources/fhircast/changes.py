"""What a hub tells of → events of the contract.

Rules of this file: no I/O but reading the memory. The same event of the hub gives the same records, byte for
byte, until it is remembered, and then none: what is told twice counts once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from processors import telemetry
from processors.fhircast.context import (
    SELECTION,
    STUDY,
    Context,
    Json,
    is_own,
    keyed,
    objects,
    path_of,
    resources_of,
    series_of,
    studies_of,
    text,
)
from processors.sources.events import Outgoing, event_of
from processors.sources.fhircast.memory import Known, Memory, Said, digest_of, instant, key_of
from processors.sources.fhircast.selections import Made, Unusable, made_of
from processors.stream.input_producer import INPUT_BYTES

KIND = "fhircast"
_TYPES = (SELECTION, STUDY)
_RETRACTED = "entered-in-error"
_PUT: Json = {"request": {"method": "PUT"}}


class Changes(NamedTuple):
    records: list[Outgoing]
    remembered: dict[str, Known]
    """Entries of the memory, once the broker has the records."""


class Shared:
    """`source`: the events'. Used by one thread."""

    def __init__(self, memory: Memory, source: str) -> None:
        self._memory, self._source = memory, source

    def of_update(self, message: Json, context: Context) -> Changes:
        """Of a DiagnosticReport-update; `context`: what is open, for the studies in it."""
        event: Json = message["event"]
        bundle = next((each for key, each in keyed(event) if key == "updates"), {})
        context = context._replace(
            report=_report(event), studies=context.studies | studies_of(resources_of(bundle))
        )
        changes, at = Changes([], {}), _time(message)
        for number, entry in enumerate(objects(bundle.get("entry"))):
            resource = next(iter(objects(entry.get("resource"))), {})
            self._entry(entry, resource, Said(f"{message['id']}/{number}", at), context, changes)
        return changes

    def of_select(self, message: Json, context: Context) -> Changes:
        """Of a DiagnosticReport-select: IRA may bring a resource by value; others are only in focus now."""
        event: Json = message["event"]
        context = context._replace(report=_report(event))
        changes, at = Changes([], {}), _time(message)
        for number, (key, resource) in enumerate(keyed(event)):
            if key == "select" and resource.get("resourceType") == SELECTION and "seriesUid" in resource:
                self._entry(_PUT, resource, Said(f"{message['id']}/{number}", at), context, changes)
        return changes

    def misses(self, message: Json) -> bool:
        """Whether something is selected that was never told of."""
        return any(
            key == "select"
            and resource.get("resourceType") == SELECTION
            and not is_own(resource)
            and not self._memory.known(path_of(resource)).at
            for key, resource in keyed(message["event"])
        )

    def of_content(self, context: Context) -> Changes:
        """What was shared, changed or removed while nobody listened.

        What is missing counts as removed where something of the same report is still there: a report that was
        closed and opened again begins empty.
        """
        changes = Changes([], {})
        if context.content is None or not context.report:
            return changes
        now = datetime.now(UTC)
        for path, resource in context.content.items():
            event_id = f"{context.version}/{path}/{digest_of(resource)[:8]}"
            self._entry(_PUT, resource, Said(event_id, now), context, changes)
        here = {key_of(path) for path in context.content}
        ours = dict(self._memory.of_report(context.report))
        if here & ours.keys():
            for key in sorted(ours.keys() - here):
                self._withdraw(ours[key], key, Said(f"{context.version}/{key}", now), changes)
        return changes

    def _entry(self, entry: Json, resource: Json, said: Said, context: Context, changes: Changes) -> None:
        request = next(iter(objects(entry.get("request"))), {})
        if text(request.get("method")).upper() == "DELETE":
            self._deleted(entry, request, said, changes)
        elif resource.get("resourceType") not in _TYPES:
            telemetry.source_ignored(KIND, "other_resource")
        elif is_own(resource):
            telemetry.source_ignored(KIND, "own")
        elif not path_of(resource):
            telemetry.source_left_out(KIND, "without_id")
        elif resource.get("status") == _RETRACTED:
            self._retracted(resource, said, context, changes)
        else:
            self._put(resource, said, context, changes)

    def _put(self, resource: Json, said: Said, context: Context, changes: Changes) -> None:
        path = path_of(resource)
        known, digest = self._memory.known(path), digest_of(resource)
        if known.digest == digest:  # told again, or by the content before the event
            telemetry.source_ignored(KIND, "known")
            changes.remembered[key_of(path)] = known._replace(report=context.report)
            return
        try:
            made = made_of(resource, context.studies)
        except Unusable as unusable:
            telemetry.source_left_out(KIND, str(unusable))
            return
        said = said.after(known)
        selected = list(self._selections(made, said))
        if any(len(each.value) > INPUT_BYTES for each in selected):
            telemetry.source_left_out(KIND, "too_large")
            return
        series = tuple((each.study_instance_uid, each.series_instance_uid) for each in made)
        left = [each for each in known.series if each not in series]  # it may have pointed elsewhere before
        changes.records.extend(self._withdrawals(known._replace(series=tuple(left)), said))
        changes.records.extend(selected)
        changes.remembered[key_of(path)] = Known(
            context.report, digest, text(resource.get("id")), series, said.at.isoformat()
        )

    def _retracted(self, resource: Json, said: Said, context: Context, changes: Changes) -> None:
        path, series = path_of(resource), series_of(resource, context.studies)
        known = self._memory.known(path)
        if not known.at and all(series):
            known = Known(selection_id=text(resource.get("id")), series=(series,))
        self._withdraw(known, key_of(path), said, changes)

    def _deleted(self, entry: Json, request: Json, said: Said, changes: Changes) -> None:
        """By `fullUrl` or `request.url`, which are `Type/id`, an address that ends so, or urn:uuid:id."""
        paths = [path for each in (entry.get("fullUrl"), request.get("url")) for path in _paths(text(each))]
        known = {path: each for path in paths if (each := self._memory.known(path)).at}
        if known:
            path = next(iter(known))
            self._withdraw(known[path], key_of(path), said, changes)
        else:
            ours = any(path.partition("/")[0] in _TYPES for path in paths)
            telemetry.source_ignored(KIND, "unknown_selection" if ours else "other_resource")

    def _withdraw(self, known: Known, key: str, said: Said, changes: Changes) -> None:
        if not known.series:
            telemetry.source_ignored(KIND, "known" if known.at else "unknown_selection")
            return
        said = said.after(known)
        changes.records.extend(self._withdrawals(known, said))
        changes.remembered[key] = known._replace(digest="", series=(), at=said.at.isoformat())

    def _selections(self, made: list[Made], said: Said) -> Iterator[Outgoing]:
        for number, each in enumerate(made):
            yield event_of(
                "selection.made",
                f"{said.event_id}/{number}",
                self._source,
                said.at,
                study_instance_uid=each.study_instance_uid,
                series_instance_uid=each.series_instance_uid,
                selection=each.selection,
            )

    def _withdrawals(self, known: Known, said: Said) -> Iterator[Outgoing]:
        for number, (study, series) in enumerate(known.series):
            yield event_of(
                "selection.withdrawn",
                f"{said.event_id}/withdrawn/{number}",
                self._source,
                said.at,
                study_instance_uid=study,
                series_instance_uid=series,
                selection={"selection_id": known.selection_id},
            )


def _report(event: Json) -> str:
    return next((text(each.get("id")) for key, each in keyed(event) if key == "report"), "")


def _time(message: Json) -> datetime:
    at = instant(message.get("timestamp"))
    if at is None:
        telemetry.source_left_out(KIND, "timestamp")
    return at or datetime.now(UTC)


def _paths(url: str) -> list[str]:
    """`Type/id` of what a url names; of an id alone, either type."""
    if url.startswith("urn:"):
        return [f"{kind}/{url.rpartition(':')[2]}" for kind in _TYPES]
    parts = url.split("/")
    return ["/".join(parts[-2:])] if len(parts) > 1 else []
