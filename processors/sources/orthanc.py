"""`source orthanc`: what an Orthanc server received, by its feed of changes, from where it left off.

Rules of this file: `/changes` in the order of its sequence numbers; the mark is the number up to which the
broker has everything. An image's tags are enough, a document is fetched whole. The feed tells of no deletion.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar

from processors import telemetry
from processors.dicom import is_read_as_document
from processors.http_client import BodyTooLarge, NotAllowed, NotFetched
from processors.settings.neighbours import Orthanc
from processors.sources.events import Outgoing, arrival_of, event_of
from processors.sources.forwarding import Forwarder
from processors.sources.ledger import Ledger
from processors.sources.neighbours import client_of

KIND = "orthanc"
PAGE = 200
"""Changes read, sent and waited for together."""
TIMEOUT_S = 30.0
RETRY_S = 5.0
MAX_BYTES = 256 * 1024 * 1024
"""Of one answer; of a document no more than 15 MiB can be sent, whose pixel data are left out first."""
_MARK = "sequence"
_NO_ANSWER = (NotFetched, NotAllowed, BodyTooLarge)
_STRANGE = "the answer is none of an Orthanc's: check orthanc.url"
_STRUCTURED = "Sequence"
T = TypeVar("T")


class OrthancSource:
    """Raises SettingsError if `orthanc.url` is none."""

    def __init__(self, settings: Orthanc, ledger: Ledger, forwarder: Forwarder) -> None:
        self._client = client_of("orthanc", settings.url, TIMEOUT_S, settings.user, settings.password)
        self._url, self._settings = settings.url.rstrip("/"), settings
        self._ledger, self._forwarder = ledger, forwarder

    def run(self, from_now: bool = False) -> None:
        """Until the forwarder's `stop`; `from_now`: without what is there, if nothing was read yet."""
        self._begin(from_now)
        while not self._forwarder.stop.is_set():
            try:
                more = self.step()
            except _NO_ANSWER as failed:
                self._wait(failed)
            else:
                if not more:
                    self._forwarder.stop.wait(self._settings.poll_s)

    def step(self) -> bool:
        """One page of changes; False when it was the last for now. Raises what `HttpClient.get` does."""
        page = self._json(f"/changes?since={self._since()}&limit={PAGE}")
        changes, last, done = _of(page, "Changes", list), _of(page, "Last", int), _of(page, "Done", bool)
        records = [record for change in changes for record in self._records(change)]
        if not self._forwarder.forward(records):
            return False
        if changes:
            self._ledger.put([(_MARK, str(last))])
        return not done

    def _begin(self, from_now: bool) -> None:
        """A server that is behind our mark has a new database: it is read from its beginning."""
        while not self._forwarder.stop.is_set():
            try:
                last = _of(self._json("/changes?last"), "Last", int)
            except _NO_ANSWER as failed:
                self._wait(failed)
                continue
            known = self._ledger.get(_MARK)
            if known is None and from_now:
                self._ledger.put([(_MARK, str(last))])
            elif known is not None and int(known) > last:
                telemetry.source_left_out(KIND, "sequence_restarted", mark=int(known), last=last)
                self._ledger.put([(_MARK, "0")])
            return

    def _wait(self, failed: Exception) -> None:
        telemetry.source_waiting(KIND, str(failed) or "the answer is too large")
        self._forwarder.stop.wait(RETRY_S)

    def _since(self) -> int:
        return int(self._ledger.get(_MARK) or 0)

    def _records(self, change: Any) -> list[Outgoing]:
        kind, sequence = _of(change, "ChangeType", str), _of(change, "Seq", int)
        try:
            if kind == "NewInstance":
                record = self._arrival(change)
            elif kind == "StableSeries":
                record = self._completion(change)
            else:
                return []
        except NotFetched as failed:
            if failed.status != HTTPStatus.NOT_FOUND:
                raise
            telemetry.source_left_out(KIND, "gone", sequence=sequence)  # deleted since
            return []
        except BodyTooLarge:
            record = None
        if record is None:
            telemetry.source_left_out(KIND, "too_large", sequence=sequence)
        return [record] if record else []

    def _arrival(self, change: Any) -> Outgoing | None:
        place = f"/instances/{_of(change, 'ID', str)}"
        dataset = dicom_json(self._json(f"{place}/tags"))
        sop_class = dataset.get("00080016", {}).get("Value", [""])[0]
        if is_read_as_document(str(sop_class)):
            return arrival_of(self._get(f"{place}/file"), self._settings.source, _instant(change))
        source = self._settings.source
        return event_of("instance.arrived", _event_id(change), source, _instant(change), dataset=dataset)

    def _completion(self, change: Any) -> Outgoing:
        """Nothing came for Orthanc's StableAge: as many instances as there are now are all."""
        series = self._json(f"/series/{_of(change, 'ID', str)}")
        study = self._json(f"/studies/{_of(series, 'ParentStudy', str)}")
        return event_of(
            "series.completed",
            _event_id(change),
            self._settings.source,
            _instant(change),
            study_instance_uid=_of(_of(study, "MainDicomTags", dict), "StudyInstanceUID", str),
            series_instance_uid=_of(_of(series, "MainDicomTags", dict), "SeriesInstanceUID", str),
            number_of_series_related_instances=len(_of(series, "Instances", list)),
        )

    def _json(self, path: str) -> Any:
        try:
            return json.loads(self._get(path))
        except ValueError:
            raise NotFetched(_STRANGE, passing=False) from None

    def _get(self, path: str) -> bytes:
        return self._client.get(self._url + path, MAX_BYTES).body


def _of(answer: Any, name: str, kind: type[T]) -> T:
    """A member of what was answered. Raises NotFetched if it has none of that kind."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, kind):
        raise NotFetched(_STRANGE, passing=False)
    return found


def _event_id(change: Any) -> str:
    return f"{_of(change, 'Seq', int)}/{_of(change, 'ID', str)}"


def _instant(change: Any) -> datetime:
    try:
        return datetime.strptime(_of(change, "Date", str), "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise NotFetched(_STRANGE, passing=False) from None


def dicom_json(tags: Any) -> dict[str, Any]:
    """Orthanc's `/tags` as a DICOM JSON model (PS3.18 F) without VRs, which the reader knows itself.

    What Orthanc gives no value of, as it does of long ones, is left out. Raises NotFetched for what is none.
    """
    model: dict[str, Any] = {}
    if not isinstance(tags, dict):
        raise NotFetched(_STRANGE, passing=False)
    for tag, element in tags.items():
        value = element.get("Value") if isinstance(element, dict) else None
        if isinstance(value, list) and element.get("Type") == _STRUCTURED:
            model[tag.replace(",", "").upper()] = {"vr": "SQ", "Value": [dicom_json(item) for item in value]}
        elif isinstance(value, str) and value:
            model[tag.replace(",", "").upper()] = {"Value": [value]}
    return model
