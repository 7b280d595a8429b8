"""`source dicomweb`: a backfill of what an archive holds, by QIDO-RS and WADO-RS (PS3.18 10.4, 10.6).

Rules of this file: study by study, each marked once the broker has all of it, so that what was interrupted
goes on. Objects go as bare ones, images as metadata and documents whole: nobody knows when they arrived.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from processors import telemetry
from processors.dicom import is_read_as_document
from processors.errors import Unavailable
from processors.http_client import BodyTooLarge, HttpClient, NotAllowed, NotFetched
from processors.multipart import parts_of
from processors.pipeline.records import Headers
from processors.settings.neighbours import Dicomweb
from processors.sources.events import Outgoing
from processors.sources.forwarding import Forwarder
from processors.sources.ledger import Ledger
from processors.sources.neighbours import client_of
from processors.stream.input_producer import INPUT_BYTES

KIND = "dicomweb"
PAGE = 500
TIMEOUT_S = 120.0
MAX_BYTES = 512 * 1024 * 1024
"""Of one answer: the metadata of a series of some tens of thousands of instances."""
RETRY_S = 5.0
BATCH_BYTES = 32 * 1024 * 1024
_NOT_GIVEN = (NotFetched, NotAllowed, BodyTooLarge)
_JSON = "application/dicom+json"
_OBJECT = 'multipart/related; type="application/dicom"'
_STUDY, _SERIES, _SOP_CLASS, _SOP = "0020000D", "0020000E", "00080016", "00080018"
_STUDY_INSTANCES = "00201208"
_BULK = ("BulkDataURI", "InlineBinary")
_PER_FRAME = "52009230"
"""Functional groups of each frame: of an image no reader here needs them, and they are most of it."""


class Selection(NamedTuple):
    """Which studies: QIDO-RS query parameters, empty for all."""

    since: str = ""
    """Study Date, `YYYYMMDD`, inclusive."""
    until: str = ""
    modality: str = ""

    def parameters(self) -> dict[str, str]:
        dates = f"{self.since}-{self.until}" if self.since or self.until else ""
        found = {"StudyDate": dates, "ModalitiesInStudy": self.modality}
        return {key: value for key, value in found.items() if value}


class DicomwebSource:
    """Raises SettingsError if `dicomweb.url` is none."""

    def __init__(self, settings: Dicomweb, ledger: Ledger, forwarder: Forwarder) -> None:
        self._client: HttpClient = client_of(
            "dicomweb", settings.url, TIMEOUT_S, settings.user, settings.password, settings.token
        )
        self._url = settings.url.rstrip("/")
        self._json_headers: Headers = [("content-type", _JSON.encode()), ("source", settings.source.encode())]
        self._object_headers: Headers = [
            ("content-type", b"application/dicom"),
            ("source", settings.source.encode()),
        ]
        self._ledger, self._forwarder = ledger, forwarder

    def run(self, selection: Selection, progress: Callable[[int, int], None] = lambda *_: None) -> bool:
        """Every study that is not marked, or grew since; False if `stop` came first. `progress`: studies
        done, of how many.

        Raises Unavailable: the archive refuses, or some studies could not be read and are left for next time.
        """
        try:
            studies = dict(self._studies(selection))
        except _NOT_GIVEN as refused:
            raise Unavailable(f"{str(refused) or 'the answer is too large'}: check dicomweb.url") from None
        failed = 0
        for done, (study, instances) in enumerate(studies.items()):
            progress(done, len(studies))
            key = f"study/{study}"
            if self._ledger.get(key) == instances:
                continue
            if not self._study(study):
                if self._forwarder.stop.is_set():
                    return False
                failed += 1
                continue
            self._ledger.put([(key, instances)])
        progress(len(studies), len(studies))
        if failed:
            raise Unavailable(f"{failed} of {len(studies)} studies could not be read: run it again")
        return not self._forwarder.stop.is_set()

    def _studies(self, selection: Selection) -> Iterator[tuple[str, str]]:
        """Study and its number of instances, as text, as far as the archive says it."""
        seen: set[str] = set()
        while not self._forwarder.stop.is_set():
            query = {
                **selection.parameters(),
                "limit": str(PAGE),
                "offset": str(len(seen)),
                "includefield": _STUDY_INSTANCES,
            }
            found = self._patiently(f"/studies?{urlencode(query)}")
            new = [(uid, item) for item in found if (uid := _first(item, _STUDY)) and uid not in seen]
            for uid, item in new:
                seen.add(uid)
                yield uid, _first(item, _STUDY_INSTANCES)
            if not new:  # the last page, or an archive that knows no paging
                return

    def _study(self, study: str) -> bool:
        """Whether the broker has all of it."""
        place = f"/studies/{quote(study, safe='')}"
        try:
            for series in self._patiently(f"{place}/series"):
                uid = quote(_first(series, _SERIES), safe="")
                for batch in _batches(self._objects(f"{place}/series/{uid}")):
                    if not self._forwarder.forward(batch):
                        return False
        except _NOT_GIVEN as failed:
            telemetry.source_left_out(KIND, "study_unreadable", reason=str(failed) or "too large")
            return False
        return not self._forwarder.stop.is_set()

    def _objects(self, place: str) -> Iterator[Outgoing]:
        for model in self._patiently(f"{place}/metadata"):
            if is_read_as_document(_first(model, _SOP_CLASS)):
                path = f"{place}/instances/{quote(_first(model, _SOP), safe='')}"
                answer = self._client.get(self._url + path, MAX_BYTES, _OBJECT)
                records = [
                    Outgoing(p, self._object_headers) for p in parts_of(answer.body, answer.content_type)
                ]
            else:
                records = [self._image(model)]
            for record in records:
                if len(record.value) <= INPUT_BYTES:
                    yield record
                else:
                    telemetry.source_left_out(KIND, "too_large")

    def _image(self, model: Mapping[str, Any]) -> Outgoing:
        header = {
            tag: element
            for tag, element in model.items()
            if tag != _PER_FRAME and not any(bulk in element for bulk in _BULK)
        }
        return Outgoing(json.dumps(header, separators=(",", ":")).encode(), self._json_headers)

    def _patiently(self, path: str) -> list[dict[str, Any]]:
        """A list of data sets, asked for until the archive answers; empty when stopped.

        Raises Unavailable when it refuses, NotFetched when it cannot give this one.
        """
        while not self._forwarder.stop.is_set():
            try:
                answer = self._client.get(self._url + path, MAX_BYTES, _JSON)
                found = json.loads(answer.body) if answer.body.strip() else []
            except NotFetched as failed:
                if failed.status in (400, 401, 403):
                    raise Unavailable(f"{failed}: check [dicomweb]") from None
                if not failed.passing:
                    raise
                telemetry.source_waiting(KIND, str(failed))
                self._forwarder.stop.wait(RETRY_S)
            except ValueError:
                raise Unavailable("the answer is no DICOM JSON: check dicomweb.url") from None
            else:
                return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
        return []


def _first(model: Mapping[str, Any], tag: str) -> str:
    element = model.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return str(values[0]) if isinstance(values, list) and values else ""


def _batches(records: Iterator[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.value)
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
