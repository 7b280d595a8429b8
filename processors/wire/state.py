"""State entries as MessagePack: a study's parts to bytes and back.

Rules of this file: one row type an entry kind, arrays not maps (an arrival rewrites its chunk, so bytes
count; long ones compressed), no meaning. With any change here FORMAT grows and `wire.upgrade` learns a step.

Keys begin with the study UID, so one range holds a study:
    <study>|s                              corrections, supersessions
    <study>|x|<series>                     a series without its instances
    <study>|c|<series>|<chunk>             CHUNK instances (`wire.instance_rows`)
    <study>|d|<study>|<series>|<SOP>       a document
    <study>|k|<study>|<series>|<SOP>       what is done for a document that came under another path
    <study>|l|<canonical SOP>              what was published of a document family
    <study>|h|<series>|<chunk>             what CHUNK instances say of their series, if not all the same
    <study>|m|<series>|<source>|<id>       a selection
Rejections: `wire.rejection_rows`. What stays of what was erased: `wire.erasure_rows`; of a study that was
purged: `wire.remnant_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

import msgspec

from processors.core.events import (
    Document,
    DocumentPath,
    SelectionMade,
    SeriesHeader,
    Stamp,
)
from processors.core.instances import InstanceState
from processors.core.series import CHUNK, Published, SeriesState
from processors.core.study import CarriedState, DocumentState, SelectionKey, SelectionState, StudyState
from processors.wire.erasure_rows import ERASURES, erasure_rows, read_erasure
from processors.wire.instance_rows import decode_instances, encode_instances
from processors.wire.packing import pack, unpack
from processors.wire.rejection_rows import read_rejections, rejection_rows
from processors.wire.remnant_rows import decode_remnant, encode_remnant

FORMAT = 7
"""Of a body; each entry says its own."""

DOCUMENT_BYTES = 15 * 1024 * 1024
"""Of a document with its former contents; the changelog takes records of 16 MiB. One alone is smaller
(`pipeline.forwarding`)."""

_encode = msgspec.msgpack.Encoder().encode
_Inputs = list[tuple[str, int, int, int]]
_LedgerRow = tuple[int, bytes, str, dict[str, int], str, str, str]


class _StudyRow(NamedTuple):
    updates: list[tuple[SeriesHeader, Stamp]]
    superseded: dict[str, Stamp]
    evaluated_as: bytes
    patients: list[str]
    heard_day: int = -1
    purge_at_ms: int | None = None


class _SeriesRow(NamedTuple):
    headers: list[tuple[SeriesHeader, Stamp]]
    base: SeriesHeader | None
    expected: tuple[Stamp, int] | None
    completed: Stamp | None
    clock: tuple[int | None, int, bool]
    """First and last instance, ms, and whether the hard stop is due."""
    due_at_ms: int | None
    published: _LedgerRow | None
    published_upto: int
    hidden: list[int]
    changed: list[int]
    duplicates: int
    warnings: list[str]
    inputs: _Inputs
    traceparent: bytes
    volumes: Mapping[str, _LedgerRow] = {}


_SaidRows = list[tuple[str, list[tuple[SeriesHeader, Stamp]]]]


class _DocumentRow(NamedTuple):
    content: Document
    stamp: Stamp
    origin: tuple[tuple[str, int], int]
    fragment_sequence: int
    fragment_withdrawn: str
    warnings: list[str]
    sent: dict[str, tuple[int, bytes]]
    due_at_ms: int | None
    given_up: bool
    duplicates: int
    former: list[tuple[bytes, Stamp, Document]]


class _CarriedRow(NamedTuple):
    sent: dict[str, tuple[int, bytes]]
    due_at_ms: int | None
    given_up: bool


class _SelectionRow(NamedTuple):
    content: SelectionMade | None
    stamp: Stamp | None
    withdrawn: Stamp | None
    published: _LedgerRow | None
    inputs: _Inputs


_study = msgspec.msgpack.Decoder(_StudyRow).decode
_series = msgspec.msgpack.Decoder(_SeriesRow).decode
_document = msgspec.msgpack.Decoder(_DocumentRow).decode
_ledger = msgspec.msgpack.Decoder(dict[str, _LedgerRow]).decode
_said = msgspec.msgpack.Decoder(_SaidRows).decode
_carried = msgspec.msgpack.Decoder(_CarriedRow).decode
_selection = msgspec.msgpack.Decoder(_SelectionRow).decode


class Row(NamedTuple):
    """One entry to write: key, MessagePack body, and when its clock runs out."""

    key: str
    body: bytes | None
    """None: the entry goes."""
    due_at_ms: int | None = None


def study_of(key: str) -> str:
    """The study UID in a key."""
    return key.partition("|")[0]


def kind_of(key: str) -> str:
    """The entry kind in a key, one letter, or two for those that are not a study's own."""
    return key[:2] if key.startswith("!") else key.split("|", 2)[1]


def prefix_of(study_instance_uid: str) -> str:
    return f"{study_instance_uid}|"


