"""What the state of a home knows of a series or a reference, for a person who asks.

Rules of this file: reads only, plain JSON values out: UIDs, counts, clocks, rules, codes. Nothing of a
patient: no description, no name, no id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import unquote
from uuid import UUID

from processors.avro.envelope import decode_state
from processors.core import identity
from processors.core.events import SeriesHeader
from processors.core.layers import resolved_header
from processors.core.series import CHUNK, Published, SeriesState
from processors.core.study import SelectionKey, SelectionState, StudyState
from processors.core.vocabulary import REPORTS
from processors.pipeline.dead_letters import instant_of
from processors.wire import state as rows
from processors.wire.erasure_rows import ERASURES, read_erasure
from processors.wire.remnant_rows import part_of

Known = dict[str, Any]

_UID = re.compile(r"[0-9.]{1,64}")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Rows(Protocol):
    """A home's entries, as of the last commit. Raises OSError when they cannot be read now."""

    home: int

    def scan(self, prefix: str) -> Iterable[tuple[str, bytes]]: ...

    def keys(self, pattern: str, containing: bytes = b"") -> Iterable[str]:
        """Keys that fit the pattern (`*` stands for any text), of values that contain these bytes."""
        ...


def series_known(homes: Iterable[Rows], series_instance_uid: str) -> list[Known]:
    """The series in each study that has one of that UID; usually one."""
    if not _UID.fullmatch(series_instance_uid):
        return []
    found = []
    for home in homes:
        for key in home.keys(f"*|x|{series_instance_uid}"):
            study = _study(home, rows.study_of(key))
            found.append(_of_series(study, study.series[series_instance_uid], home.home))
    return found


def reference_known(homes: Iterable[Rows], reference_id: str, namespace: UUID) -> list[Known]:
    """What is known of the reference: at most one, since an id lives in one study. Reads all keys."""
    if not _ID.fullmatch(reference_id):
        return []
    return [
        known
        for home in homes
        for known in (*_reference(home, reference_id, namespace), *_purged(home, reference_id))
    ]


def series_of_rows(key: str, value: bytes, chunk: tuple[str, bytes] | None) -> Known:
    """A series from its own entry and the last of its chunks, as the changelog has them.

    Raises Unavailable for what is no entry of this program.
    """
    study_uid, _, series_uid = key.split("|")
    entries = [(key, value)] if chunk is None else [(key, value), chunk]
    study = rows.study_from(study_uid, ((name, decode_state(entry).body) for name, entry in entries))
    series = study.series[series_uid]
    if chunk is not None:
        series.seen += int(chunk[0].rpartition("|")[2]) * CHUNK  # the chunks before are full
    return _of_series(study, series, -1)


def _reference(home: Rows, wanted: str, namespace: UUID) -> Iterator[Known]:
    for key in home.keys("*|x|*"):
        study_uid, _, series_uid = key.split("|")
        if identity.reference_id(identity.series_key(study_uid, series_uid), namespace) == wanted:
            study = _study(home, study_uid)
            series = _of_series(study, study.series[series_uid], home.home)
            yield {
                "id": wanted,
                "kind": "series",
                **(series.pop("reference") or {"revision": 0}),
                "series": series,
            }
    for key in home.keys("*|x|*", wanted.encode()):
        study_uid, _, series_uid = key.split("|")
        study = _study(home, study_uid)
        volume = study.series[series_uid].volumes.get(wanted)
        if volume is not None:
            known = _of_series(study, study.series[series_uid], home.home)
            yield {"id": wanted, "kind": volume.kind, **(_published(volume) or {}), "series": known}
    for key in home.keys("*|l|*", wanted.encode()):
        study = _study(home, rows.study_of(key))
        canonical = key.split("|")[2]
        published = study.ledgers.get(canonical, {}).get(wanted)
        if published is not None:
            yield _of_document(study, canonical, wanted, published, home.home)
    for key in home.keys("*|m|*"):
        study_uid, _, *rest = key.split("|")
        series_uid, source, selection_id = map(unquote, rest)
        said = identity.selection_key(study_uid, series_uid, source, selection_id)
        if identity.reference_id(said, namespace) == wanted:
            place: SelectionKey = (series_uid, source, selection_id)
            selection = _study(home, study_uid).selections[place]
            yield _of_selection(study_uid, place, selection, wanted, home.home)
    for key in home.keys(f"{ERASURES}*|r{wanted}"):
        yield {
            "id": wanted,
            "erased": True,
            "revision": _last_revision(home.scan(key), wanted),
            "home": home.home,
        }


