"""References in the reporting session that has their study open (FHIRcast 2.10, 3.6.3, 3.6.4).

Rules of this file: what is shared, under which version; HTTP is `processors.fhircast`'s. What is asked twice
has been done once: the hub's content is read, what differs is put or removed against the very version that
was read, and a conflict begins anew.

    context → what differs → DiagnosticReport-update → refused: the context again; if its version moved, anew
                                                     → accepted: the context again, until it shows

A hub may accept an update (202) and refuse it later by SyncError, so what it holds is looked at afterwards;
one that does not tell its content is believed.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple

from processors.core.identity import reference_id, selection_key
from processors.errors import Unavailable
from processors.fhir.r5 import WITHDRAWAL_REASON
from processors.fhircast.context import (
    OWN,
    SELECTION,
    STUDY,
    Context,
    Json,
    dicom_uid,
    is_own,
    objects,
    series_of,
    study_uid_of,
    text,
)
from processors.fhircast.hub import Hub
from processors.settings.neighbours import Fhircast
from processors.sinks.bringing import one_by_one
from processors.sinks.resources import Wanted, is_same, parts_of

TRIES = 12
"""Of one part, with growing pauses, some 10 s in all; then the sink waits and begins again."""
UPDATE_BYTES = 512 * 1024
"""Of several resources: every subscriber gets them in one message, and many take a megabyte at most."""
MOST_OFTEN = 2
"""A hub may keep a resource otherwise than it was sent; it is not sent more often than that."""
MOST_STALE = 4
"""A hub may say that a version is old before it shows the new one; so often, and it means something else."""
_STALE = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})


class _Change(NamedTuple):
    wanted: Wanted
    entry: Json


class SharedContent:
    """A `Destination`. Used by one thread. Raises SettingsError.

    `namespace`: of the references' ids, by which a selection that came from this hub is known again.
    """

    def __init__(self, settings: Fhircast, namespace: uuid.UUID) -> None:
        self._settings, self._namespace = settings, namespace
        self._hub = Hub(settings)
        self.told: Counter[str] = Counter()
        self.refused: list[tuple[str, int]] = []

    def bring(self, wanted: Sequence[Wanted], until: float) -> None:
        """As Destination has it; what is of another kind, or of a study that is not open, is skipped."""
        chosen = [each for each in wanted if each.kind in self._settings.kinds]
        self.told["skipped"] += len(wanted) - len(chosen)
        for part in parts_of(chosen, self._settings.batch_resources, UPDATE_BYTES):
            self._share(part, until)

    def _share(self, part: list[Wanted], until: float) -> None:
        accepted, refusals, status = 0, 0, 0
        before: str | None = None  # the version of the last request
        for attempt in range(TRIES):
            context = self._hub.context()
            here = [each for each in part if context.report and context.has(each.study_instance_uid)]
            changes = list(self._changes(here, context))
            if not changes or (accepted == MOST_OFTEN and _shows(changes, context)):
                self._done(part, here, accepted, context)
                return
            refusals = refusals if context.version == before else 0
            if refusals == (MOST_STALE if status in _STALE else 1):
                if status == HTTPStatus.NOT_FOUND:
                    raise Unavailable(f"the hub answered {status}: check fhircast.url and topic")
                one_by_one(self, part, status, lambda half: self._share(half, until))
                return
            if refusals or context.version != before:
                if time.monotonic() > until:
                    raise Unavailable("the batch took too long: others may hold its partitions")
                before, status = context.version, self._hub.request(self._update(changes, context))
                if status >= HTTPStatus.BAD_REQUEST:
                    refusals += 1
                else:
                    accepted += 1
                    self._count(changes, len(here), accepted)
                    if context.content is None:
                        self._done(part, here, accepted, context)
                        return
            time.sleep(min(0.02 * 2**attempt, 2.0))
        raise Unavailable("the hub accepts an update and does not make it, or others change all the time")

    def _count(self, changes: list[_Change], here: int, accepted: int) -> None:
        """Once, however often the hub must be told."""
        if accepted == 1:
            self.told["unchanged"] += here - len(changes)
            deleted = sum(each.entry["request"]["method"] == "DELETE" for each in changes)
            self.told["deleted"] += deleted
            self.told["written"] += len(changes) - deleted

    def _done(self, part: list[Wanted], here: list[Wanted], accepted: int, context: Context) -> None:
        self.told["skipped"] += len(part) - len(here)
        if not accepted:
            self.told["unchanged"] += len(here)
        keys = [each for each in here if each.kind == "key_images" and not _is_gone(each)]
        if keys and self._settings.select_key_images:
            status = self._hub.request(self._select(keys, context))
            if status >= HTTPStatus.BAD_REQUEST:
                self.refused.extend((each.id, status) for each in keys)

    # ---- what is asked -------------------------------------------------------------------------------

    def _changes(self, here: list[Wanted], context: Context) -> Iterator[_Change]:
        content = context.content or {}
        theirs = self._selected_here(context)
        for each in here:
            current = content.get(each.path)
            if _is_gone(each):
                if current is not None or context.content is None:
                    yield _Change(each, _entry(each, "DELETE"))
                continue
            shown = self._as_shared(each, context)
            if each.id in theirs or (current is not None and is_same(shown, current)):
                continue
            is_new = current is None and self._settings.form == "IRA"
            yield _Change(each, {**_entry(each, "POST" if is_new else "PUT"), "resource": shown})

    def _selected_here(self, context: Context) -> set[str]:
        """Ids of references to what other applications share: theirs is there, ours would double it."""
        found = set()
        for resource in (context.content or {}).values():
            pairs = []
            if resource.get("resourceType") == SELECTION and not is_own(resource):
                pairs = [series_of(resource, context.studies)]
            elif resource.get("resourceType") == STUDY:
                study = study_uid_of(resource)
                pairs = [(study, dicom_uid(each.get("uid"))) for each in objects(resource.get("series"))]
            for study, series in pairs:
                key = selection_key(study, series, self._settings.source, text(resource.get("id")))
                found.add(reference_id(key, self._namespace))
        return found

    def _as_shared(self, wanted: Wanted, context: Context) -> Json:
        content = wanted.content or {}
        shown = {**content, "meta": {**content.get("meta", {}), "source": OWN}}
        if self._settings.form == "IRA" and wanted.type == SELECTION:
            shown["status"] = "unknown"  # the profile's only one (ImagingSelectionContent)
            if context.patient:
                shown["subject"] = {**shown.get("subject", {}), "reference": f"Patient/{context.patient}"}
            study = next(id_ for id_, uid in context.studies.items() if uid == wanted.study_instance_uid)
            shown["derivedFrom"] = [
                {**each, "reference": f"ImagingStudy/{study}"} if each.get("type") == "ImagingStudy" else each
                for each in shown.get("derivedFrom", [])
            ]
        return shown

    def _update(self, changes: list[_Change], context: Context) -> Json:
        bundle = {
            "resourceType": "Bundle",
            "id": str(uuid.uuid4()),
            "type": "transaction",
            "entry": [each.entry for each in changes],
        }
        return self._event("update", context, [{"key": "updates", "resource": bundle}])

    def _select(self, keys: list[Wanted], context: Context) -> Json:
        if self._settings.form == "IRA":
            resources = [{"resourceType": each.type, "id": each.id} for each in keys]
            return self._event("select", context, [{"key": "select", "resource": resources}])
        selected = [{"key": "select", "reference": {"reference": each.path}} for each in keys]
        return self._event("select", context, selected)

    def _event(self, verb: str, context: Context, more: list[Json]) -> Json:
        report: Json = {"key": "report", "reference": {"reference": f"DiagnosticReport/{context.report}"}}
        if self._settings.form == "IRA":
            resource = {"resourceType": "DiagnosticReport", "id": context.report, "status": "unknown"}
            report = {"key": "report", "resource": resource}
        event: Json = {"hub.topic": self._settings.topic, "hub.event": f"DiagnosticReport-{verb}"}
        if verb == "update" or self._settings.form == "IRA":
            event["context.versionId"] = context.version
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"timestamp": now, "id": str(uuid.uuid4()), "event": {**event, "context": [report, *more]}}


def _entry(wanted: Wanted, method: str) -> Json:
    return {"fullUrl": f"urn:uuid:{wanted.id}", "request": {"method": method, "url": wanted.path}}


def _is_gone(wanted: Wanted) -> bool:
    """Erased, or withdrawn, which only the tag says in every release (MAPPING 3.1)."""
    if wanted.content is None:
        return True
    tags = wanted.content.get("meta", {}).get("tag", ())
    return any(tag.get("system") == WITHDRAWAL_REASON for tag in tags)


def _shows(changes: list[_Change], context: Context) -> bool:
    """Whether each is there, or gone, in whatever form."""
    content = context.content or {}
    return all(
        (each.wanted.path in content) is (each.entry["request"]["method"] != "DELETE") for each in changes
    )