# ---- writing ---------------------------------------------------------------------------------------------


def touched_rows(study: StudyState) -> Iterator[Row]:
    """Rows of everything touched since the last call; the marks are taken off."""
    uid = study.study_instance_uid
    if study.dropped_rows or study.touched_erasures:
        yield from (Row(*each) for each in erasure_rows(study))
    if study.touched_study:
        yield _study_row(study)
    if study.rejection_chunks.touched:
        yield from (Row(*each) for each in rejection_rows(study))
    if study.purged is not None and study.purged.touched:
        study.purged.touched = False
        yield Row(f"{uid}|p", encode_remnant(study.purged))
    for series in study.series.values():
        if series.touched:
            yield from _series_rows(uid, series)
    for path in study.touched_documents:
        yield from _document_rows(study, path)
    for canonical in study.touched_ledgers:
        yield Row(f"{uid}|l|{canonical}", _encode(study.ledgers[canonical]))
    for key in study.touched_selections:
        yield _selection_row(uid, key, study.selections[key])
    study.touched_study = False
    study.touched_documents.clear()
    study.touched_ledgers.clear()
    study.touched_selections.clear()


def _study_row(study: StudyState) -> Row:
    row = _StudyRow(
        list(study.updates.items()),
        study.superseded,
        study.evaluated_as,
        sorted(study.patients),
        study.heard_day,
        study.purge_at_ms,
    )
    return Row(f"{study.study_instance_uid}|s", _encode(row), study.purge_at_ms)


def _series_rows(uid: str, series: SeriesState) -> Iterator[Row]:
    row = _SeriesRow(
        list(series.headers.items()),
        series.base,
        series.expected,
        series.completed,
        (series.first_ms, series.last_ms, series.hard_stop),
        series.due_at_ms,
        series.published,
        series.published_upto,
        sorted(series.hidden),
        sorted(series.changed),
        series.duplicates,
        sorted(series.warnings),
        [(t, p, first, last) for (t, p), (first, last) in series.inputs.items()],
        series.traceparent,
        series.volumes,
    )
    yield Row(f"{uid}|x|{series.series_instance_uid}", _encode(row), series.due_at_ms)
    for chunk in series.dirty_chunks:
        instances = series.order[chunk * CHUNK : (chunk + 1) * CHUNK]
        yield Row(f"{uid}|c|{series.series_instance_uid}|{chunk:06d}", encode_instances(instances))
    for chunk in series.dirty_said:
        said = [
            (i.sop_instance_uid, list(series.said[i.sop_instance_uid].items()))
            for i in series.order[chunk * CHUNK : (chunk + 1) * CHUNK]
            if i.sop_instance_uid in series.said
        ]
        yield Row(f"{uid}|h|{series.series_instance_uid}|{chunk:06d}", pack(_encode(said)) if said else None)
    series.touched = False
    series.dirty_chunks.clear()
    series.dirty_said.clear()


def _document_rows(study: StudyState, path: DocumentPath) -> Iterator[Row]:
    if path in study.documents:
        yield _document_row(study.study_instance_uid, path, study.documents[path])
    if path in study.carried:
        yield _carried_row(study.study_instance_uid, path, study.carried[path])


def _document_row(uid: str, path: DocumentPath, state: DocumentState) -> Row:
    """The earliest of the former contents go as long as all of it is more than a record of the changelog."""
    body = _packed_document(state)
    while len(body) > DOCUMENT_BYTES and state.former:
        state.forget_earliest()
        body = _packed_document(state)
    return Row(f"{uid}|d|{'|'.join(path)}", body, state.due_at_ms)


def _packed_document(state: DocumentState) -> bytes:
    row = _DocumentRow(
        state.content,
        state.stamp,
        state.origin,
        state.fragment_sequence,
        state.fragment_withdrawn,
        sorted(state.warnings),
        state.sent,
        state.due_at_ms,
        state.given_up,
        state.duplicates,
        [(digest, *said) for digest, said in state.former.items()],
    )
    return pack(_encode(row))


def _carried_row(uid: str, path: DocumentPath, state: CarriedState) -> Row:
    row = _CarriedRow(state.sent, state.due_at_ms, state.given_up)
    return Row(f"{uid}|k|{'|'.join(path)}", _encode(row), state.due_at_ms)


def _selection_row(uid: str, key: SelectionKey, state: SelectionState) -> Row:
    row = _SelectionRow(
        state.content,
        state.stamp,
        state.withdrawn,
        state.published,
        [(t, p, first, last) for (t, p), (first, last) in state.inputs.items()],
    )
    return Row(f"{uid}|m|{'|'.join(quote(part, safe='') for part in key)}", _encode(row))


def same_but_operational(kind: str, one: bytes, other: bytes) -> bool:
    """Whether two bodies of a row say the same of its study or series; those of other kinds must be equal."""
    if one == other or kind not in ("s", "x"):
        return one == other
    return _study(one)[:4] == _study(other)[:4] if kind == "s" else _series(one)[:4] == _series(other)[:4]