def _purged(home: Rows, wanted: str) -> Iterator[Known]:
    for key in home.keys("*|p", part_of(wanted)):
        purged = _study(home, rows.study_of(key)).purged
        if purged is not None and (line := purged.lines.get(wanted)) is not None:
            yield {
                "id": wanted,
                "kind": line.kind,
                "purged": True,
                "revision": line.revision,
                "study_instance_uid": rows.study_of(key),
                "home": home.home,
            }


def _study(home: Rows, study_instance_uid: str) -> StudyState:
    found = home.scan(rows.prefix_of(study_instance_uid))
    return rows.study_from(study_instance_uid, ((key, decode_state(value).body) for key, value in found))


def _last_revision(entries: Iterable[tuple[str, bytes]], wanted: str) -> int:
    study = StudyState("")
    for _, value in entries:
        read_erasure(study, f"r{wanted}", decode_state(value).body)
    return study.last_revisions[wanted]


def _of_series(study: StudyState, series: SeriesState, home: int) -> Known:
    header = resolved_header(series.headers) if series.headers else SeriesHeader()
    times = [t for each in series.order if each.live and (t := each.issued_us) is not None]
    return {
        "study_instance_uid": study.study_instance_uid,
        "series_instance_uid": series.series_instance_uid,
        "home": home,
        "modality": header.modality,
        "instances": series.seen,
        "reports_only": bool(series.order) and all(i.header.sop_class_uid in REPORTS for i in series.order),
        "expected_instances": series.expected_count,
        "said_complete": series.completed is not None,
        "waiting": waiting_of(series),
        "first_instance_at": _instant(min(times, default=None)),
        "last_instance_at": _instant(max(times, default=None)),
        "duplicates": series.duplicates,
        "warnings": sorted(series.warnings),
        "inputs": _inputs(series.inputs),
        "reference": _published(series.published),
    }


def waiting_of(series: SeriesState) -> Known | None:
    """Which clock runs, since when and until when, and how many images lack; None: it is closed."""
    if series.due_at_ms is None or series.first_ms is None:
        return None
    expected = series.expected_count
    lacking = None if expected is None else expected - series.seen
    return {
        "for": "hard_stop" if series.hard_stop else "quiet",
        "since": instant_of(series.first_ms),
        "last_new_instance_at": instant_of(series.last_ms),
        "until": instant_of(series.due_at_ms),
        "lacking_instances": lacking,
    }


def _of_document(study: StudyState, canonical: str, wanted: str, published: Published, home: int) -> Known:
    copies = [study.documents[path] for path in sorted(study.families.get(canonical, ()))]
    return {
        "id": wanted,
        "kind": published.kind,
        **(_published(published) or {}),
        "study_instance_uid": study.study_instance_uid,
        "series_instance_uid": published.series_instance_uid,
        "home": home,
        "source_document_uid": canonical,
        "duplicates": sum(copy.duplicates for copy in copies),
        "warnings": sorted({warning for copy in copies for warning in copy.warnings}),
        "inputs": [
            {"topic": t, "partition": p, "first_offset": o, "last_offset": o}
            for (t, p), o in (c.origin for c in copies)
        ],
    }


def _of_selection(
    study_uid: str, place: SelectionKey, state: SelectionState, wanted: str, home: int
) -> Known:
    return {
        "id": wanted,
        "kind": "selection",
        **(_published(state.published) or {"revision": 0}),
        "study_instance_uid": study_uid,
        "series_instance_uid": place[0],
        "home": home,
        "source": place[1],
        "inputs": _inputs(state.inputs),
    }


def _published(published: Published | None) -> Known | None:
    if published is None:
        return None
    return {
        "revision": published.revision,
        "withdrawal_reason": published.withdrawn or None,
        "content_hash": published.content_hash.hex(),
    }


def _inputs(inputs: dict[tuple[str, int], tuple[int, int]]) -> list[Known]:
    return [
        {"topic": topic, "partition": partition, "first_offset": first, "last_offset": last}
        for (topic, partition), (first, last) in sorted(inputs.items())
    ]


def _instant(at_us: int | None) -> str | None:
    return None if at_us is None else datetime.fromtimestamp(at_us / 1e6, UTC).isoformat()