# ---- reading ---------------------------------------------------------------------------------------------


def study_from(study_instance_uid: str, rows: Iterable[tuple[str, bytes]]) -> StudyState:
    """The study whose rows these are; an empty one if there are none. Rows may come in any order."""
    study = StudyState(study_instance_uid)
    chunks: list[tuple[str, int, bytes]] = []
    for key, body in rows:
        _, kind, *rest = key.split("|")
        if key.startswith(ERASURES):
            read_erasure(study, rest[0], body)
        elif kind == "c":
            chunks.append((rest[0], int(rest[1]), body))
        else:
            _READ[kind](study, rest, body)
    for series_uid, number, body in sorted(chunks):
        series = study.open_series(series_uid)
        for instance in decode_instances(body, number * CHUNK):
            _read_instance(study, series, instance)
    dues = [series.due_at_ms for series in study.series.values() if series.due_at_ms is not None]
    for waiting in (study.documents, study.carried):
        dues += [state.due_at_ms for state in waiting.values() if state.due_at_ms is not None]
    study.due_at_ms = min(dues, default=None)
    study.wait_until(study.purge_at_ms)
    for series in study.series.values():
        series.touched = False
    return study


def _read_study(study: StudyState, _: list[str], body: bytes) -> None:
    row = _study(body)
    study.updates = dict(row.updates)
    study.superseded = row.superseded
    study.evaluated_as = row.evaluated_as
    study.patients = set(row.patients)
    study.heard_day, study.purge_at_ms = row.heard_day, row.purge_at_ms


def _read_remnant(study: StudyState, _: list[str], body: bytes) -> None:
    study.purged = decode_remnant(body)


def _read_series(study: StudyState, rest: list[str], body: bytes) -> None:
    row, series = _series(body), study.open_series(rest[0])
    series.headers, series.base = dict(row.headers), row.base
    series.expected, series.completed = row.expected, row.completed
    series.first_ms, series.last_ms, series.hard_stop = row.clock
    series.due_at_ms = row.due_at_ms
    series.published = Published(*row.published) if row.published else None
    series.published_upto = row.published_upto
    series.hidden, series.changed = set(row.hidden), set(row.changed)
    series.duplicates, series.warnings = row.duplicates, set(row.warnings)
    series.inputs = {(t, p): (first, last) for t, p, first, last in row.inputs}
    series.traceparent = row.traceparent
    series.volumes = {i: Published(*line) for i, line in row.volumes.items()}


def _read_said(study: StudyState, rest: list[str], body: bytes) -> None:
    study.open_series(rest[0]).said.update({sop: dict(said) for sop, said in _said(unpack(body))})


def _read_instance(study: StudyState, series: SeriesState, instance: InstanceState) -> None:
    series.order.append(instance)
    if not instance.sop_instance_uid:  # it was erased; the others keep their positions
        return
    series.instances[instance.sop_instance_uid] = instance
    if instance.stamp is not None:
        series.seen += 1
        study.placed(instance.sop_instance_uid, series.series_instance_uid)


def _read_document(study: StudyState, rest: list[str], body: bytes) -> None:
    row = _document(unpack(body))
    state = DocumentState(row.content, row.stamp, row.origin)
    state.fragment_sequence, state.fragment_withdrawn = row.fragment_sequence, row.fragment_withdrawn
    state.warnings, state.sent = set(row.warnings), row.sent
    state.due_at_ms, state.given_up, state.duplicates = row.due_at_ms, row.given_up, row.duplicates
    state.former = {digest: (stamp, content) for digest, stamp, content in row.former}
    path = DocumentPath(*rest)
    study.documents[path] = state
    study.index_document(path, state)


def _read_carried(study: StudyState, rest: list[str], body: bytes) -> None:
    state = study.carried[DocumentPath(*rest)] = CarriedState()
    state.sent, state.due_at_ms, state.given_up = _carried(body)


def _read_ledger(study: StudyState, rest: list[str], body: bytes) -> None:
    study.ledgers[rest[0]] = {i: Published(*line) for i, line in _ledger(body).items()}


def _read_selection(study: StudyState, rest: list[str], body: bytes) -> None:
    row, state = _selection(body), SelectionState()
    state.content, state.stamp, state.withdrawn = row.content, row.stamp, row.withdrawn
    state.published = Published(*row.published) if row.published else None
    state.inputs = {(t, p): (first, last) for t, p, first, last in row.inputs}
    series_uid, source, selection_id = map(unquote, rest)
    study.selections[series_uid, source, selection_id] = state


_READ: dict[str, Callable[[StudyState, list[str], bytes], None]] = {
    "s": _read_study,
    "r": read_rejections,
    "p": _read_remnant,
    "x": _read_series,
    "h": _read_said,
    "d": _read_document,
    "k": _read_carried,
    "l": _read_ledger,
    "m": _read_selection,
}
